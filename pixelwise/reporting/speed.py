"""The table of a benchmark, one line per engine."""

from collections.abc import Mapping
from typing import Any

from pixelwise.timing import Spread


def format_speed_table(report: Mapping[str, Any]) -> str:
    """Format the report as a text table."""
    height, width = report["picture"]
    wide = max(map(len, report["engines"]))
    lines = [
        f"{width}×{height} on {report['device']}, {report['threads']} threads; {report['repeats']} runs in turns",
        f"{'engine':<{wide}}  median ms   p90 ms  images/s  equal px  ms an image / ms of",
    ]
    for name, engine in report["engines"].items():
        alike = "" if engine["equal_pixels"] is None else f"{engine['equal_pixels']:.2%}"
        lines.append(
            f"{name:<{wide}}{engine['median_milliseconds']:>11.1f}{engine['p90_milliseconds']:>9.1f}"
            f"{engine['images_per_second']:>10.1f}{alike:>10}"
            f"  {Spread(**engine['ratio']):.2f} {engine['compared_with']}"
        )
    lines.append(f"auto: {report['served_by']}, {report['served_median_milliseconds']:.1f} ms a picture")
    return "\n".join([*lines, *(f"{name}: left out, {why}" for name, why in report["left_out"].items())])
