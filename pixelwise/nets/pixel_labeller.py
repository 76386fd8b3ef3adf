"""The exported form of a net: images and depth maps as stored in files go in, label maps and confidence come out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def encode_depth(depth: Tensor) -> Tensor:
    """Depth (N, H, W) in centimetres as an input channel (N, 1, H, W): log of its millimetres, less the mean that the
    published net takes off NYUDv2's (notes on thesis §2.4). 0, which is unknown, becomes that mean.
    """
    known = depth > 0
    return torch.where(known, (10.0 * depth.float()).clamp_min(1.0).log() - 7.844, 0.0).unsqueeze(1)


class PixelLabeller(nn.Module):
    """A net with its pre- and post-processing, for export: images in, labels out.

    inputs: names of the inputs, in order: image (N, H, W, 3) uint8 RGB, depth (N, H, W) centimetres, hha (N, H, W, 3)
    uint8. heads: name -> number of classes, in the order of the logits' channels. Returns a label map (N, H, W) uint8
    for each head and, with a `temperature`, the confidence of the first head's labels last.
    """

    def __init__(
        self,
        net: nn.Module,
        inputs: Sequence[str] = ("image",),
        heads: Mapping[str, int] | None = None,
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.net, self.inputs, self.temperature = net, tuple(inputs), temperature
        self.sizes = list(heads.values()) if heads else []

    def forward(self, first: Tensor, second: Tensor | None = None) -> tuple[Tensor, ...] | Tensor:
        """The most probable class of every pixel, and its probability."""
        images = [first] if second is None else [first, second]
        logits = self.net(assemble_input(dict(zip(self.inputs, images, strict=True))))
        by_head = logits.split(self.sizes, dim=1) if len(self.sizes) > 1 else (logits,)
        outputs = tuple(scores.argmax(dim=1).to(torch.uint8) for scores in by_head)
        if self.temperature is not None:
            outputs += (compute_confidence(by_head[0], self.temperature),)
        return outputs if len(outputs) > 1 else outputs[0]


def compute_confidence(logits: Tensor, temperature: float) -> Tensor:
    """The probability of the most probable class: the maximum over K of softmax(logits / temperature).

    logits: (N, K, H, W). Returns (N, H, W) float32 in (0, 1].
    """
    # The largest term of the softmax's sum is exp(0). ONNX Runtime's Softmax over channels would transpose them twice.
    differences = (logits - logits.amax(dim=1, keepdim=True)) / temperature
    return differences.exp().sum(dim=1).reciprocal()


def assemble_input(images: Mapping[str, Tensor]) -> Tensor:
    """A net's input, (N, C, H, W) float in channels-last memory, from images and depth maps by name.

    A permuted image is channels-last already, so that a single input needs no copy beyond the conversion to float.
    """
    planes = [encode_depth(x) if name == "depth" else x.permute(0, 3, 1, 2).float() for name, x in images.items()]
    return planes[0] if len(planes) == 1 else torch.cat(planes, dim=1)
