"""Validate prepared data: checks on the manifest and on a sample of the pictures; a failed one stops the pipeline."""

from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError
from pixelwise.files import write_json, write_text
from pixelwise.validation.checks import list_data_checks, list_drift_checks
from pixelwise.validation.data_summary import read_summary
from pixelwise.validation.drift import compute_statistics, read_accepted
from pixelwise.validation.expectations import run_checks
from pixelwise.validation.limits import Limits
from pixelwise.validation.page import render_validation_page
from pixelwise.validation.picture_sample import make_sample_tables, sample_pictures
from pixelwise.validation.tables import DRIFT_TABLES, build_tables, make_drift_tables
from pixelwise.validation.thumbnails import choose_failing_items, make_thumbnails
from pixelwise.validation.verdict import Verdict

VERDICT_FILE, PAGE_FILE, STATISTICS_FILE = "verdict.json", "page.html", "statistics.json"


class ValidateParams(Limits):
    """Section `validate` of params.yaml."""


def run(
    params: ValidateParams,
    data: Annotated[Path, "folder of prepared data"],
    out: Annotated[Path, "folder for the verdict, the page and the statistics"],
    accepted: Annotated[
        Path | None, "statistics.json of the last accepted data; drift is checked if the file has content"
    ] = None,
) -> Verdict:
    """Judge the manifest and a sample of the pictures; write verdict.json, page.html and statistics.json under `out`.

    Raises DataError where `data` is not prepared data or has no classes, and, after it has written the three files,
    where a check of severity error fails.
    """
    summary = read_summary(data)
    if not summary.classes:
        raise DataError(f"{data}: found no classes, expected labelled data; a video has no labels")
    statistics, accepted_statistics = compute_statistics(summary), read_accepted(accepted, summary.name)
    checks = list_data_checks(params, classes=len(summary.classes))
    prepared, tables = PreparedData(data), build_tables(summary, required=params.min_images)
    tables |= make_sample_tables(sample_pictures(prepared, params.sampled_images), tables["items"], summary.classes)
    if accepted_statistics is not None:
        checks += list_drift_checks(params)
        tables |= make_drift_tables(accepted_statistics, statistics)
    findings = tuple(run_checks(checks, tables))
    verdict = Verdict(findings, summary.splits, len(summary.quarantine), summary.manifest_sha256, out / PAGE_FILE)
    write_json(out / STATISTICS_FILE, statistics.as_json())
    write_json(out / VERDICT_FILE, verdict.as_json())
    pictures = make_thumbnails(prepared, list(choose_failing_items(verdict.findings)))
    write_text(verdict.page, render_validation_page(verdict, summary, tables, pictures))
    if not verdict.passed:
        raise DataError(describe_refusal(verdict, data, out, accepted))
    return verdict


def describe_refusal(verdict: Verdict, data: Path, out: Path, accepted: Path | None) -> str:
    """Describe in one line why the data fails: the first failed check, the number of others, and the next step."""
    first, *others = verdict.errors
    more = f"; {len(others)} more failed" if others else ""
    # Accepting the statistics repairs drift alone, not data that fails other checks.
    only_drifted = all(finding.table in DRIFT_TABLES for finding in verdict.errors)
    accept = f"; to accept the change: cp {out / STATISTICS_FILE} {accepted}" if only_drifted else ""
    return f"{data}: {first.name}: {first.found}, expected {first.expected}{more}; see {verdict.page}{accept}"


def main(argv: list[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, "validate", argv)


if __name__ == "__main__":
    main()
