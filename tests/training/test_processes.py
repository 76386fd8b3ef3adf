"""Several processes learn what one does on the same batches; each starts Python and torch, so these are slow."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.regressions import Dozen, train_plainly

from pixelwise.training.checkpoints import load_tensors

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
SCRIPT = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
import torch
from pixelwise.training.checkpoints import save_tensors
from support.regressions import Dozen, train_plainly
kind, batch_size, accumulate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shared = {{"devices": 2, "strategy": "ddp", "batch_size": batch_size, "accumulate": accumulate}}
net, _ = train_plainly(Path("state"), Dozen(is_summed=kind == "sum"), **shared)
save_tensors(Path(f"{{torch.distributed.get_rank()}}.safetensors"), net.state_dict())
"""


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 1), (1, 2)])
@pytest.mark.parametrize("kind", ["sum", "mean"])
def test_two_processes_learn_what_one_does_on_the_same_four_samples(tmp_path, kind, batch_size, accumulate):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    launcher = [Path(sys.executable).with_name("fabric"), "run", "--accelerator=cpu", "--devices=2", "--strategy=ddp"]
    command = [*map(str, launcher), str(script), kind, str(batch_size), str(accumulate)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    one, _ = train_plainly(tmp_path / "one", Dozen(is_summed=kind == "sum"), batch_size=4)
    for rank in (0, 1):
        tensors, _ = load_tensors(tmp_path / f"{rank}.safetensors")
        for name, value in one.state_dict().items():
            assert (tensors[name] - value).abs().max() <= 1e-6, (rank, name)
