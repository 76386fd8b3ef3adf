"""Label one picture by what a request says about it and its support."""

from dataclasses import dataclass

import numpy as np

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.model import COLOURS, GuidedPredictor
from pixelwise.families.guided.runtime.named_clicks import annotate, name_classes
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.service.forms import Task

# More classes need memory for scores that a request should not take.
MOST_CLASSES = 32


@dataclass(frozen=True)
class Guide:
    """A served guided model. It has no classes of its own: a request defines them."""

    model: GuidedModel
    names: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """What the graphs run on."""
        return self.model.provider


def label_task(model: GuidedModel, task: Task) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the label (H, W) uint8 of the task's picture, and the names of its classes.

    A picture with annotations of its own is labelled as in a session, another as `pixelwise predict --guidance` does.
    Raises DataError without any annotation, or if one does not fit its picture.
    """
    session = GuidedSession(model, name_classes(task.clicks, task.masks))
    if task.guidance is not None:
        load_guidance(session, task.guidance, is_alone=not (task.clicks or task.masks))
    require_few_classes(session.names)
    if (task.clicks or task.masks) and len(session.names) == 1:
        raise DataError(f"annotations: found {session.names[0]} alone, expected an object on at least one picture")
    numbers = {}
    for name, clicks, mask in task.list_annotated():
        numbers[name] = session.add_picture(task.images[name])
        try:
            annotate(session, numbers[name], clicks, mask)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
    if task.name in numbers:
        return session.segment(numbers[task.name]), session.names
    guided = GuidedPredictor(model, session.guidance(), session.names)
    return guided.segment(task.images[task.name]), session.names


def load_guidance(session: GuidedSession, content: bytes, is_alone: bool) -> None:
    """Load a guidance file into a session. Raises DataError if the request has annotations with other classes."""
    loaded, names = Guidance.decode(content, "guidance", session.model.fingerprint)
    if not is_alone and not set(session.names) <= set(names):
        raise DataError(f"guidance: classes {', '.join(names)}, but the annotations have {', '.join(session.names)}")
    session.loaded, session.names = loaded, names


def require_few_classes(names: tuple[str, ...]) -> None:
    """Raise DataError if there are more classes than a request may have."""
    if len(names) > MOST_CLASSES:
        raise DataError(f"classes: found {len(names)}, expected at most {MOST_CLASSES}")


def choose_palette(names: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """One colour per class, as in `pixelwise predict`."""
    return tuple(COLOURS[index % len(COLOURS)] for index in range(len(names)))
