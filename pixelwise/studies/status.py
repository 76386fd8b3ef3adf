"""The items of the thesis: what shows each of them, and the verdict of its studies."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import Params, parse
from pixelwise.studies.index import read_outcome
from pixelwise.studies.outcome import Outcome
from pixelwise.studies.study import FOLDER

ITEMS_FILE = FOLDER / "thesis" / "items.yaml"


class Item(Params):
    """An item of the thesis."""

    item: str
    shows: str = Field(description="what the code must show")
    tests: tuple[str, ...] = Field(min_length=1, description="files under tests that a wrong implementation fails")
    studies: tuple[str, ...] = Field(description="studies that judge the claim; none: the tests decide")
    use: str = Field(description="the verb, parameter or module through which users reach it")


def load_items() -> list[Item]:
    """Load the items. Raises ParamsError if the file is not valid."""
    rows = read_yaml(ITEMS_FILE, "the items of the thesis", error=ParamsError)["items"]
    return [parse(Item, row, f"item {number}") for number, row in enumerate(rows, start=1)]


@dataclass(frozen=True)
class Status:
    """The table of items, for the studies whose records lie in the folder `out`. studies: those of interest."""

    out: Path
    studies: Collection[str]

    def __str__(self) -> str:
        items = [item for item in load_items() if not item.studies or set(item.studies) & set(self.studies)]
        lines = [line for item in items for line in self.describe(item)]
        return "\n".join([*lines, "next: pixelwise study NAME --data data/prepared"])

    def describe(self, item: Item) -> list[str]:
        """Describe an item: what it is, what shows it, and a verdict for each of its studies."""
        lines = [item.item, f"  shows    {item.shows}", f"  tests    {', '.join(item.tests)}", f"  use      {item.use}"]
        verdicts = [f"  verdict  {name}: {self.read_verdict(name)}" for name in item.studies]
        return lines + (verdicts or ["  verdict  decided by the tests"])

    def read_verdict(self, name: str) -> str:
        """Read the verdict of a study."""
        outcome = read_outcome(self.out, name)
        return f"{outcome.verdict} ({outcome.measured.dataset})" if isinstance(outcome, Outcome) else outcome
