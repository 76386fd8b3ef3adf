"""An open graph, whichever engine runs it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class GraphSession(Protocol):
    """An open graph: the methods of ONNX Runtime's InferenceSession that Pixelwise calls."""

    def get_inputs(self) -> Sequence[Any]:
        """The inputs that a caller must give, in order; each has a `name` and a `shape`."""

    def get_outputs(self) -> Sequence[Any]:
        """The outputs in order; each has a `name` and a `shape`."""

    def get_modelmeta(self) -> Any:
        """An object whose `custom_metadata_map` is the metadata of the file, by key."""

    def get_providers(self) -> Sequence[str]:
        """What the graph runs on, first."""

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
        """Run the graph on its inputs by name; return the outputs `names` in order."""
