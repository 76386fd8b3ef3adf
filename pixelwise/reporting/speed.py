"""The table of a benchmark, one line per engine."""

from collections.abc import Mapping
from typing import Any

from pixelwise.timing import Spread


def format_speed_table(report: Mapping[str, Any]) -> str:
    """Format the report as a text table."""
    height, width = report["picture"]
    lines = [
        f"{width}×{height} on {report['device']}, {report['threads']} threads; {report['repeats']} runs in turns",
        f"{'engine':<16}{'median ms':>10}{'p90 ms':>9}{'images/s':>10}{'ms / ONNX ms (p10–p90)':>26}",
    ]
    for name, engine in report["engines"].items():
        spread = f"{Spread(**engine['times_onnx']):.2f}"
        lines.append(
            f"{name:<16}{engine['median_milliseconds']:>10.1f}{engine['p90_milliseconds']:>9.1f}"
            f"{engine['images_per_second']:>10.1f}{spread:>26}"
        )
    return "\n".join([*lines, *(f"{name}: left out, {why}" for name, why in report["left_out"].items())])
