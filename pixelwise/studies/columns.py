"""The columns that a study may compare, with the format of their figures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A figure; `factor` converts the measured value to the `unit` of the printed one."""

    heading: str
    unit: str = "%"
    factor: float = 100.0
    digits: int = 1
    is_lower_better: bool = False

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
    "pixel_accuracy": Column("pixel acc."),
    "mean_accuracy": Column("mean acc."),
    "mean_iu": Column("mean IU"),
    "frequency_weighted_iu": Column("f.w. IU"),
    "foreground_mean_iu": Column("mean IU without background"),
    "geometry_accuracy": Column("geom. acc."),
    "loss": Column("last training loss", "", 1.0, 3, is_lower_better=True),
    "seconds": Column("training time", "s", 1.0, 0, is_lower_better=True),
    "forward_milliseconds": Column("forward time", "ms", 1.0, 0, is_lower_better=True),
    "parameters": Column("parameters", "M", 1e-6, 1, is_lower_better=True),
    "conv_layers": Column("conv. layers", "", 1.0, 0),
    "receptive_field": Column("rf size", "px", 1.0, 0),
    "max_stride": Column("max stride", "px", 1.0, 0, is_lower_better=True),
    "equal_cells": Column("cells equal to dilation"),
    "boundary_mean_iu": Column("mean IU near boundaries"),
    "boundary_frequency_weighted_iu": Column("f.w. IU near boundaries"),
    "full_frames": Column("full frames", digits=0, is_lower_better=True),
    "time_share": Column("time relative to the oracle", digits=0, is_lower_better=True),
    "milliseconds": Column("time per frame", "ms", 1.0, 1, is_lower_better=True),
    "speed_up": Column("speed", "×", 1.0, 2),
    "temporal_difference": Column("temporal difference", is_lower_better=True),
    "temporal_spread": Column("std. over shots", is_lower_better=True),
    "gaussian_pixels": Column("learned size", "px", 1.0, 1),
    "positive_iu": Column("positive IU"),
    "foreground_background": Column("foreground–background"),
    "fine_tuned": Column("fine-tuned on the support"),
    "mean_j": Column("J"),
    "frames_per_second": Column("frames per second", "", 1.0, 1),
    "covariance_error": Column("error of the covariance", digits=2, is_lower_better=True),
    "steps": Column("steps to 1 %", "", 1.0, 0, is_lower_better=True),
    "scale_octaves": Column("span of inferred scales", "octaves", 1.0, 1),
    "scale_by_class": Column("scale variance between classes"),
}
