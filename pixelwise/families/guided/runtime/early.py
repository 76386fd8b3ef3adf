"""Models by early fusion: annotations enter before the encoder, so every change of them costs a full pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pixelwise.inference.graph_session import GraphSession
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.model_folder import ModelFolder

# Labels an annotated picture itself, in one pass.
FUSED = "fused"
GRAPHS = (FUSED, "support", "query")


class EarlyModel:
    """The three graphs of a guided model by early fusion, on one provider. A task has two classes, negative first."""

    def __init__(self, folder: Path, provider: Provider = "auto") -> None:
        """Open the graphs in `folder`. Raises ModelError if it is not an export of such a model."""
        self.graphs: dict[str, GraphSession] = {
            name: open_session(ModelFolder(folder).require_graph(name), provider) for name in GRAPHS
        }

    def guide(self, support: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Return the guide (C,) of pictures (H, W, 3) and their annotations (2, H, W): their mean (thesis §4.3.1)."""
        return np.mean([self.run("support", image, annotation=annotation) for image, annotation in support], axis=0)

    def segment(self, image: np.ndarray, guide: np.ndarray) -> np.ndarray:
        """Return the logits (2, H, W) of a picture without annotations."""
        return self.run("query", image, guide=guide)

    def segment_alone(self, image: np.ndarray) -> np.ndarray:
        """Return the logits (2, H, W) of a picture without any guidance, as learned from the same episodes."""
        (length,) = self.graphs["query"].get_inputs()[1].shape[1:]
        return self.segment(image, np.zeros(length, np.float32))

    def segment_itself(self, image: np.ndarray, annotation: np.ndarray) -> np.ndarray:
        """Return the logits (2, H, W) of a picture with its own annotation (2, H, W)."""
        return self.run(FUSED, image, annotation=annotation)

    def run(self, graph: str, image: np.ndarray, **inputs: np.ndarray) -> np.ndarray:
        """Run a graph on one picture; return its only output."""
        batch = {"image": image, **inputs}
        (found,) = run_graph(self.graphs[graph], None, {name: values[None] for name, values in batch.items()})
        return np.asarray(found[0])


def is_early(folder: Path) -> bool:
    """Whether the model in `folder` is one by early fusion."""
    return ModelFolder(folder).graph(FUSED).is_file()
