"""What a family exports: one ONNX graph, with the sizes at which it is traced and compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Graph:
    """One ONNX graph to export: a module with its pre- and post-processing inside.

    example: makes the inputs for a picture size (N, H, W): name -> tensor, states of a stage included. dynamic: input
    name -> {axis: symbol} for the axes that vary; the symbol is None where the length follows from the picture's.
    traced: the size at which the graph is exported. probes: sizes at which it is compared with torch, all different
    from that one, since a wrong export is right there. facts: what the file's metadata says beyond the model's own.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int, int], Mapping[str, Tensor]]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str | None]]
    traced: Size
    probes: Sequence[Size]
    facts: Mapping[str, str] = field(default_factory=dict)
