"""The checks: each is a Great Expectations expectation on a column of a table, with a readable name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pixelwise.validation.limits import Limits

Severity = Literal["error", "warning"]
PERCENT = "{:.2%}"
# Table -> noun for its rows in findings.
ROWS = {
    "items": "images",
    "clips": "clips",
    "splits": "splits",
    "classes": "classes",
    "files": "data sets",
    "quarantine": "files",
    "sample": "sampled images",
    "sampled_splits": "splits",
    "class_looks": "classes of a split",
    "class_names": "label values",
    "image_drift": "statistics",
    "class_drift": "data sets",
}


@dataclass(frozen=True)
class Check:
    """One check: `expectation`, a class of great_expectations.expectations, built with `arguments`, applied to `table`.

    expected: the expectation in words. number: format string for numbers of the judged column.
    """

    name: str
    table: str
    expectation: str
    arguments: Mapping[str, Any]
    expected: str
    severity: Severity = "error"
    number: str = "{:g}"

    @property
    def columns(self) -> list[str]:
        """The columns that are judged."""
        return [self.arguments[key] for key in ("column", "column_A", "column_B") if key in self.arguments]


def make_range_check(
    name: str,
    column: str,
    *,
    low: float | None = None,
    high: float | None = None,
    number: str = "{:g}",
    severity: Severity = "error",
) -> Check:
    """Make a check that each number of `column`, written `table.column`, is at least `low` and at most `high`."""
    table, _, judged = column.partition(".")
    bounds = {"at least": low, "at most": high}
    expected = " and ".join(f"{words} {number.format(bound)}" for words, bound in bounds.items() if bound is not None)
    arguments = {"column": judged, "min_value": low, "max_value": high}
    return Check(name, table, "ExpectColumnValuesToBeBetween", arguments, expected, severity, number)


def make_empty_check(name: str, column: str, expected: str, severity: Severity = "error") -> Check:
    """Make a check that `column`, written `table.column`, is empty; the column describes the fault of a bad row."""
    table, _, judged = column.partition(".")
    return Check(name, table, "ExpectColumnValuesToBeNull", {"column": judged}, expected, severity)


def list_data_checks(limits: Limits, classes: int) -> list[Check]:
    """The checks on the data itself. classes: number of classes."""
    return [
        *list_image_checks(limits, classes),
        *list_split_checks(limits),
        *list_class_checks(limits),
        *list_file_checks(limits),
        *list_picture_checks(limits),
    ]


def list_image_checks(limits: Limits, classes: int) -> list[Check]:
    """The checks on items: manifest fields, image and label, and duplicate pictures."""
    equal_sizes = {"column_A": "image_size", "column_B": "label_size"}
    alike, twice = "image sizes are alike", "no picture is twice in a split"
    return [
        make_empty_check("every field of the manifest is filled", "items.missing_fields", "no empty field"),
        Check("ids are unique", "items", "ExpectColumnValuesToBeUnique", {"column": "id"}, "each id once"),
        Check("image and label sizes agree", "items", "ExpectColumnPairValuesToBeEqual", equal_sizes, "equal sizes"),
        make_range_check("the lowest label value is a class", "items.lowest_label", low=0, high=classes - 1),
        make_range_check("the highest label value is a class", "items.highest_label", low=0, high=classes - 1),
        make_range_check("images are large enough", "items.short_side", low=limits.min_side),
        make_range_check(alike, "items.size_ratio", high=limits.max_size_ratio, number="{:.1f}", severity="warning"),
        make_range_check("images are not blank", "items.contrast", low=limits.min_contrast, number="{:.1f}"),
        make_range_check("labels are not all but void", "items.void_share", high=limits.max_void_share, number=PERCENT),
        make_empty_check(
            "no picture is in two splits", "items.same_picture_across_splits", "each picture in one split"
        ),
        make_empty_check(twice, "items.same_picture_in_split", "each picture once, stills of a clip apart", "warning"),
        make_empty_check("no clip is in two splits", "clips.shared", "each clip in one split", "warning"),
    ]


def list_split_checks(limits: Limits) -> list[Check]:
    """The checks on splits: present, large enough, labelled, and with similar class balance."""
    required = ", ".join(f"{name} {images}" for name, images in limits.min_images.items())
    enough = {"column_A": "images", "column_B": "required", "or_equal": True}
    alike = "class balance is alike in every split"
    return [
        Check(
            "required splits are large enough",
            "splits",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            enough,
            f"images at least: {required}",
        ),
        make_range_check("splits are labelled", "splits.void_share", high=limits.max_mean_void_share, number=PERCENT),
        make_range_check(alike, "splits.psi", high=limits.max_split_psi, number="{:.2f}", severity="warning"),
    ]


def list_class_checks(limits: Limits) -> list[Check]:
    """The checks on classes: enough images and pixels of each class, in every split."""
    enough_pixels = "every class has enough training pixels"
    return [
        make_range_check("every class is in the training split", "classes.train_images", low=limits.min_class_images),
        make_range_check(enough_pixels, "classes.train_share", low=limits.min_class_share, number=PERCENT),
        make_empty_check("every class is in every split", "classes.absent_from", "absent from no split", "warning"),
    ]


def list_file_checks(limits: Limits) -> list[Check]:
    """The checks on the files that ingest rejected."""
    few = "few files are in quarantine"
    return [
        make_range_check(few, "files.quarantined_share", high=limits.max_quarantined_share, number=PERCENT),
        make_empty_check("no file is in quarantine", "quarantine.reason", "every file taken", "warning"),
    ]


def list_picture_checks(limits: Limits) -> list[Check]:
    """The checks on what only pictures show: warnings, and an error for each limit that is set."""
    once, as_it_is = "no near-duplicate across splits", "a mask that fits best as it is"
    checks = [
        make_empty_check("no picture nearly repeats one of another split", "items.near_duplicate", once, "warning"),
        make_empty_check("each mask follows the edges of its picture", "sample.misfit", as_it_is, "warning"),
        make_empty_check("masks of a split follow the edges", "sampled_splits.misfit", as_it_is, "warning"),
        make_empty_check("classes look as in train", "class_looks.looks_like", "no two classes swapped", "warning"),
    ]
    limited = {
        "few pictures nearly repeat another split": ("near_duplicate_share", limits.max_near_duplicate_share, PERCENT),
        "few masks miss the edges": ("misfit_share", limits.max_misfit_share, PERCENT),
        "few classes look swapped": ("swapped_classes", limits.max_swapped_classes, "{:g}"),
    }
    return checks + [
        make_range_check(name, f"sampled_splits.{column}", high=limit, number=number)
        for name, (column, limit, number) in limited.items()
        if limit is not None
    ]


def list_drift_checks(limits: Limits) -> list[Check]:
    """The checks that compare the data with the last accepted data of the same name."""
    shares = "class shares are like the accepted ones"
    return [
        make_empty_check("classes are the accepted ones", "class_names.change", "the same names in the same order"),
        make_range_check(
            "images look like the accepted ones", "image_drift.shift", high=limits.max_shift, number="{:.2f}"
        ),
        make_range_check(shares, "class_drift.psi", high=limits.max_drift_psi, number="{:.2f}"),
    ]
