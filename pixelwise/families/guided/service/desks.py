"""What a served session keeps: pictures, each encoded once, and a bounded number of clicks."""

from dataclasses import dataclass, field

import numpy as np

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.service.tasks import require_few_classes

# A change keeps the annotations before it, so that it can be undone.
MOST_CLICKS, UNDONE = 500, 20


@dataclass
class Desk:
    """The pictures (H, W, 3) of a session, and their annotations."""

    session: GuidedSession
    images: list[np.ndarray] = field(default_factory=list)

    @property
    def pixels(self) -> int:
        """The number of pixels of all pictures."""
        return sum(image.shape[0] * image.shape[1] for image in self.images)

    def add(self, image: np.ndarray) -> int:
        """Encode a picture and return its number."""
        number = self.session.add_picture(image)
        self.images.append(image)
        return number

    def click(self, picture: int, x: int, y: int, name: str) -> None:
        """Annotate pixel (x, y) with the class `name`, which may be new.

        Raises DataError as `GuidedSession.click`, and if there are too many clicks or classes.
        """
        session = self.session
        if sum(len(support.clicks) for support in session.supports) >= MOST_CLICKS:
            raise DataError(f"click ({x}, {y}): found {MOST_CLICKS} clicks already, expected fewer")
        before = session.names
        if name not in before:
            require_few_classes((*before, name))
            session.add_class(name)
        try:
            session.click(picture, x, y, session.names.index(name))
        except DataError:
            session.names = before
            raise
        del session.past[:-UNDONE]

    def encode_guidance(self) -> bytes:
        """The guidance as the content of a file. Raises DataError without any click."""
        return self.session.guidance().encode(self.session.model.fingerprint, self.session.names)
