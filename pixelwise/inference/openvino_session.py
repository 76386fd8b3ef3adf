"""Run a graph on OpenVINO, which computes in bfloat16 where the processor does, and else in float32."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from pixelwise.errors import ProviderError
from pixelwise.inference.metadata import read_metadata

# An output NAME with an input SWITCH + NAME is computed where that is true (pixelwise/export/optional_output.py).
SWITCH = "with_"


class Described(NamedTuple):
    """An input or output of a graph. shape: None for a length that varies."""

    name: str
    shape: tuple[int | None, ...]


class OpenVINOSession:
    """A graph on OpenVINO, on the CPU. It is a `GraphSession`; several threads may run it.

    precision: that of the computation: bf16, or f32.
    """

    def __init__(self, file: Path, threads: int | None = None, keeps_memory: bool = True) -> None:
        """Compile the graph in `file`; arguments as for `open_session`.

        Raises ProviderError where OpenVINO is not installed, RuntimeError where it cannot compile the graph.
        """
        self.core, self.keeps_memory, self.metadata = open_core(), keeps_memory, read_metadata(file)
        self.precision = choose_precision(self.core)
        # Pinned threads of several graphs or processes would share one core while others idle.
        self.settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self.precision, "ENABLE_CPU_PINNING": False}
        if threads is not None:
            self.settings["INFERENCE_NUM_THREADS"] = threads
        self.model = self.core.read_model(file)
        self.inputs, self.outputs = (
            [describe(port) for port in ports] for ports in (self.model.inputs, self.model.outputs)
        )
        constants = {node.get_friendly_name() for node in self.model.get_ops() if node.get_type_name() == "Constant"}
        self.optional = {output.name for output in self.outputs if SWITCH + output.name in constants}
        self.switches = {SWITCH + name for name in self.optional}
        self.lock = Lock()
        self.plain = self.compile(is_whole=False)

    def get_inputs(self) -> Sequence[Described]:
        """The inputs in order, without the switches of optional outputs."""
        return self.inputs

    def get_outputs(self) -> Sequence[Described]:
        """The outputs in order, with the optional ones."""
        return self.outputs

    def get_modelmeta(self) -> SimpleNamespace:
        """The metadata of the file."""
        return SimpleNamespace(custom_metadata_map=self.metadata)

    def get_providers(self) -> Sequence[str]:
        """The engine and the precision in which it computes."""
        return [f"OpenVINO {self.precision}"]

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> list[np.ndarray]:
        """Run the graph on its inputs by name; return the outputs `names` in order."""
        compiled = self.plain if self.optional.isdisjoint(names) else self.whole
        given = {name: value for name, value in feeds.items() if name not in self.switches}
        # Memory is released between runs alone.
        with self.lock:
            found = compiled.create_infer_request().infer(given)
            if not self.keeps_memory:
                compiled.release_memory()
        return [found[name] for name in names]

    @cached_property
    def whole(self) -> Any:
        """The graph with its optional outputs, compiled when they are first asked for."""
        return self.compile(is_whole=True)

    def compile(self, is_whole: bool) -> Any:
        """Compile the graph, with its optional outputs where it `is_whole`.

        OpenVINO cannot choose while a graph runs: both branches of an `If` must have the same rank there.
        """
        from openvino import opset13

        model = self.model.clone()
        if is_whole:
            for node in model.get_ops():
                if node.get_friendly_name() in self.switches:
                    node.output(0).replace(opset13.constant(True).output(0))
        else:
            for result in model.get_results():
                if self.optional & result.input_value(0).get_names():
                    model.remove_result(result)
        model.validate_nodes_and_infer_types()
        return self.core.compile_model(model, "CPU", self.settings)


@cache
def open_core() -> Any:
    """The core of OpenVINO. Raises ProviderError where it is not installed."""
    # Importing OpenVINO would report the import to Google Analytics; without this module it takes a stub of its own.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        reason = "openvino is not installed, expected the extra pixelwise[openvino]"
        raise ProviderError(f"provider openvino: {reason}") from None
    return openvino.Core()


def choose_precision(core: Any) -> str:
    """The precision to compute in: bf16 (bfloat16) where the processor has it, else f32 (float32)."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def describe(port: Any) -> Described:
    """Describe an input or output of a graph."""
    shape = tuple(None if length.is_dynamic else length.get_length() for length in port.get_partial_shape())
    return Described(port.get_any_name(), shape)
