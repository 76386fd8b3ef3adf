"""Processes to be killed, which start in no time: they are forked from a server with all imports done."""

import multiprocessing
import os
from pathlib import Path

# Imports take ten times as long as a small training.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["components.ingest", "components.train", "pixelwise.families.fcn.family"])
OWNERS = {"replace": Path, "fsync": os}


def die_at(write: str, count: int) -> None:
    """Let this process die, without any clearing up, at the `count`th call of Path.replace or os.fsync.

    count: the process dies before that call, or after it where the number is negative.
    """
    owner, calls = OWNERS[write], []
    act = getattr(owner, write)

    def counted(*args, **options):
        calls.append(args)
        if len(calls) == count:
            os._exit(9)
        result = act(*args, **options)
        if len(calls) == -count:
            os._exit(9)
        return result

    setattr(owner, write, counted)
