"""Run checks with Great Expectations on in-memory tables, without telemetry, files or progress bars.

Its data docs load scripts from a CDN and its checkpoints fail on warnings, so Pixelwise takes only its results and
writes the page and the verdict itself.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pixelwise.errors import DataError
from pixelwise.validation.checks import ROWS, Check
from pixelwise.validation.tables import Tables
from pixelwise.validation.verdict import Finding

EXAMPLES = 3
NAMING_ROWS = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}


def run_checks(checks: Sequence[Check], tables: Tables) -> list[Finding]:
    """The finding of every check, in order. Raises DataError if a check could not be run."""
    # Imported here because the import takes seconds.
    import great_expectations as gx
    import great_expectations.expectations as library

    source = make_context(gx).data_sources.add_pandas("manifest")
    findings: dict[str, Finding] = {}
    for name in dict.fromkeys(check.table for check in checks):
        mine = [check for check in checks if check.table == name]
        suite = gx.ExpectationSuite(name=name, expectations=[make_expectation(library, check) for check in mine])
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        validation = batch.get_batch({"dataframe": tables[name]}).validate(suite, result_format=NAMING_ROWS)
        # Great Expectations does not keep the order of a suite.
        results = {result.expectation_config.meta["name"]: result for result in validation.results}
        findings.update({check.name: make_finding(check, results[check.name], tables[name]) for check in mine})
    return [findings[check.name] for check in checks]


def make_context(gx: Any) -> Any:
    """An in-memory Great Expectations context without telemetry and progress bars."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def make_expectation(library: Any, check: Check) -> Any:
    """The Great Expectations expectation of `check`."""
    severity = {"error": "critical", "warning": "warning"}[check.severity]
    return getattr(library, check.expectation)(**check.arguments, severity=severity, meta={"name": check.name})


def make_finding(check: Check, result: Any, table: pd.DataFrame) -> Finding:
    """Convert Great Expectations' `result` of `check` on `table` to a finding. Raises DataError if it did not run."""
    if result.exception_info.get("raised_exception"):
        reason = " ".join(str(result.exception_info["exception_message"]).split())
        raise DataError(f"check {check.name!r} could not be carried out on the manifest: {reason}")
    if result.success:
        return Finding.from_check(check, passed=True, found=describe_all(check, table))
    rows = result.result["unexpected_index_list"]
    return Finding.from_check(
        check, passed=False, found=describe_failed(check, rows, len(table)), items=tuple(str(row["id"]) for row in rows)
    )


def describe_all(check: Check, table: pd.DataFrame) -> str:
    """The finding of a passed check: the range of a numeric column, else the number of rows."""
    values = table[check.columns[0]].dropna()
    if check.expectation != "ExpectColumnValuesToBeBetween" or values.empty:
        return f"all {len(table)} {ROWS[check.table]}" if len(table) else f"no {ROWS[check.table]}"
    low, high = check.number.format(values.min()), check.number.format(values.max())
    return low if low == high else f"{low} to {high}"


def describe_failed(check: Check, rows: Sequence[dict[str, Any]], total: int) -> str:
    """How many rows failed and the first few of them: `2 of 367 images: 0001TP: image_size 480×360, …`."""
    words = list(dict.fromkeys(describe_row(check, row) for row in rows))
    more = "" if len(words) <= EXAMPLES else "; …"
    return f"{len(rows)} of {total} {ROWS[check.table]}: {'; '.join(words[:EXAMPLES])}{more}"


def describe_row(check: Check, row: dict[str, Any]) -> str:
    """Describe one failed row."""
    if check.columns == ["id"]:
        return str(row["id"])
    values = {column: row[column] for column in check.columns}
    if len(values) == 1:
        (value,) = values.values()
        text = value if isinstance(value, str) else check.number.format(value)
        # The text about duplicate pictures already contains their ids.
        return text if " = " in text else f"{row['id']}: {text}"
    return f"{row['id']}: " + ", ".join(f"{column.replace('_', ' ')} {value}" for column, value in values.items())
