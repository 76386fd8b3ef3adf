"""The verdict on the data: one finding for each check, and whether the data passes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.validation.checks import Check, Severity

NAMED_ITEMS = 20


@dataclass(frozen=True)
class Finding:
    """The outcome of one check. found: the result in words; items: the ids of all failed rows."""

    name: str
    table: str
    severity: Severity
    passed: bool
    found: str
    expected: str
    items: tuple[str, ...] = ()

    @classmethod
    def from_check(cls, check: Check, *, passed: bool, found: str, items: tuple[str, ...] = ()) -> "Finding":
        """Create the finding of `check`."""
        return cls(check.name, check.table, check.severity, passed, found, check.expected, items)

    def as_json(self) -> dict[str, Any]:
        """The finding's part of verdict.json: at most NAMED_ITEMS ids, and their total number."""
        fields = {key: getattr(self, key) for key in ("name", "table", "severity", "passed", "found", "expected")}
        return {**fields, "items": list(self.items[:NAMED_ITEMS]), "items_total": len(self.items)}


@dataclass(frozen=True)
class Verdict:
    """The findings of all checks. data: SHA-256 of the checked manifest; page: the HTML page that shows them."""

    findings: tuple[Finding, ...]
    splits: dict[str, int]
    quarantined: int
    data: str
    page: Path

    @property
    def errors(self) -> list[Finding]:
        """Failed checks of severity error; they stop the pipeline."""
        return [finding for finding in self.findings if not finding.passed and finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """Failed checks of severity warning; a person should look at them."""
        return [finding for finding in self.findings if not finding.passed and finding.severity == "warning"]

    @property
    def passed(self) -> bool:
        """Whether no check of severity error failed."""
        return not self.errors

    @property
    def counts(self) -> dict[str, Any]:
        """Numbers of images, images per split, quarantined files, checks, errors and warnings."""
        return {
            "images": sum(self.splits.values()),
            "splits": self.splits,
            "quarantined": self.quarantined,
            "checks": len(self.findings),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
        }

    def as_json(self) -> dict[str, Any]:
        """The content of verdict.json."""
        checks = [finding.as_json() for finding in self.findings]
        return {"passed": self.passed, "counts": self.counts, "checks": checks, "data": self.data}

    def __str__(self) -> str:
        """Format the outcome, the warnings, the path of the page and the next command."""
        splits = ", ".join(f"{name} {images}" for name, images in self.splits.items())
        lines = [f"valid: {len(self.findings)} checks on {self.counts['images']} images ({splits})"]
        lines += [f"warning: {finding.name}: {finding.found}" for finding in self.warnings]
        return "\n".join([*lines, f"page: {self.page}", "next: dvc repro"])
