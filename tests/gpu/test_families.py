"""Every family on CUDA: a training, its resumption, its export, its graphs on the CUDA provider, and its speed.

Needs torch, timm, Lightning Fabric, onnx, ONNX Runtime and a GPU; none of the pipeline's tools.
"""

import json
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning.fabric")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from support.clockwork_model import moving  # noqa: E402
from support.object_sets import write_coco_mval  # noqa: E402
from support.tiny_nets import TINY_BACKBONE  # noqa: E402

from components import benchmark, evaluate, export, quantize, train  # noqa: E402
from pixelwise.data.prepared import PreparedData  # noqa: E402
from pixelwise.export.parity import agree  # noqa: E402
from pixelwise.families import find, find_options, find_params  # noqa: E402
from pixelwise.families.clockwork.runtime.clockwork_engine import Clockwork, open_staged  # noqa: E402
from pixelwise.families.clockwork.runtime.schedules import parse_schedule  # noqa: E402
from pixelwise.families.trained import list_graphs, load_trained  # noqa: E402
from pixelwise.inference.session import open_model, open_session  # noqa: E402
from pixelwise.model_folder import ModelFolder  # noqa: E402
from pixelwise.params import merge, parse  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA"),
]
DEVICE = "cuda"
FAMILIES = ("fcn", "clockwork", "composition", "guided")
# Those that learn by the loop; a clockwork's clocks are taught in seconds, and begin again.
LOOPED = tuple(family for family in FAMILIES if family != "clockwork")
SHORT = {"epochs": 3, "batch_size": 2, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "val_episodes": 2}
SHORT |= {"pairs": 8, "steps": 20}


class KilledError(Exception):
    """Stands for a kill."""


def make_params(family, device=DEVICE, **values):
    """A short training of a tiny net; the two that start from an FCN take theirs from it."""
    kind = find_params(family).TrainParams
    own = {key: value for key, value in {**SHORT, "device": device}.items() if key in kind.model_fields}
    network = {"backbone": TINY_BACKBONE, "weights": "none"} if family != "clockwork" else {}
    return parse(kind, merge(own, {"network": network} if network else {}, values), family)


def learn(family, folder, data, start=None, **values):
    """Train `family` into `folder`; return the rows of its history."""
    params = make_params(family, **values)
    return train.run(params, family, data, folder / "checkpoint", folder / "state", "none", start=start).history


@pytest.fixture(scope="module")
def models(tiny_town, tmp_path_factory) -> dict[str, Path]:
    """The folder of each family's model, trained on CUDA."""
    root = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        learn(family, root / family, tiny_town, start_of(family, root))
    return {family: root / family for family in FAMILIES}


def start_of(family, root):
    return root / "fcn/checkpoint" if family in ("clockwork", "composition") else None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_on_cuda_begins_as_on_the_cpu(family, models, tiny_town, tmp_path):
    start = start_of(family, models["fcn"].parent)
    rows = [learn(family, tmp_path / device, tiny_town, start, device=device)[0] for device in ("cpu", DEVICE)]
    assert rows[1]["train/loss"] == pytest.approx(rows[0]["train/loss"], rel=0.05)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_keeps_full_weights_and_ends_near_full_precision(
    family, precision, models, tiny_town, tmp_path
):
    start = start_of(family, models["fcn"].parent)
    full, mixed = (
        learn(family, tmp_path / kind, tiny_town, start, precision=kind)[-1] for kind in ("32-true", precision)
    )
    assert mixed["train/loss"] == pytest.approx(full["train/loss"], rel=0.2)
    _, net = load_trained(tmp_path / precision / "checkpoint")
    assert all(value.dtype == torch.float32 and value.isfinite().all() for value in net.parameters())


@pytest.mark.parametrize("family", LOOPED)
def test_a_training_on_cuda_killed_and_resumed_goes_on_where_it_was(family, models, tiny_town, tmp_path):
    params, kind, data = make_params(family), find(family), PreparedData(tiny_town)

    def fit(state, record):
        torch.manual_seed(0)
        return kind.fit(kind.build(params.network, len(data.classes)), data, params, state, record)

    def die(row, epoch):
        if epoch == 2:
            raise KilledError

    whole = fit(tmp_path / "whole", lambda row, epoch: None)
    with pytest.raises(KilledError):
        fit(tmp_path / "killed", die)
    epochs = []
    resumed = fit(tmp_path / "killed", lambda row, epoch: epochs.append(epoch))
    assert epochs == [2, 3]
    # The order of sums on a GPU is not fixed, so the curves agree closely, not to the bit.
    assert [row["train/loss"] for row in resumed] == pytest.approx([row["train/loss"] for row in whole], rel=0.05)


