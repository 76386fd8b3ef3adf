"""Files that would run code as they are opened, or are cut, in each place where weights or arrays are read."""

import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwise.errors import PixelwiseError
from pixelwise.families.fcn.classifiers import read_torchvision_state
from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.inference.session import open_model
from pixelwise.registry.evidence import read_evidence
from pixelwise.training.checkpoints import load_tensors


class Trap:
    """Leaves `mark` behind when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def bare(file, trap):
    file.write_bytes(pickle.dumps(trap))


def of_torch(file, trap):
    torch.save({"weight": trap}, file)


def of_numpy(file, trap):
    with file.open("wb") as opened:
        np.savez(opened, **dict.fromkeys(("ids", "counts", "facts", "mean", "0.name"), np.array([trap], dtype=object)))


def evidence(file):
    for name in ("metrics.json", "export.json"):
        (file.parent / name).write_text("{}")
    file.rename(file.parent / "measurements.npz")
    return read_evidence(file.parent)


READERS = {
    "weights": load_tensors,
    "published weights": lambda file: read_torchvision_state("alexnet", str(file)),
    "graph": partial(open_model, provider="cpu"),
    "guidance": partial(Guidance.load, fingerprint="f"),
    "evidence": evidence,
}


@pytest.mark.parametrize("write", [bare, of_torch, of_numpy])
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_is_refused_in_one_line_and_runs_nothing(reader, write, tmp_path):
    mark = tmp_path / "mark"
    write(tmp_path / "given", Trap(mark))
    with pytest.raises(PixelwiseError) as raised:
        READERS[reader](tmp_path / "given")
    assert "\n" not in str(raised.value)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"], ids=["empty", "cut archive", "cut array"])
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_cut_is_refused_in_one_line(reader, content, tmp_path):
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(PixelwiseError) as raised:
        READERS[reader](tmp_path / "given")
    assert "\n" not in str(raised.value)


def test_the_trap_is_one(tmp_path):
    bare(tmp_path / "given", Trap(tmp_path / "mark"))
    pickle.loads((tmp_path / "given").read_bytes())
    assert (tmp_path / "mark").exists()
