"""A model whose prediction is known, and a data set to go with it: the class of a pixel is its strongest channel."""

import json
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper
from PIL import Image

from pixelwise.export.optional_output import make_optional
from pixelwise.reporting.label_images import Palette
from support.image_sets import save

NAMES = ("red", "green", "blue")
PALETTE = ((230, 60, 50), (60, 170, 80), (50, 90, 220))
WRONG_SHARE = 0.2


def write_channel_model(
    folder: Path,
    names: tuple[str, ...] = NAMES,
    palette: Palette = PALETTE,
    family: str = "fcn",
    fingerprint: str = "f" * 64,
    confidence: bool = False,
    operator: str = "ArgMax",
) -> Path:
    """A model folder: image (N, H, W, 3) -> index of the strongest channel (N, H, W), the first where equal.

    operator: ArgMin makes it the weakest.

    confidence: the model also gives the strongest channel / 255 as the confidence; without, it is as older exports are.
    """
    nodes = [
        # The operator takes no uint8 in every build of ONNX Runtime.
        helper.make_node("Cast", ["image"], ["channels"], to=TensorProto.FLOAT),
        helper.make_node(operator, ["channels"], ["index"], axis=3, keepdims=0),
        helper.make_node("Cast", ["index"], ["prediction"], to=TensorProto.UINT8),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    prediction = helper.make_tensor_value_info("prediction", TensorProto.UINT8, ["N", "H", "W"])
    graph = helper.make_graph(nodes, "channels", [image], [prediction])
    if confidence:
        add_confidence(graph)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {
        "classes": json.dumps(names),
        "palette": json.dumps(palette),
        "family": family,
        "fingerprint": fingerprint,
    }
    helper.set_model_props(model, metadata)
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "onnx/model.onnx")
    return folder


def add_confidence(graph: onnx.GraphProto) -> None:
    """Give the graph its optional output."""
    graph.node.append(helper.make_node("ReduceMax", ["channels", "axes"], ["strongest"], keepdims=0))
    graph.node.append(helper.make_node("Div", ["strongest", "white"], ["confidence"]))
    graph.initializer.append(helper.make_tensor("axes", TensorProto.INT64, [1], [3]))
    graph.initializer.append(helper.make_tensor("white", TensorProto.FLOAT, [], [255]))
    graph.output.append(helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["N", "H", "W"]))
    make_optional(graph, "confidence")


def channel_picture(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W, 3) of coloured blocks and the class (H, W) of every pixel."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, len(NAMES), (size[0] // 4 + 1, size[1] // 4 + 1), dtype=np.uint8)
    label = blocks.repeat(4, axis=0).repeat(4, axis=1)[: size[0], : size[1]]
    image = rng.integers(0, 90, (*size, 3), dtype=np.uint8)
    image[label[..., None] == np.arange(3)] = 200
    return image, label


def write_channel_data(root: Path, sizes: list[tuple[int, int]], split: str = "val") -> Path:
    """The plain folder layout: picture i of `sizes[i]`; a fifth of the truth is another class,
    and the last row is void.
    """
    root.mkdir(parents=True, exist_ok=True)
    described = {"names": list(NAMES), "colours": [list(colour) for colour in PALETTE]}
    (root / "classes.yaml").write_text(yaml.safe_dump(described))
    for seed, size in enumerate(sizes):
        image, label = channel_picture(seed, size)
        wrong = np.random.default_rng(100 + seed).random(size) < WRONG_SHARE
        label = np.where(wrong, (label + 1) % 3, label).astype(np.uint8)
        label[-1] = 255
        save(Image.fromarray(image), root / split / "images" / f"{seed}.png")
        save(Image.fromarray(label), root / split / "masks" / f"{seed}.png")
    return root
