"""Pixelwise: a label for every pixel. The library behind the pipeline's steps, and its public names.

    from pathlib import Path

    import pixelwise

    model = pixelwise.open_model(Path("models/fcn"))

Each name is imported from its module on first use. So `import pixelwise` is fast, and opening an exported model needs
no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.data.given import read_picture as read_picture
    from pixelwise.data.prepared import PreparedData as PreparedData
    from pixelwise.data.readers import read_dataset as read_dataset
    from pixelwise.errors import PixelwiseError as PixelwiseError
    from pixelwise.families.clockwork.runtime.engines import open_video_model as open_video_model
    from pixelwise.families.guided.runtime.guided_model import GuidedModel as GuidedModel
    from pixelwise.families.guided.runtime.model import open_guided as open_guided
    from pixelwise.families.guided.runtime.session import GuidedSession as GuidedSession
    from pixelwise.inference.session import open_model as open_model
    from pixelwise.metrics.confusion import ConfusionMatrix as ConfusionMatrix
    from pixelwise.reporting.label_images import overlay as overlay

# Public name -> its module.
MODULES = {
    "ConfusionMatrix": "pixelwise.metrics.confusion",
    "GuidedModel": "pixelwise.families.guided.runtime.guided_model",
    "GuidedSession": "pixelwise.families.guided.runtime.session",
    "PixelwiseError": "pixelwise.errors",
    "PreparedData": "pixelwise.data.prepared",
    "open_guided": "pixelwise.families.guided.runtime.model",
    "open_model": "pixelwise.inference.session",
    "open_video_model": "pixelwise.families.clockwork.runtime.engines",
    "overlay": "pixelwise.reporting.label_images",
    "read_dataset": "pixelwise.data.readers",
    "read_picture": "pixelwise.data.given",
}
__all__ = list(MODULES)


def __getattr__(name: str) -> Any:
    """Import the public `name` on first access (PEP 562)."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)


def __dir__() -> list[str]:
    """All names of the module, including public names that are not imported yet."""
    return sorted({*globals(), *MODULES})
