"""Keep the few items of the highest scores out of many, one for each key."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Best(Generic[T]):
    """At most `limit` items, each the best of its key: neighbouring frames of a clip show the same error."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: dict[Hashable, tuple[float, T]] = {}

    def offer(self, score: float, key: Hashable, make: Callable[[], T]) -> None:
        """Keep what `make` returns if it is among the best. Otherwise it is not called."""
        replaced = key if key in self._kept or len(self._kept) < self.limit else self._find_weakest()
        if replaced not in self._kept or self._kept[replaced][0] < score:
            self._kept.pop(replaced, None)
            self._kept[key] = (score, make())

    def _find_weakest(self) -> Hashable:
        return min(self._kept, key=lambda key: self._kept[key][0])

    def items(self) -> list[T]:
        """The kept items, the highest score first."""
        return [item for _, item in sorted(self._kept.values(), key=lambda kept: -kept[0])]
