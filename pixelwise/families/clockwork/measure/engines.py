"""What a benchmark of a clockwork times: the plain net, each stage, and the default schedule on a clip."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.prepared import PreparedData
from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families.clockwork.measure.clips import split_into_clips
from pixelwise.families.clockwork.runtime.clockwork_engine import (
    FEATURES,
    Maps,
    Staged,
    decode_scores,
    fuse_streams,
    open_staged,
    run_stage,
    run_whole,
)
from pixelwise.families.clockwork.runtime.engines import Engine as VideoEngine
from pixelwise.families.clockwork.runtime.engines import open_engine, with_value
from pixelwise.families.clockwork.runtime.schedules import DEFAULT
from pixelwise.families.engines import Part, open_on_each
from pixelwise.inference.session import Provider
from pixelwise.timing import Engine

PLAIN = "plain"
SCHEDULE = f"schedule {DEFAULT}"
# The most frames of the clip.
FRAMES = 16


def open_engines(
    params: BenchmarkParams, model: Path, data: Path | None, threads: int
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Open the plain net, its stages and, with `data`, the default schedule on the longest clip of `params.split`.

    Each is opened on ONNX Runtime and on OpenVINO. Raises ModelError if the model is not in stages, DataError if the
    split is missing, ProviderError as `open_staged`.
    """
    clip = [] if data is None else read_clip(data, params)
    engines, left_out = open_on_each(params.device, PLAIN, partial(open_all, params, model, clip, threads))
    if not clip:
        left_out[SCHEDULE] = "it needs clips, as its time depends on their content; --data gives them"
    elif len(clip) == 1:
        left_out[SCHEDULE] = f"found no clip in the split {params.split}"
    return engines, left_out


def open_all(
    params: BenchmarkParams, model: Path, clip: Sequence[np.ndarray], threads: int, provider: Provider
) -> dict[str, Part]:
    """Open the plain net, its parts and, on a `clip` of several frames, the default schedule, on `provider`."""
    staged = open_staged(model, provider, threads)
    # Noise, as the time of a stage does not depend on the content of the picture.
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3)).astype(np.uint8)
    plain = Part(
        partial(staged.plain.predict, picture[None]),
        labels=[staged.plain.predict(frame[None])[0] for frame in clip or [picture]],
    )
    parts = {PLAIN: plain, **{name: Part(call) for name, call in list_parts(staged, picture).items()}}
    if len(clip) > 1:
        engine = open_engine(staged, DEFAULT)
        label = partial(label_clip, engine, clip)
        parts[f"schedule {with_value(staged, DEFAULT)}"] = Part(label, len(clip), label())
    return parts


def list_parts(staged: Staged, picture: np.ndarray) -> dict[str, Callable[[], object]]:
    """Each stage, the fusion, the decoding and the net up to its scores, on what they get for `picture` (H, W, 3)."""
    calls: dict[str, Callable[[], object]] = {}
    states: list[Maps] = []
    given = picture[None]
    for number, stage in enumerate(staged.stages, start=1):
        calls[f"stage{number}"] = partial(run_stage, stage, given)
        states.append(run_stage(stage, given))
        given = states[-1].get(FEATURES, given)
    calls["fuse"] = partial(fuse_streams, staged, states)
    calls["whole"] = partial(run_whole, staged, "float32", picture)
    if staged.has_int8:
        calls["whole int8"] = partial(run_whole, staged, "int8", picture)
    calls["decode"] = partial(decode_scores, staged, fuse_streams(staged, states), picture)
    return calls


def read_clip(data: Path, params: BenchmarkParams) -> list[np.ndarray]:
    """The first frames of the longest clip of the split, each resized to (height, width, 3)."""
    split = PreparedData(data).split(params.split)
    longest = max(split_into_clips(split), key=len)
    frames = (Image.fromarray(split[index].image) for index in longest[:FRAMES])
    return [np.asarray(frame.resize((params.width, params.height))) for frame in frames]


def label_clip(engine: VideoEngine, clip: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Label the frames of a clip, from its start."""
    engine.reset()
    return [engine.step(frame).prediction for frame in clip]
