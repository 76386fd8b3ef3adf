"""What a reader decided by itself, counted for one line each: files passed over, annotations dropped, splits chosen."""

from collections import defaultdict

EXAMPLES = 3


class Notes:
    """Decisions that ingest prints, so that no guess is silent. Several threads may add to it."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = defaultdict(list)

    def add(self, decision: str, example: str = "") -> None:
        """Count `decision`, such as `annotations without area, dropped`. example: the file or annotation concerned."""
        self._found[decision].append(example)

    def lines(self) -> list[str]:
        """One line a decision: `3 annotations without area, dropped: a, b, c`; without examples, the decision alone."""
        return [format_line(decision, sorted(filter(None, found))) for decision, found in sorted(self._found.items())]


def format_line(decision: str, examples: list[str]) -> str:
    """Format a decision with its count and its first EXAMPLES examples."""
    if not examples:
        return decision
    more = ", …" if len(examples) > EXAMPLES else ""
    return f"{len(examples)} {decision}: {', '.join(examples[:EXAMPLES])}{more}"