@pytest.fixture(scope="module")
def shipped(models) -> dict[str, Path]:
    """The same, exported."""
    for model in models.values():
        assert export.run(export.ExportParams(), model / "checkpoint", model).parity >= 0.999
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has no CUDA provider")
    return models


@pytest.mark.parametrize("family", FAMILIES)
def test_every_graph_computes_alike_on_the_cuda_provider(family, shipped):
    model = shipped[family]
    described, net = load_trained(model / "checkpoint")
    for graph in list_graphs(described, net):
        sessions = [open_session(ModelFolder(model).graph(graph.name), provider) for provider in ("cpu", DEVICE)]
        given = {name: values.numpy() for name, values in graph.example(1, 97, 131).items()}
        expected, found = (session.run(list(graph.outputs), given) for session in sessions)
        # Convolutions on a GPU round otherwise.
        close = [is_close(ours, theirs) for ours, theirs in zip(found, expected, strict=True)]
        assert min(close) >= 0.99, graph.name


def is_close(found, expected):
    """The share of values that agree; floats to a hundredth of their spread."""
    if not np.issubdtype(expected.dtype, np.floating):
        return agree(found, expected)
    return float((np.abs(found - expected) <= 0.01 * expected.std() + 1e-4).mean())


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluate_and_benchmark_run_on_the_cuda_provider(family, shipped, tiny_town, tmp_path):
    kind = find_options(family).EvaluateParams
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 3)
    data = {"dataset": "coco_mval", "root": root} if family == "guided" else {"data": tiny_town}
    scores = []
    for provider in ("cpu", DEVICE):
        chosen = {"provider": provider, "schedule": "carry:2", "tasks": 4}
        params = kind(**{key: value for key, value in chosen.items() if key in kind.model_fields})
        evaluate.run(params, shipped[family], out=tmp_path / provider, **data)
        metrics = json.loads((tmp_path / provider / "metrics.json").read_text())
        scores.append(metrics["positive_iu" if family == "guided" else "mean_iu"])
    assert scores[1] == pytest.approx(scores[0], abs=0.02)
    timing = benchmark.BenchmarkParams(device=DEVICE, width=64, height=48, batch_size=2, warmup=1, repeats=3)
    print(benchmark.run(timing, shipped[family], tmp_path / "benchmark", tiny_town))


def test_what_a_stage_computes_stays_in_the_memory_of_the_gpu(shipped):
    on_cpu, on_cuda = (open_staged(shipped["clockwork"], provider) for provider in ("cpu", DEVICE))
    schedule = parse_schedule("mend:2", len(on_cuda.stages))
    one, other = Clockwork(on_cpu, schedule), Clockwork(on_cuda, schedule)
    for frame in moving(4):
        assert (one.step(frame).prediction == other.step(frame).prediction).mean() >= 0.99
        assert {value.device_name().lower() for state in other.states for value in state.values()} == {DEVICE}


@pytest.mark.parametrize("family", ["fcn", "composition"])
def test_a_float16_graph_is_judged_on_the_cuda_provider(family, shipped, tiny_town, tmp_path):
    params = quantize.QuantizeParams(precision="float16", max_loss=0.02, min_speedup=0)
    found = quantize.run(params, shipped[family], tiny_town, tmp_path)
    print(found)
    assert found.reasons == []
    small, whole = (open_model(model, DEVICE) for model in (tmp_path, shipped[family]))
    assert small.provider == "CUDAExecutionProvider"
    pictures = np.stack(moving(3, size=(97, 131)))
    assert (small.predict(pictures) == whole.predict(pictures)).mean() >= 0.99


@pytest.mark.parametrize("family", LOOPED)
def test_cuda_learns_faster_than_the_cpu(family, tiny_town):
    """On the default backbone and views of the defaults' size: the pictures a second of both are printed."""
    network = {"network": {"backbone": "efficientnet_lite0", "weights": "none"}}
    kind, data = find(family), PreparedData(tiny_town)
    params = make_params(family, batch_size=8, **network)
    task = kind.make_task(data, params)
    samples = [task.sample(0, 0, index % len(task)) for index in range(8)]
    batch = {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}
    rates = {}
    for device in ("cpu", DEVICE):
        net = kind.build(params.network, len(data.classes)).train().to(device)
        given, seconds = {name: values.to(device) for name, values in batch.items()}, []
        for _ in range(5):
            began = perf_counter()
            task.loss(net, given).backward()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(perf_counter() - began)
        rates[device] = len(samples) / median(seconds)
    print(f"{family}: {rates['cpu']:.1f} pictures a second on the CPU, {rates[DEVICE]:.1f} on {DEVICE}")
    assert rates[DEVICE] >= rates["cpu"]
