"""What the service sees and says, as metrics and as lines of the statistics file. No picture is kept."""

from pathlib import Path

from pixelwise.serving.answers import Labelled
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.rolling_file import RollingFile
from pixelwise.serving.side_work import SideWork
from pixelwise.watching.rows import Row, encode_row, observe

# Answers that wait to be described. Each keeps its picture in memory.
PLACES = 8


class Statistics:
    """Describes answers beside the service. file: of the newest rows; None: metrics alone."""

    def __init__(self, metrics: Metrics, file: Path | None) -> None:
        self.metrics = metrics
        self.file = RollingFile(file) if file else None
        self.side = SideWork("statistics", self.describe, PLACES, metrics.undescribed.inc, rest=self.save)

    def describe(self, labelled: Labelled) -> None:
        """Measure one answer."""
        served, names = labelled.served, labelled.served.model.names
        seen = observe(labelled.image, labelled.prediction, served.sha256, len(names), labelled.confidence)
        self.metrics.brightness.observe(sum(seen.mean) / len(seen.mean))
        self.metrics.picture_pixels.observe(labelled.prediction.size)
        if seen.confidence is not None:
            self.metrics.confidence.observe(seen.confidence)
        for name, share in zip(names, seen.shares, strict=True):
            self.metrics.labelled_pixels.labels(name).inc(share * labelled.prediction.size)
        self.write(seen)

    def write(self, row: Row) -> None:
        """Add a row to the file, if there is one."""
        if self.file:
            self.file.add(encode_row(row))

    def save(self) -> None:
        """Write what the file has not yet."""
        if self.file:
            self.file.save()
