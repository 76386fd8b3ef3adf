"""I/O binding: what one graph computes on a GPU stays in its memory for the next one, instead of two copies."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
import onnxruntime as ort

from pixelwise.inference.graph_session import GraphSession

# An array, or a value in the memory of the device on which a graph computed it.
Value: TypeAlias = np.ndarray | ort.OrtValue
# Execution provider -> the device in whose memory values stay. On a CPU, an array is where the next graph takes it.
DEVICES = {"CUDAExecutionProvider": "cuda"}


def run_bound(session: GraphSession, outputs: Sequence[str], feeds: Mapping[str, Value], stays: bool) -> list[Value]:
    """Run a graph on its inputs by name; return its `outputs` in order.

    stays: leave them in the memory of the device, where the provider has one of its own.
    """
    device = DEVICES.get(session.get_providers()[0])
    is_given = any(isinstance(value, ort.OrtValue) for value in feeds.values())
    if device is None or not (stays or is_given):
        # A binding knows no optional input, such as `with_confidence`.
        found: list[Value] = session.run(list(outputs), dict(feeds))
        return found
    bound = cast(ort.InferenceSession, session)
    binding = bound.io_binding()
    for name, value in feeds.items():
        if isinstance(value, ort.OrtValue):
            binding.bind_ortvalue_input(name, value)
        else:
            binding.bind_cpu_input(name, np.asarray(value, order="C"))
    for name in outputs:
        binding.bind_output(name, device if stays else "cpu")
    bound.run_with_iobinding(binding)
    return list(binding.get_outputs() if stays else binding.copy_outputs_to_cpu())


def fetch(value: Value) -> np.ndarray:
    """The array of a value, copied from the device's memory if it is there."""
    return np.asarray(value.numpy() if isinstance(value, ort.OrtValue) else value)


def read_shape(value: Value) -> tuple[int, ...]:
    """The shape of a value."""
    return tuple(value.shape() if isinstance(value, ort.OrtValue) else value.shape)
