"""The description of one ONNX graph to export, with the sizes at which it is traced and compared with torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor, nn

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Graph:
    """One ONNX graph to export: a module with its pre- and post-processing inside.

    example: makes the inputs for a picture size (N, H, W): name -> tensor, including the states of a stage.
    dynamic: input name -> {axis: symbol} for the axes that vary; the symbol is None if the length follows from the
    picture size. traced: the size at which the graph is exported. probes: sizes at which it is compared with torch;
    none equals `traced`, since a wrong export still agrees there. facts: metadata of the file beside the model's own.
    optional: the outputs that ONNX Runtime computes only where the input `with_NAME` is true; they come last.
    wiring: for a graph made of other graphs, which then is not traced: each input of those, as `graph.input`, and each
    output of this graph, with its source, an input of this graph or another `graph.output`.
    """

    name: str
    module: nn.Module
    example: Callable[[int, int, int], Mapping[str, Tensor]]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str | None]]
    traced: Size
    probes: Sequence[Size]
    facts: Mapping[str, str] = field(default_factory=dict)
    wiring: Mapping[str, str] = field(default_factory=dict)
    optional: Sequence[str] = ()

    @cached_property
    def inputs(self) -> Mapping[str, Tensor]:
        """The inputs at the traced size."""
        return self.example(*self.traced)
