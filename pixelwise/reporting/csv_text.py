"""CSV text of a report."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def format_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV text with a header line; nan and None become empty cells."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    # nan is the only value that differs from itself.
    writer.writerows([None if cell != cell else cell for cell in row] for row in rows)  # noqa: PLR0124
    return file.getvalue()
