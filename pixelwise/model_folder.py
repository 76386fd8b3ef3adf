"""The name and path of every file of a model, for the code that writes and reads these files."""

from pathlib import Path

from pixelwise.errors import ModelError

# The files that `pixelwise train` writes.
WEIGHTS_FILE, MODEL_FILE, HISTORY_FILE, RUN_FILE = "weights.safetensors", "model.json", "history.json", "run.json"
# The graph that labels images by itself. A guided model has none of this name.
GRAPH = "model"
# The graph of a clockwork's whole net up to its scores, before they are decoded to labels.
UNDECODED = "scores"


class ModelFolder:
    """The folder `root` of one model, such as models/fcn, or of one version of it in the registry."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # The trained net, its loss curve and the run that made it.
        self.checkpoint = root / "checkpoint"
        self.history = self.checkpoint / HISTORY_FILE
        self.run = self.checkpoint / RUN_FILE
        # The exported graphs NAME.onnx, and the report of the export.
        self.onnx = root / "onnx"
        self.export = root / "export.json"
        # The schedule values that `pixelwise calibrate --keep` found for a clockwork.
        self.schedules = root / "schedules.json"
        # The time and the labels of each engine on the machine where `pixelwise benchmark --engines` ran.
        self.engines = root / "engines.json"
        # The graphs of lower precision: model folders of their own, with quantization.json instead of export.json.
        self.int8, self.float16 = root / "int8", root / "float16"
        self.quantization = root / "quantization.json"

    @classmethod
    def around(cls, graph: Path) -> "ModelFolder":
        """The model folder of the file `graph`."""
        return cls(graph.parent.parent if graph.parent.name == "onnx" else graph.parent)

    def graph(self, name: str = GRAPH) -> Path:
        """The path of the exported graph `name`."""
        return self.onnx / f"{name}.onnx"

    def graphs(self) -> list[Path]:
        """The paths of the exported graphs, sorted by name."""
        return sorted(self.onnx.glob("*.onnx"))

    def require_graph(self, name: str = GRAPH) -> Path:
        """The path of graph `name`. Raises ModelError if it is missing or an earlier version exported the folder."""
        file = self.graph(name)
        if not file.is_file():
            self.require_layout()
            raise ModelError(f"{file}: no such file, expected what `pixelwise export` writes")
        return file

    def require_layout(self) -> None:
        """Raise ModelError if an earlier version exported the folder, which put graphs at its root."""
        if not self.onnx.is_dir() and (found := sorted(self.root.glob("*.onnx"))):
            raise ModelError(f"{found[0]}: found a graph here, expected it in {self.onnx}; export it again")
