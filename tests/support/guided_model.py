"""A small guided model, trained and exported, with the pictures that it was trained on."""

from pathlib import Path

from components import export, ingest, train
from pixelwise.families.guided import family
from support.object_sets import write_together
from support.tiny_nets import TINY_BACKBONE


def guided_params(guide: str = "late", **values: object) -> family.TrainParams:
    """A training of one epoch on crops of 64 by 48 pixels."""
    small = {"epochs": 1, "batch_size": 4, "warmup_steps": 0, "validate_every": 1, "val_episodes": 3}
    small |= {"loader_threads": 1, "device": "cpu"}
    small["network"] = {"backbone": TINY_BACKBONE, "weights": "none", "hidden": 8, "guide": guide, "click_width": 8}
    if guide == "early":
        small["network"]["frozen_stride"] = 0
    small["augment"] = {"crop_width": 64, "crop_height": 48}
    small["clicks"] = {"epochs": 1, "batch_size": 4, "warmup_steps": 0, "side": 64, "val_objects": 2}
    return family.TrainParams.model_validate(small | values)


def ship_guided(folder: Path, guide: str = "late") -> None:
    """Prepared data, checkpoint and graphs in `folder`, as ingest, train and export leave them."""
    root = write_together(folder / "raw", {"train": ["a"], "val": ["b"]}, ["couch", "kite"] * 2, "aabcdef")
    ingest.run(ingest.IngestParams(dataset="guided", root=root), folder / "prepared")
    train.run(guided_params(guide), "guided", folder / "prepared", folder / "checkpoint", folder / "state", "none")
    export.run(export.ExportParams(), folder / "checkpoint", folder)
