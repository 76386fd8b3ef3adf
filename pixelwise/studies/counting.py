"""The pixel counts of a trained net by picture, cached beside its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pixelwise.documents import read_json
from pixelwise.files import write_json
from pixelwise.metrics.confusion import count_pixels
from pixelwise.metrics.tallies import Tallies, tally
from pixelwise.progress import progress
from pixelwise.studies.records import Units
from pixelwise.studies.units import pack_tallies


def read_or_count(file: Path, net: nn.Module, task: Any) -> dict[str, Units]:
    """Read the counts in `file`; where it is missing, count the pictures of the validation split and write it."""
    if not file.is_file():
        units = {name: pack_tallies("picture", tallies) for name, tallies in count_pictures(net, task).items()}
        write_json(file, {name: one.model_dump(mode="json") for name, one in units.items()})
    found: dict[str, Units] = read_json(file, "units by name; delete the file to count again", dict[str, Units])
    return found


@torch.inference_mode()
def count_pictures(net: nn.Module, task: Any) -> Mapping[str, Tallies]:
    """Count the pixels of every picture, (M, 3, K): the labels, their foreground alone, and a further head.

    task: a StillImageTask.
    """
    by_head: dict[str, list[Tallies]] = {name: [] for name in task.heads}
    for index in progress(range(len(task.val)), "count"):
        maps = task.read_maps(task.val, index)
        for name, logits in task.compute_logits(net, maps).items():
            prediction = logits.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
            head = task.heads[name]
            by_head[name].append(tally(count_pixels(maps[head.map], prediction, head.classes)))
    counted = {"labels" if name == "semantic" else name: np.stack(tallies) for name, tallies in by_head.items()}
    if "labels" in counted:
        counted["foreground"] = counted["labels"][:, :, task.foreground]
    return counted
