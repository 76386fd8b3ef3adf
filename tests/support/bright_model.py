"""A tiny exported model with its evidence, in the files that the steps before register write."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from pixelwise.metrics.measurement import MEASUREMENTS, Measurement, write_measurements

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 120, 250), (90, 90, 90), (200, 20, 20))


def write_onnx(path: Path, threshold: int, family: str = "fcn", fingerprint: str = "") -> None:
    """A graph from image (N, H, W, 3) to prediction (N, H, W) uint8: 1 where the brightest channel is > `threshold`."""
    nodes = [
        helper.make_node("ReduceMax", ["image", "axes"], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "threshold"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["prediction"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [helper.make_tensor_value_info("prediction", TensorProto.UINT8, ["batch", "height", "width"])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [3]),
            helper.make_tensor("threshold", TensorProto.UINT8, [], [threshold]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    described = {"classes": json.dumps(CLASSES), "palette": json.dumps(PALETTE)}
    helper.set_model_props(model, described | {"family": family, "fingerprint": fingerprint})
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def image_counts(accuracy: float, images: int = 12, seed: int = 0) -> np.ndarray:
    """Confusion matrices (M, K, K) of images whose truth depends on `seed` alone and of which `accuracy` is right."""
    truth = np.random.default_rng(seed).integers(500, 1500, (images, len(CLASSES)))
    wrong = np.round(truth * (1 - accuracy)).astype(np.int64)
    counts = np.zeros((images, len(CLASSES), len(CLASSES)), np.int64)
    for k in range(len(CLASSES)):
        counts[:, k, k] = truth[:, k] - wrong[:, k]
        counts[:, k, (k + 1) % len(CLASSES)] = wrong[:, k]
    return counts


def write_model(
    folder: Path, accuracy: float = 0.9, threshold: int = 100, run_id: str | None = None
) -> dict[str, Path]:
    """Files of one exported, evaluated and benchmarked model; the arguments of `register.run` that name them."""
    model, evaluation, benchmark = folder / "model", folder / "evaluate", folder / "benchmark"
    fingerprint = f"mark-{threshold}"
    write_onnx(model / "onnx/model.onnx", threshold, fingerprint=fingerprint)
    sha256 = hashlib.sha256((model / "onnx/model.onnx").read_bytes()).hexdigest()
    write(model / "export.json", {"parity": 0.9999, "fingerprint": fingerprint})
    run = {"run_id": run_id, "fingerprint": fingerprint, "experiment": "fcn", "parts": {"data": "d1"}}
    write(model / "checkpoint" / "run.json", run)
    write_evaluation(evaluation, sha256, accuracy)
    write(benchmark / "benchmark.json", {"onnx_median_milliseconds": 12.0})
    return {"model": model, "evaluation": evaluation, "benchmark": benchmark}


def write_evaluation(folder: Path, sha256: str, accuracy: float, **facts: Any) -> None:
    """The scores of the model with this hash, as `evaluate` writes them."""
    write(folder / "metrics.json", {"dataset": "town", "split": "val", "model_sha256": sha256, **facts})
    counts = image_counts(accuracy)
    ids = tuple(f"{i:02}" for i in range(len(counts)))
    write_measurements(folder / MEASUREMENTS, [Measurement("mean IU", "image", ids, counts, "mean IU", CLASSES)])


def write(path: Path, value: Any) -> None:
    """Write JSON, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
