"""What a benchmark of a guided model times: a whole pass, its parts, and a click on a picture."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.prepared import PreparedData
from pixelwise.evaluation.equality import PICTURES
from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.engines import Part, open_on_each
from pixelwise.families.guided.runtime.annotations import spread_points
from pixelwise.families.guided.runtime.click_disks import ObjectClick
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.early import FUSED, is_early
from pixelwise.families.guided.runtime.guidance import Guidance, merge
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.model_folder import ModelFolder
from pixelwise.timing import Engine

WHOLE = "whole pass"


def open_engines(
    params: BenchmarkParams, model: Path, data: Path | None, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open the whole pass with one point, and encode, guide and segment, each compared with it.

    `click` is a further click on the picture: a run of the click net, in a model without one of guide and segment.
    Early fusion has the whole pass alone. Each is opened on ONNX Runtime and on OpenVINO; their labels are compared on
    pictures of `data`. Raises ModelError and ProviderError as `GuidedModel`.
    """
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3)).astype(np.uint8)
    compared = [picture] if data is None else read_pictures(data, params.split)
    early = is_early(model)
    open_parts = open_fused if early else open_guided
    engines, left_out = open_on_each(params.device, WHOLE, partial(open_parts, model, picture, compared, threads))
    return engines, left_out | ({"click": "early fusion: a click needs a whole pass"} if early else {})


def read_pictures(data: Path, split: str) -> list[np.ndarray]:
    """A few pictures of a split of the prepared `data`, (H, W, 3) each."""
    found = PreparedData(data).split(split)
    return [found.image(index) for index in sample_evenly(len(found), PICTURES)]


def open_guided(
    model: Path, picture: np.ndarray, compared: Sequence[np.ndarray], threads: int, provider: Provider
) -> dict[str, Part]:
    """Open the whole pass over `picture` (H, W, 3) and its parts on `provider`; label the pictures `compared`."""
    guided = GuidedModel(model, provider, threads)
    features = guided.encode(picture)
    cells, hint = annotate_middle(features)
    guidance = merge([guided.pool(features, cells)])

    def guide_and_segment(features: Features) -> np.ndarray:
        cells, hint = annotate_middle(features)
        found: Guidance = merge([guided.pool(features, cells)])
        return guided.segment(features, found, hint)

    def click() -> np.ndarray:
        if guided.clicks is None:
            return guide_and_segment(features)
        place = find_middle(picture.shape[:2])
        return guided.clicks.segment(picture, [ObjectClick(*place, is_object=True)], before)

    # A mask of the whole picture: the view is the picture.
    before = np.ones(picture.shape[:2], np.float32)
    labels = [guide_and_segment(guided.encode(image)).argmax(axis=0) for image in compared]
    return {
        WHOLE: Part(lambda: guide_and_segment(guided.encode(picture)), labels=labels),
        "encode": Part(partial(guided.encode, picture)),
        "guide": Part(partial(guided.pool, features, cells)),
        "segment": Part(partial(guided.segment, features, guidance, hint)),
        "click": Part(click),
    }


def find_middle(size: Sequence[int]) -> tuple[int, int]:
    """The pixel (x, y) in the middle of a picture of `size` (H, W)."""
    height, width = size
    return width // 2, height // 2


def annotate_middle(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """The cells (2, h, w) and the hint (2, 2, h, w) of one click on an object in the middle of the picture."""
    place = find_middle(features.size)
    return spread_points([(*place, 1)], 2, features.grid), make_hint([[], [place]], features.grid)


def open_fused(
    model: Path, picture: np.ndarray, compared: Sequence[np.ndarray], threads: int, provider: Provider
) -> dict[str, Part]:
    """Open the only graph of early fusion, as `open_guided` does."""
    session = open_session(ModelFolder(model).require_graph(FUSED), provider, threads)

    def label(image: np.ndarray) -> np.ndarray:
        height, width, _ = image.shape
        annotation = np.zeros((1, 2, height, width), np.float32)
        annotation[0, 1, height // 2, width // 2] = 1
        (logits,) = run_graph(session, None, {"image": image[None], "annotation": annotation})
        labels: np.ndarray = logits[0].argmax(axis=0)
        return labels

    return {WHOLE: Part(partial(label, picture), labels=[label(image) for image in compared])}
