"""Progress bars for long work, on standard error, so that they do not mix with output."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(work: Iterable[T], description: str, total: int | None = None) -> "tqdm[T]":
    """Iterate over `work` with a progress bar titled `description`; work that ends within a second shows none."""
    return tqdm(work, desc=description, total=total, delay=1, dynamic_ncols=True, leave=False)
