"""The checkouts in which the uses are tested, before anything happens to them: each is made once, and then copied."""

import shutil
import sys
from functools import cached_property, partial
from pathlib import Path

from components import promote, register
from support.bright_model import write_model
from support.mlflow_server import server_down
from support.places import COMMANDS, Place
from support.power import Power, until
from support.released_project import LIMITS, VERSIONS, commit_all, copy, make_unreleased, release, set_version

PREFIX = "roads"
STORE = ("mlflow.db", "mlartifacts")
TRY = ("dvc", "exp", "run", "-S", f"fcn.train.learning_rate={VERSIONS[3].rate}")
# A step that is killed at its first call of a function.
CUT = """
import os, signal, sys
from pixelwise.registry import {module}
{module}.{function} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from pixelwise.cli import main
main()
"""
REGISTER = ("register", "--name", "fcn", "--model", "models/fcn", "--evaluation", "reports/fcn/evaluate")


class Templates:
    """Checkouts to copy. `born` is where the first was made, as its store says; nothing is there afterwards."""

    def __init__(self, folder: Path, store: Path, town: Path) -> None:
        self.folder, self.store, self.town, self.born = folder, store, town, folder / "born"

    @cached_property
    def released(self) -> Path:
        """Versions 1 and 2 are released."""
        make_unreleased(self.born, self.town)
        shutil.copy(self.store, self.born)
        for number in (1, 2):
            release(self.born, number, f"sqlite:///{self.born}/mlflow.db")
        commit_all(self.born)
        return self.born.rename(self.folder / "released")

    @cached_property
    def served(self) -> tuple[Path, Path]:
        """A checkout and the folder of its server, which has a champion of another project too."""
        checkout = copy(self.released, self.folder / "served")
        shutil.rmtree(checkout / "mlartifacts")
        for name in ("mlflow.db", "promotions.jsonl"):
            (checkout / name).unlink()
        params = checkout / "params.yaml"
        params.write_text(f"{params.read_text()}registry: {{prefix: {PREFIX}}}\n")
        (self.folder / "server").mkdir()
        with server_down(self.folder / "server", self.store) as server:
            server.start()
            for number in (1, 2):
                release(checkout, number, server.uri)
            files = write_model(self.folder / "other", threshold=7)
            register.run("fcn", **files, tracking=server.uri)
            promote.run(LIMITS, "fcn", self.folder / "other.jsonl", server.uri)
        return checkout, self.folder / "server"

    @cached_property
    def tried(self) -> Path:
        """An experiment ran in a temporary copy."""
        checkout = copy(self.released, self.folder / "tried")
        do(home(checkout), *TRY, "--temp")
        return checkout

    @cached_property
    def queued(self) -> Path:
        """An experiment ran from the queue."""
        checkout = copy(self.released, self.folder / "queued")
        place = home(checkout)
        do(place, *TRY, "--queue")
        # Into a file: the worker keeps the output open.
        do(place, "sh", "-c", "dvc queue start > queue.log 2>&1")
        until(lambda: not {"Queued", "Running"} & set(do(place, "dvc", "queue", "status").split()), every=2)
        do(place, "dvc", "queue", "stop")
        return checkout

    @cached_property
    def cut_in_training(self) -> Path:
        """Everything was killed while version 3 was trained."""
        checkout = copy(self.released, self.folder / "cut_in_training")
        set_version(checkout, 3)
        power = Power(checkout)
        power.start("repro", f"PATH={COMMANDS}:$PATH dvc repro train@fcn")
        until(lambda: list(checkout.glob(".state/train-fcn/*/begun.json")))
        power.cut()
        return checkout

    @cached_property
    def trained(self) -> Path:
        """Version 3 is trained and evaluated."""
        checkout = copy(self.released, self.folder / "trained")
        set_version(checkout, 3)
        do(home(checkout), "dvc", "repro")
        return checkout

    @cached_property
    def cut_in_registration(self) -> Path:
        """Version 3 is in the registry, without its evidence and without an alias."""
        checkout = copy(self.trained, self.folder / "cut_in_registration")
        cut(home(checkout), "registration", "save_files", *REGISTER)
        return checkout

    @cached_property
    def cut_in_promotion(self) -> Path:
        """Version 3 is the champion, and the ledger does not know."""
        checkout = copy(self.trained, self.folder / "cut_in_promotion")
        do(home(checkout), "pixelwise", *REGISTER)
        cut(home(checkout), "champion_change", "share_entry", "promote", "--name", "fcn")
        return checkout


def home(folder: Path, **more) -> Place:
    """The checkout in `folder` with its own store."""
    return Place(folder, folder / "mlflow.db", edit=partial(set_version, folder, 3), **more)


def served(folder: Path, server: Path, uri: str) -> Place:
    """The checkout in `folder` with the store of the server in `server`, at `uri`."""
    environment = {"MLFLOW_TRACKING_URI": uri}
    return Place(folder, server / "server.db", environment, f"{PREFIX}-fcn", edit=partial(set_version, folder, 3))


def do(place: Place, *command: str) -> str:
    """What a command that succeeds prints."""
    status, told = place(*command)
    assert status == 0, told
    return told


def cut(place: Place, module: str, function: str, *command: str) -> None:
    """A step that is killed where it calls a function of the registry."""
    status, told = place(sys.executable, "-c", CUT.format(module=module, function=function), *command)
    assert status == -9, told
