"""The columns that a study may compare: the format of each figure and whether lower is better."""

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
        """A value in the column's unit; a dash where there is none."""
        return "–" if value is None else f"{value:.{self.digits}f}"

    def format_gap(self, value: float) -> str:
        """`2 points`: a difference with its unit. Differences of percentages are in points: 2 % would be relative."""
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
    "equal_cells": Column("equal to dilation"),
    "boundary_mean_iu": Column("mean IU near boundaries"),
    "boundary_frequency_weighted_iu": Column("f.w. IU near boundaries"),
    "full_frames": Column("full frames", digits=0, is_lower_better=True),
    "time_share": Column("time, of the oracle's", digits=0, is_lower_better=True),
    "milliseconds": Column("time a frame", "ms", 1.0, 1, is_lower_better=True),
    "speed_up": Column("speed", "×", 1.0, 2),
    "temporal_difference": Column("temporal difference", is_lower_better=True),
    "temporal_spread": Column("its std. over shots", is_lower_better=True),
    "gaussian_pixels": Column("learned size", "px", 1.0, 1),
    "positive_iu": Column("positive IU"),
    "foreground_background": Column("foreground–background"),
    "fine_tuned": Column("fine-tuned on the support"),
    "mean_j": Column("J"),
    "frames_per_second": Column("frames a second", "", 1.0, 1),
    "covariance_error": Column("error of the covariance", digits=2, is_lower_better=True),
    "steps": Column("steps to 1 %", "", 1.0, 0, is_lower_better=True),
    "scale_octaves": Column("inferred scales span", "octaves", 1.0, 1),
    "scale_by_class": Column("their variance between classes"),
}
