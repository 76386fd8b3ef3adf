"""The town: a seeded generator of street clips with exact labels, for a pipeline that needs no download."""

from pixelwise.data.town.clips import TownParams, generate

__all__ = ["TownParams", "generate"]
