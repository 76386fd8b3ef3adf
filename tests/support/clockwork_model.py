"""A small clockwork of random weights, exported: its labels mean nothing, and every identity holds for them."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from components.export import ExportParams
from pixelwise.export.graph_file import write_graph
from pixelwise.families.clockwork import family as clockwork
from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.fcn import family as fcn
from pixelwise.families.fcn.net import FCN

CLASSES = ("road", "car", "sky")
PALETTE = ((128, 64, 128), (64, 0, 128), (128, 128, 128))


def random_clockwork(seed: int = 0) -> Clockwork:
    """A clockwork whose labels depend on every stage."""
    torch.manual_seed(seed)
    net = fcn.build(fcn.NetworkParams(weights="none"), len(CLASSES)).eval()
    assert isinstance(net, FCN)
    for score in net.fusion.score:
        # Drawn so that no stream drowns the others: untrained layers shrink what they pass on.
        torch.nn.init.normal_(score.weight)
    images = torch.from_numpy(np.stack([picture(n) for n in range(2)])).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        for place, features in enumerate(net.backbone(images)[::-1]):
            scores = net.fusion.score[place](features)
            net.fusion.score[place].weight.div_(scores.std(dim=(0, 2, 3)).view(-1, 1, 1, 1))
            net.fusion.score[place].bias.copy_(-net.fusion.score[place](features).mean(dim=(0, 2, 3)))
    return Clockwork(net, (8, 16)).eval()


def write_clockwork(folder: Path, net: Clockwork) -> Path:
    """The graphs of `net` as export writes them, without the comparison with torch."""
    facts = {"family": "clockwork", "fingerprint": "c" * 64, "data": "d" * 64}
    facts |= {"classes": json.dumps(CLASSES), "palette": json.dumps(PALETTE)}
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    params = clockwork.NetworkParams(fcn=fcn.NetworkParams(weights="none"), trained="f" * 64)
    for graph in clockwork.graphs(net, params, len(CLASSES)):
        write_graph(graph, facts, ExportParams().opset, folder / f"onnx/{graph.name}.onnx")
    return folder


def picture(seed: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A picture (H, W, 3) of seeded coloured blocks with texture."""
    rng = np.random.default_rng(seed)
    height, width = size
    blocks = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3)).repeat(16, axis=0).repeat(16, axis=1)
    return np.clip(blocks[:height, :width] + rng.integers(-20, 21, (*size, 3)), 0, 255).astype(np.uint8)


def moving(frames: int, step: int = 3, seed: int = 7, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """A video of a window that moves to the right over a picture, `step` pixels a frame."""
    height, width = size
    scene = picture(seed, (height, width + step * frames))
    return [np.ascontiguousarray(scene[:, step * frame : step * frame + width]) for frame in range(frames)]


def encode(path: Path, pictures: list[np.ndarray], rate: int = 12, lost: tuple[int, ...] = ()) -> Path:
    """A video of `pictures`; those of the numbers `lost` leave a gap in time."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if number not in lost:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, rate)
                writer.mux(stream.encode(frame))
        writer.mux(stream.encode())
    return path
