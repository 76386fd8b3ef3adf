"""Kinds of studies of FCNs."""

from pixelwise.studies.kinds import Kind

KINDS = (
    Kind("structure", f"{__name__}.structure", trains="variants"),
    Kind(
        "dense",
        f"{__name__}.dense",
        trains="nothing",
        explanation="One picture, one net of random weights, and the median of three runs that took turns.",
    ),
)
