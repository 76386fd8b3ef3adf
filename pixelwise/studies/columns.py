"""The columns that a study may compare, with the format of their figures."""

from dataclasses import dataclass
from typing import Literal

# What moves a figure in another run: other units (pictures, clips, tasks) and other seeds, other seeds alone, other
# rounds of a time, or nothing, as of a number of layers.
Varies = Literal["units", "seeds", "rounds", "nothing"]


@dataclass(frozen=True)
class Column:
    """A figure; `factor` converts the measured value to the `unit` of the printed one.

    varies: see Varies. counted: the pixel counts by class that the figure is computed from. statistic: how; see
    STATISTICS in `pixelwise.metrics.measurement`.
    """

    heading: str
    unit: str = "%"
    factor: float = 100.0
    digits: int = 1
    is_lower_better: bool = False
    varies: Varies = "units"
    counted: str = ""
    statistic: str = "mean"

    @property
    def title(self) -> str:
        """Heading and unit."""
        return f"{self.heading} {self.unit}".strip()

    def format(self, value: float | None) -> str:
        """Format a value in the column's unit; a dash if there is no value."""
        return "–" if value is None else f"{value:.{self.digits}f}"

    def format_gap(self, value: float) -> str:
        """Format a difference with its unit, such as `2 points`. `2 %` would read as a relative difference."""
        return f"{value:g} {'points' if self.unit == '%' else self.unit}".strip()


COLUMNS = {
    "pixel_accuracy": Column("pixel acc.", counted="labels", statistic="pixel accuracy of tallies"),
    "mean_accuracy": Column("mean acc.", counted="labels", statistic="mean accuracy of tallies"),
    "mean_iu": Column("mean IU", counted="labels", statistic="mean IU of tallies"),
    "frequency_weighted_iu": Column("f.w. IU", counted="labels", statistic="frequency weighted IU of tallies"),
    "foreground_mean_iu": Column("mean IU without background", counted="foreground", statistic="mean IU of tallies"),
    "geometry_accuracy": Column("geom. acc.", counted="geometry", statistic="pixel accuracy of tallies"),
    "loss": Column("last training loss", "", 1.0, 3, is_lower_better=True, varies="seeds"),
    "seconds": Column("training time", "s", 1.0, 0, is_lower_better=True, varies="rounds"),
    "forward_milliseconds": Column("forward time", "ms", 1.0, 0, is_lower_better=True, varies="rounds"),
    "parameters": Column("parameters", "M", 1e-6, 1, is_lower_better=True, varies="nothing"),
    "conv_layers": Column("conv. layers", "", 1.0, 0, varies="nothing"),
    "receptive_field": Column("rf size", "px", 1.0, 0, varies="nothing"),
    "max_stride": Column("max stride", "px", 1.0, 0, is_lower_better=True, varies="nothing"),
    "equal_cells": Column("cells equal to dilation", varies="nothing"),
    "boundary_mean_iu": Column("mean IU near boundaries", counted="boundary", statistic="mean IU of tallies"),
    "boundary_frequency_weighted_iu": Column(
        "f.w. IU near boundaries", counted="boundary", statistic="frequency weighted IU of tallies"
    ),
    "full_frames": Column("full frames", digits=0, is_lower_better=True, statistic="ratio"),
    "time_share": Column("time relative to the oracle", digits=0, is_lower_better=True, varies="rounds"),
    "milliseconds": Column("time per frame", "ms", 1.0, 1, is_lower_better=True, varies="rounds"),
    "speed_up": Column("speed", "×", 1.0, 2, varies="rounds"),
    "temporal_difference": Column("temporal difference", is_lower_better=True),
    "temporal_spread": Column("std. over shots", is_lower_better=True),
    "gaussian_pixels": Column("learned size", "px", 1.0, 1, varies="seeds"),
    "positive_iu": Column("positive IU"),
    "foreground_background": Column("foreground–background"),
    "fine_tuned": Column("fine-tuned on the support"),
    "mean_j": Column("J"),
    "frames_per_second": Column("frames per second", "", 1.0, 1, varies="rounds"),
    "covariance_error": Column("error of the covariance", digits=2, is_lower_better=True),
    "steps": Column("steps to 1 %", "", 1.0, 0, is_lower_better=True),
    "scale_octaves": Column("span of inferred scales", "octaves", 1.0, 1, varies="seeds"),
    "scale_by_class": Column("scale variance between classes", varies="seeds"),
}
