"""A registry in which tiny models were released, to be copied for each test."""

import shutil
from pathlib import Path

from components import promote, register
from pixelwise.families.options import ReleaseParams
from pixelwise.registry.ledger import read_ledger
from pixelwise.registry.versions import read_aliases
from pixelwise.tools import release
from pixelwise.tracking.store import connect
from support.bright_model import write_model

PARAMS = ReleaseParams(mean_iu_floor=0.5, resamples=200, milliseconds_limit=100)
RELEASED = {"champion": "2", "previous": "1"}


class World:
    """A registry and a ledger in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.ledger = folder, f"sqlite:///{folder}/mlflow.db", folder / "promotions.jsonl"

    def register(self, accuracy: float, threshold: int) -> register.Registration:
        """Register a model that is right so often; the threshold tells it from others."""
        files = write_model(self.folder / str(threshold), accuracy, threshold)
        return register.run("fcn", **files, tracking=self.store)

    def promote(self) -> promote.Promotion:
        """Judge the challenger."""
        return promote.run(PARAMS, "fcn", self.ledger, self.store)

    def rollback(self) -> str:
        """Roll back; what the command says."""
        return str(release.rollback(["fcn"], self.ledger, self.store))

    def show(self, *names: str, on: str | None = None) -> str:
        """What `pixelwise release show` says."""
        return str(release.show(names, on, self.ledger, self.store))

    def aliases(self) -> dict[str, str]:
        """The versions by alias."""
        return read_aliases(connect(self.store), "fcn")

    def changes(self) -> list[tuple[str, str, str | None]]:
        """Act, version and previous champion of each line of the ledger."""
        return [(line["act"], line["version"], line["previous"]) for line in read_ledger(self.ledger)]


def make_templates(folder: Path, database: Path) -> dict[str, Path]:
    """Worlds to copy, made of an empty MLflow `database`: version 2 a challenger that deserves its place, and released.

    The first is made in `folder`, the other beside it.
    """
    folder.mkdir()
    shutil.copy(database, folder / "mlflow.db")
    world = World(folder)
    world.register(0.85, threshold=1)
    world.promote()
    world.register(0.9, threshold=2)
    released = folder.with_name("rollback")
    released.mkdir()
    for name in ("mlflow.db", "promotions.jsonl"):
        shutil.copy(folder / name, released)
    World(released).promote()
    return {"promotion": folder, "rollback": released}


def copied(template: Path, folder: Path) -> World:
    """A world of its own; the artifacts, which no change of aliases touches, stay where they are."""
    folder.mkdir(exist_ok=True)
    for name in ("mlflow.db", "promotions.jsonl"):
        shutil.copy(template / name, folder)
    return World(folder)
