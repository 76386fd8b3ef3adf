"""What a benchmark of a guided model times: a whole pass, its parts, and a click on a picture."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.guided.runtime.annotations import spread_points
from pixelwise.families.guided.runtime.click_disks import ObjectClick
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.early import FUSED, is_early
from pixelwise.families.guided.runtime.guidance import Guidance, merge
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel
from pixelwise.inference.session import open_session, run_graph
from pixelwise.model_folder import ModelFolder
from pixelwise.timing import Engine

WHOLE = "whole pass"


def open_engines(
    params: BenchmarkParams,
    model: Path,
    data: Path | None,  # noqa: ARG001 - the picture is synthetic
    threads: int,
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open the whole pass with one point, and encode, guide and segment, each compared with it.

    `click` is a further click on the picture: a run of the click net, in a model without one of guide and segment.
    Early fusion has the whole pass alone. Raises ModelError and ProviderError as `GuidedModel`.
    """
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3)).astype(np.uint8)
    if is_early(model):
        return open_fused(params, model, picture, threads), {"click": "early fusion: a click needs a whole pass"}
    guided = GuidedModel(model, params.device, threads)
    features = guided.encode(picture)
    place = (params.width // 2, params.height // 2)
    cells = spread_points([(*place, 1)], 2, features.grid)
    hint = make_hint([[], [place]], features.grid)
    guidance = merge([guided.pool(features, cells)])

    def guide_and_segment(features: Features) -> np.ndarray:
        found: Guidance = merge([guided.pool(features, cells)])
        return guided.segment(features, found, hint)

    def click() -> np.ndarray:
        if guided.clicks is None:
            return guide_and_segment(features)
        return guided.clicks.segment(picture, [ObjectClick(*place, is_object=True)], before)

    # A mask of the whole picture: the view is the picture.
    before = np.ones(picture.shape[:2], np.float32)
    calls: dict[str, Callable[[], object]] = {
        WHOLE: lambda: guide_and_segment(guided.encode(picture)),
        "encode": partial(guided.encode, picture),
        "guide": partial(guided.pool, features, cells),
        "segment": partial(guided.segment, features, guidance, hint),
        "click": click,
    }
    return {name: Engine(call, WHOLE) for name, call in calls.items()}, {}


def open_fused(params: BenchmarkParams, model: Path, picture: np.ndarray, threads: int) -> dict[str, Engine]:
    """Open the only graph of early fusion."""
    session = open_session(ModelFolder(model).require_graph(FUSED), params.device, threads)
    annotation = np.zeros((1, 2, params.height, params.width), np.float32)
    annotation[0, 1, params.height // 2, params.width // 2] = 1
    return {WHOLE: Engine(partial(run_graph, session, None, {"image": picture[None], "annotation": annotation}), WHOLE)}
