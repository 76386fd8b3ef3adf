"""Kinds of studies of learned and inferred receptive fields."""

from pixelwise.studies.kinds import Kind

KINDS = (
    Kind("scale", f"{__name__}.scale", trains="variants"),
    Kind(
        "recovery",
        f"{__name__}.recovery",
        trains="nothing",
        explanation="Computed from the middles of up to four pictures, without randomness.",
    ),
)
