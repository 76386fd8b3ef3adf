"""The reference: what the server would have noted, had the accepted pictures been sent to the same model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.prepared import MANIFEST_FILE, PreparedData, read_description
from pixelwise.documents import read_json
from pixelwise.families import find_requests
from pixelwise.families.exported import find_family
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import identify
from pixelwise.progress import progress
from pixelwise.watching.rows import Seen, observe

# More pictures move the mean by less than scenes differ.
MOST_PICTURES = 1000
# A clip that is longer counts as several scenes: few data sets have twenty clips, and a scene of a moving camera
# is another one after so many pictures.
LONGEST_SCENE = 25
TRAIN = "train"


@dataclass(frozen=True)
class Reference:
    """The accepted pictures as the model answers them, in the order of their clips.

    model, data: SHA-256 of the model and of the data's manifest. classes: of the model; empty if each request names its
    own. scenes: the number of each row's scene. scene: pictures of a scene, on average.
    """

    model: str
    data: str
    classes: tuple[str, ...]
    scene: float
    scenes: tuple[int, ...]
    rows: tuple[Seen, ...]


def read_or_make_reference(model: Path, data: Path, file: Path) -> Reference:
    """Read the reference in `file`; make and write it where it is missing or of another model or other data.

    Raises DataError where `data` is not prepared data, ModelError where the model does not run.
    """
    sha256 = identify(model)
    kept = read_json(file, "what `pixelwise watch` writes", Reference, default=None)
    if kept is not None and (kept.model, kept.data) == (sha256, read_description(data)["manifest_sha256"]):
        return kept
    made = make_reference(model, sha256, data)
    write_json(file, TypeAdapter(Reference).dump_python(made, mode="json"))
    return made


def make_reference(model: Path, sha256: str, data: Path) -> Reference:
    """Let the exported `model` answer the accepted pictures, or an even sample of MOST_PICTURES of them."""
    served, prepared = find_requests(find_family(model)).open_served(model, "auto"), PreparedData(data)
    split = prepared.split("+".join(prepared.splits))
    scenes, scene = number_scenes([(row["split"], row["clip"]) for row in split.rows])
    places = sample_evenly(len(split), MOST_PICTURES)
    # A net is surer of the pictures that it was trained on, so their confidence says nothing about others.
    held_out = {place for place in places if split.rows[place]["split"] != TRAIN} or set(places)
    rows = [
        answer(served, split.image(place), sha256, confidence=place in held_out)
        for place in progress(places, "answer accepted pictures")
    ]
    return Reference(
        model=sha256,
        data=sha256_file(data / MANIFEST_FILE),
        classes=tuple(served.names),
        scene=scene,
        scenes=tuple(scenes[place] for place in places),
        rows=tuple(rows),
    )


def answer(served: Any, image: np.ndarray, sha256: str, confidence: bool) -> Seen:
    """Answer a picture (H, W, 3) uint8 as the server does, and describe it. served: a `hooks.ServedModel`."""
    if not served.names:
        # Without guidance there is nothing to label.
        return observe(image, np.zeros(image.shape[:2], np.uint8), sha256, 0)
    if confidence and getattr(served, "gives_confidence", False):
        (prediction,), (certain,) = served.predict_with_confidence(image[None])
        return observe(image, prediction, sha256, len(served.names), float(certain.mean()))
    return observe(image, served.predict(image[None])[0], sha256, len(served.names))


def number_scenes(clips: Sequence[tuple[str, str]]) -> tuple[list[int], float]:
    """Number the scene of each picture, and the pictures of a scene on average. clips: split and clip ("": none)."""
    numbers: list[int] = []
    found: dict[tuple[object, ...], int] = {}
    seen: dict[tuple[str, str], int] = {}
    for place, (split, clip) in enumerate(clips):
        frame = seen[split, clip] = seen.get((split, clip), -1) + 1
        key = (split, clip, frame // LONGEST_SCENE) if clip else (place,)
        numbers.append(found.setdefault(key, len(found)))
    return numbers, len(clips) / max(1, len(found))
