"""Where the figures of a study come from: the machine and its other work, the commit, the training of a model."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from pixelwise.identity import PROJECT
from pixelwise.model_folder import RUN_FILE, ModelFolder
from pixelwise.timing import describe_machine
from pixelwise.tracking.runs import read_run
from pixelwise.tracking.store import read_git_commit

STAT = Path("/proc/stat")


def describe_model(model: Path) -> dict[str, Any]:
    """Describe how a given model was trained: fingerprint, data, code, parameters. Empty if its folder does not say."""
    # A model of the pipeline has its training in the checkpoint, one of a study beside its graphs.
    file = next((file for file in (ModelFolder(model).run, model / RUN_FILE) if file.is_file()), None)
    if file is None:
        return {}
    run = read_run(file)
    parts = {name: run["parts"].get(name) for name in ("data", "code", "parameters")}
    return {"fingerprint": run["fingerprint"], **parts}


def read_fingerprint(model: Path) -> str | None:
    """Read the fingerprint of a model's training; None if its folder does not say."""
    found: str | None = describe_model(model).get("fingerprint")
    return found


def watch() -> Callable[[], dict[str, Any]]:
    """Start to watch the machine; the returned function describes it and what happened until it is called."""
    began, busy = perf_counter(), read_other_seconds()

    def describe() -> dict[str, Any]:
        seconds, now = perf_counter() - began, read_other_seconds()
        return {
            "commit": read_git_commit(PROJECT),
            "machine": describe_machine(),
            "minutes": round(seconds / 60, 2),
            "other_work": None if busy is None or now is None else round(max(0.0, now - busy) / seconds, 3),
        }

    return describe


def read_other_seconds() -> float | None:
    """Read the processor seconds that other programs have used since the start of the machine; None if unknown."""
    if not STAT.is_file():
        return None
    user, nice, system, _idle, _wait, *rest = map(int, STAT.read_text().split("\n", 1)[0].split()[1:])
    own = os.times()
    # The children's times are those of finished ones.
    mine = own.user + own.system + own.children_user + own.children_system
    # Of the rest: interrupts, soft interrupts and stolen time; guests are within user and nice.
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK") - mine
