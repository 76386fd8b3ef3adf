"""The places in which the uses of a checkout are tested: each a copy of a template with what it finds around it."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

from support.mlflow_server import behind_password, older_server, server_down
from support.place_templates import STORE, Templates, do, home, served
from support.places import Place
from support.released_project import copy, set_version

OTHER_OWNER = 12345
ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@contextmanager
def worktree(templates: Templates, folder: Path) -> Iterator[Place]:
    """A git worktree with the environment of the main checkout active, whose code must not run."""
    main = add_worktree(templates, folder)
    environment = {"PYTHONPATH": str(main)}
    yield home(folder / "worktree", environment=environment, champion=0, others=others_of(main))


@contextmanager
def worktree_of_one_store(templates: Templates, folder: Path) -> Iterator[Place]:
    """The same with the store and the cache of the main checkout."""
    main = add_worktree(templates, folder)
    tree = folder / "worktree"
    (tree / ".dvc/config.local").write_text(f"[cache]\n    dir = {main}/.dvc/cache\n")
    environment = {"PYTHONPATH": str(main), "MLFLOW_TRACKING_URI": f"sqlite:///{main}/mlflow.db"}
    others = others_of(main)
    place = Place(tree, main / "mlflow.db", environment, edit=partial(set_version, tree, 3), others=others)
    do(place, "dvc", "checkout")
    yield place


def add_worktree(templates: Templates, folder: Path) -> Path:
    """A worktree beside the main checkout, which is returned and of which no command can run the code."""
    main = copy(templates.released, folder / "main")
    subprocess.run(["git", "worktree", "add", "--quiet", "../worktree", "-b", "feature"], cwd=main, check=True)
    code = main / "pixelwise/command.py"
    code.write_text('raise SystemExit("the code of the main checkout ran")\n' + code.read_text())
    return main


def others_of(main: Path) -> tuple[Path, ...]:
    """What a worktree must leave alone in the main checkout: all but the store, the cache and what git keeps."""
    return tuple(path for path in main.iterdir() if path.name not in (*STORE, ".dvc", ".git", "mlflow.db.lock"))


@contextmanager
def moved(templates: Templates, folder: Path) -> Iterator[Place]:
    """A checkout that was moved, to a folder with an awkward name."""
    yield home(copy(templates.released, folder / "moved 50%20 ö"))
    assert not templates.born.exists()


@contextmanager
def copied(templates: Templates, folder: Path) -> Iterator[Place]:
    """A copy of a checkout, beside the original."""
    copy(templates.released, templates.born)
    try:
        yield home(copy(templates.released, folder / "copied"), others=(templates.born,))
    finally:
        shutil.rmtree(templates.born)


@contextmanager
def experiment_in_a_copy(templates: Templates, folder: Path) -> Iterator[Place]:
    """A checkout in which `dvc exp run --temp` ran; the user applies the experiment."""
    yield with_experiment(copy(templates.tried, folder / "checkout"))


@contextmanager
def experiment_from_the_queue(templates: Templates, folder: Path) -> Iterator[Place]:
    """A checkout in which a queued experiment ran; the user applies it."""
    yield with_experiment(copy(templates.queued, folder / "checkout"))


def with_experiment(folder: Path) -> Place:
    """The checkout, where the next version comes from its experiment."""

    def apply() -> None:
        (name,) = do(place, "dvc", "exp", "list", "--all-commits", "--name-only").split()
        do(place, "pixelwise", "apply", name)

    place = Place(folder, folder / "mlflow.db", edit=apply, is_trained=True)
    return place


@contextmanager
def two_projects(templates: Templates, folder: Path) -> Iterator[Place]:
    """An MLflow server that another project uses as well."""
    with copied_server(templates, folder) as (checkout, server):
        yield served(checkout, server.folder, server.uri)


@contextmanager
def password_and_prefix(templates: Templates, folder: Path) -> Iterator[Place]:
    """The same server behind a proxy that asks for a password and serves it below a path."""
    with copied_server(templates, folder) as (checkout, server), behind_password(server.uri) as uri:
        yield served(checkout, server.folder, uri)


@contextmanager
def copied_server(templates: Templates, folder: Path) -> Iterator[tuple]:
    """A copy of the served checkout, and a running server with a copy of what it keeps."""
    checkout, kept = templates.served
    copy(kept, folder / "server")
    with server_down(folder / "server", kept / "server.db") as server:
        server.start()
        yield copy(checkout, folder / "checkout"), server


@contextmanager
def beside_an_older_server(templates: Templates, folder: Path) -> Iterator[Place]:
    """A server that lacks what we ask for."""
    with older_server(b"1.30.0") as uri:
        yield home(copy(templates.released, folder / "checkout"), environment={"MLFLOW_TRACKING_URI": uri})


@contextmanager
def locked(templates: Templates, folder: Path) -> Iterator[Place]:
    """An SQLite store that another process has locked for as long as the command runs."""
    checkout = copy(templates.released, folder / "checkout")

    @contextmanager
    def lock() -> Iterator[None]:
        with closing(sqlite3.connect(checkout / "mlflow.db")) as store:
            store.execute("BEGIN EXCLUSIVE")
            yield

    yield home(checkout, during=lock)


@contextmanager
def ascii_locale(templates: Templates, folder: Path) -> Iterator[Place]:
    """A service without a locale."""
    yield home(copy(templates.released, folder / "checkout"), environment=ASCII)


@contextmanager
def other_owner(templates: Templates, folder: Path) -> Iterator[Place]:
    """A checkout that git refuses as it belongs to somebody else."""
    checkout = copy(templates.released, folder / "checkout")
    if os.geteuid() == 0:
        subprocess.run(["chown", "--recursive", str(OTHER_OWNER), str(checkout)], check=True)
    yield home(checkout, environment={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})


@contextmanager
def after_a_cut(template: str, templates: Templates, folder: Path, **more) -> Iterator[Place]:
    """A checkout in which the power was cut."""
    yield home(copy(getattr(templates, template), folder / "checkout"), **more)


AFTER_A_CUT: dict[str, Callable[..., AbstractContextManager]] = {
    "cut in training": partial(after_a_cut, "cut_in_training"),
    "cut in registration": partial(after_a_cut, "cut_in_registration", is_trained=True),
    "cut in promotion": partial(after_a_cut, "cut_in_promotion", is_trained=True, champion=3),
}
PLACES: dict[str, Callable[..., AbstractContextManager]] = {
    "worktree": worktree,
    "worktree of one store": worktree_of_one_store,
    "moved": moved,
    "copied": copied,
    "exp --temp": experiment_in_a_copy,
    "exp --queue": experiment_from_the_queue,
    "two projects": two_projects,
    "password and prefix": password_and_prefix,
    "older server": beside_an_older_server,
    "locked": locked,
    "locale": ascii_locale,
    "other owner": other_owner,
    **AFTER_A_CUT,
}
