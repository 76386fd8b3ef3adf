"""The description of one ONNX graph to export, with the sizes at which it is traced and compared with torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Graph:
    """One ONNX graph to export: a module with its pre- and post-processing inside.

    example: makes the inputs for a picture size (N, H, W): name -> tensor, including the states of a stage.
    dynamic: input name -> {axis: symbol} for the axes that vary; the symbol is None if the length follows from the
    picture size. traced: the size at which the graph is exported. probes: sizes at which it is compared with torch;
    none equals `traced`, since a wrong export still agrees there. facts: metadata of the file beside the model's own.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int, int], Mapping[str, Tensor]]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str | None]]
    traced: Size
    probes: Sequence[Size]
    facts: Mapping[str, str] = field(default_factory=dict)
