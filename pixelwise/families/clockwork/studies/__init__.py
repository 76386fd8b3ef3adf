"""Kinds of studies of clockworks."""

from pixelwise.studies.kinds import Kind

KINDS = (
    Kind(
        "schedule",
        f"{__name__}.schedule",
        trains="net",
        charts=f"{__name__}.charts",
        explanation=(
            "One net runs every schedule in turns in one process. Times exclude picture decoding; on clips they are "
            "medians of three rounds. Near boundaries means within 5 pixels of the outline of all foreground, or of a "
            "border between two classes if the data has no background."
        ),
    ),
    Kind(
        "velocity",
        f"{__name__}.velocity",
        trains="net",
        charts=f"{__name__}.charts",
        explanation=(
            "One net. The share of cells whose label changes, averaged over adjacent frames, then over shots."
        ),
    ),
)
