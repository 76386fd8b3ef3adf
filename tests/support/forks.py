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


def train_fcn(
    data: Path, place: Path, epochs: int, write: str = "", count: int = 0, tracking: str = "none", stage: str = ""
) -> None:
    """Train in this process, which dies at the `count`th `write`, before it or, where count is negative, after it.

    stage: the name of the DVC stage whose command this is; none by default. It runs in the folder `place`.
    """
    from components import train
    from pixelwise.data.augmentation import AugmentParams
    from pixelwise.families.fcn import family as fcn
    from support.tiny_nets import TINY_BACKBONE

    if stage:
        os.environ["DVC_STAGE"] = stage
        os.chdir(place)
    if write:
        die_at(write, count)
    params = fcn.TrainParams(
        epochs=epochs, batch_size=2, warmup_steps=2, validate_every=1, patience=99, device="cpu",
        augment=AugmentParams(crop_width=64, crop_height=64),
        network=fcn.NetworkParams(backbone=TINY_BACKBONE, weights="none"),
    )  # fmt: skip
    train.run(params, "fcn", data, place / "checkpoint", place / "state", tracking=tracking)
