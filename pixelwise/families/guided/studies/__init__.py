"""Kinds of studies of guided models."""

from pixelwise.studies.kinds import Kind

KINDS = (
    Kind("guide", f"{__name__}.guide", trains="net", draws_tasks=True),
    Kind("guides", f"{__name__}.guides", trains="variants"),
)
