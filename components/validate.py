"""Validate prepared data: Great Expectations judges the manifest; a failed gate stops the pipeline."""

from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError
from pixelwise.files import write_json, write_text
from pixelwise.validation.checks import data_checks, drift_checks
from pixelwise.validation.data_summary import read_described
from pixelwise.validation.drift import read_accepted, statistics
from pixelwise.validation.judge import judge
from pixelwise.validation.limits import Limits
from pixelwise.validation.page import render
from pixelwise.validation.tables import DRIFT_TABLES, build_tables, drift_tables
from pixelwise.validation.thumbnails import failing_items, thumbnails
from pixelwise.validation.verdict import Verdict

VERDICT_FILE, PAGE_FILE, STATISTICS_FILE = "verdict.json", "page.html", "statistics.json"


class ValidateParams(Limits):
    """Section `validate` of params.yaml."""


def run(
    params: ValidateParams,
    data: Annotated[Path, "folder of prepared data"],
    out: Annotated[Path, "folder for the verdict, the page and the statistics"],
    accepted: Annotated[
        Path | None, "statistics.json of the last accepted data; drift is judged where it has content"
    ] = None,
) -> Verdict:
    """Judge the manifest of the prepared data; write verdict.json, page.html and statistics.json under `out`.

    Raises DataError, all three written, where a check of severity error fails; and where `data` is not prepared data.
    """
    described = read_described(data)
    if not described.classes:
        raise DataError(f"prepared data {data}: no classes, as of a video, expected labels to judge")
    found, before = statistics(described), read_accepted(accepted, described.name)
    checks = data_checks(params, classes=len(described.classes))
    tables = build_tables(described, required=params.min_images)
    if before is not None:
        checks += drift_checks(params)
        tables |= drift_tables(before, found)
    findings = tuple(judge(checks, tables))
    verdict = Verdict(findings, described.splits, len(described.quarantine), described.manifest_sha256, out / PAGE_FILE)
    write_json(out / STATISTICS_FILE, found.as_json())
    write_json(out / VERDICT_FILE, verdict.as_json())
    pictures = thumbnails(PreparedData(data), list(failing_items(verdict.findings)))
    write_text(verdict.page, render(verdict, described, tables, pictures))
    if not verdict.passed:
        raise DataError(refusal(verdict, data, out, accepted))
    return verdict


def refusal(verdict: Verdict, data: Path, out: Path, accepted: Path | None) -> str:
    """Why the data may not pass, in one line: the first failed check, how many more, and where to go from here."""
    first, *others = verdict.errors
    more = f"; {len(others)} more failed" if others else ""
    # Data that is also broken must not be offered for acceptance.
    only_drifted = all(finding.table in DRIFT_TABLES for finding in verdict.errors)
    accept = f"; if the change is meant: cp {out / STATISTICS_FILE} {accepted}" if only_drifted else ""
    return f"{data}: {first.name}: {first.found}, expected {first.expected}{more}; see {verdict.page}{accept}"


def main(argv: list[str] | None = None) -> None:
    """`pixelwise validate`."""
    command.main(run, "validate", argv)


if __name__ == "__main__":
    main()
