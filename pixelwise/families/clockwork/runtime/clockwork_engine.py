"""The clockwork engine: stages, each with a state and a clock (thesis §3.3). It labels one frame at a time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import ModelError
from pixelwise.families.clockwork.runtime import equations
from pixelwise.families.clockwork.runtime.clocks import Clock, Off, Seen, make_clock
from pixelwise.families.clockwork.runtime.decoding import Upsampling, decode_by_cells, read_upsampling
from pixelwise.families.clockwork.runtime.schedule_values import read_values
from pixelwise.families.clockwork.runtime.schedules import Precision, Schedule
from pixelwise.families.clockwork.runtime.stream_grids import SCORES, Grid, read_grids
from pixelwise.inference.binding import Value, fetch, read_shape
from pixelwise.inference.graph_session import GraphSession
from pixelwise.inference.session import Provider, Segmenter, open_model, open_session, run_graph
from pixelwise.inference.tiles import SIDE
from pixelwise.model_folder import GRAPH, UNDECODED, ModelFolder

# Weight of the carried scores in a new key frame's scores: two observations of a scene err less than one.
REMEMBERED = 0.25
# What a stage gives by name. On a GPU it stays there: the next stage and the fusion take it without a copy.
Maps = dict[str, Value]
# The output of a stage that the next stage takes; its other outputs are streams for the fusion.
FEATURES = "features"


@dataclass(frozen=True)
class Staged:
    """A net in stages: the plain net, the stages, the fusion of streams, the decoding of scores, the learned clock.

    upsampling: how scores become pixels, None where the graph `decode` alone knows.
    grids: the grid of each stream and of the fused scores. open_whole: opens, once, the graph of the whole net up to
    its scores in a precision. has_int8: whether it is there in int8. values: the calibrated values of schedules by
    name, for schedules without a value.
    """

    plain: Segmenter
    stages: tuple[GraphSession, ...]
    fuse: GraphSession
    decode: GraphSession
    upsampling: Upsampling | None
    change: GraphSession
    grids: Mapping[str, Grid]
    open_whole: Callable[[Precision], GraphSession]
    has_int8: bool
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def streams(self) -> list[str]:
        """The names of the streams, coarse to fine."""
        return [given.name for given in self.fuse.get_inputs()]


@dataclass(frozen=True)
class Frame:
    """The result of a frame. prediction: (H, W) uint8 classes. fired: which stages ran. seconds: the whole time."""

    prediction: np.ndarray
    fired: tuple[bool, ...]
    seconds: float


def open_staged(
    model: Path, provider: Provider = "auto", threads: int | None = None, tile: int = SIDE, keeps_memory: bool = True
) -> Staged:
    """Open the folder of an exported clockwork. tile, keeps_memory: as for `open_model`.

    Raises ModelError if it is missing or not in stages, ProviderError if `provider` is not available.
    """
    plain = open_model(model, provider, threads, keeps_memory=keeps_memory, tile=tile)
    folder = ModelFolder(model)
    count = len(list(folder.onnx.glob("stage[0-9]*.onnx")))
    if count < 2:
        raise ModelError(
            f"{model}: not in stages, expected the folder of an exported clockwork with its onnx/stage1.onnx"
        )
    names = [*(f"stage{place + 1}" for place in range(count)), "fuse", "decode", "change"]
    *stages, fuse, decode, change = (
        # Spinning idle threads of one session would take the cores from the other sessions.
        open_session(folder.graph(name), provider, threads, is_alone=False, keeps_memory=keeps_memory)
        for name in names
    )
    for name, session in zip(names, (*stages, fuse, decode, change), strict=True):
        require_same_export(session, folder.graph(name), plain)
    grids = read_grids(fuse.get_modelmeta().custom_metadata_map, str(folder.graph("fuse")))
    values = read_values(model, plain.metadata.get("fingerprint"))

    @cache
    def open_whole(precision: Precision) -> GraphSession:
        file = (folder if precision == "float32" else ModelFolder(folder.int8)).graph(UNDECODED)
        if not file.is_file():
            verb = "export" if precision == "float32" else "quantize"
            raise ModelError(f"{file}: no such file, expected what `pixelwise {verb}` writes for a clockwork")
        session = open_session(file, provider, threads, is_alone=False, keeps_memory=keeps_memory)
        require_same_export(session, file, plain)
        return session

    has_int8 = ModelFolder(folder.int8).graph(UNDECODED).is_file()
    upsampling = read_upsampling(decode.get_modelmeta().custom_metadata_map)
    return Staged(plain, tuple(stages), fuse, decode, upsampling, change, grids, open_whole, has_int8, values)


def require_same_export(session: GraphSession, file: Path, plain: Segmenter) -> None:
    """Raise ModelError if the graph `session` of `file` is of another training than the `plain` net."""
    if session.get_modelmeta().custom_metadata_map.get("fingerprint") != plain.metadata.get("fingerprint"):
        raise ModelError(f"{file}: from another export than {GRAPH}.onnx, expected the same fingerprint")


class Clockwork:
    """Labels the frames of a video on a schedule. It holds the state of one frame, however long the video.

    A frame of another size causes a `reset`. A stage's state advances by the generalised equation: f_I is the stage's
    layers, f_H the identity. If states move with the picture, held maps are moved when they are read.
    """

    def __init__(self, model: Staged, schedule: Schedule) -> None:
        self.model, self.schedule = model, schedule
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the whole net runs on the next one."""
        self.frame = 0
        self.states: list[Maps] = [{} for _ in self.model.stages]
        self.clocks: list[Clock] = [make_clock(words, self.changed) for words in self.schedule.clocks]
        # State of the last key frame (on which the deepest stage ran) that moves with the picture.
        self.scores: np.ndarray | None = None
        self.labels: np.ndarray | None = None
        self.motion: Any = None

    def step(self, image: np.ndarray) -> Frame:
        """Label the next frame, (H, W, 3) uint8 RGB. Raises ModelError if its type or shape differs."""
        began = time.perf_counter()
        self.model.plain.select_inputs({"image": image[None]})
        if self.labels is not None and self.labels.shape != image.shape[:2]:
            self.reset()
        if self.schedule.uses_motion:
            self.follow(image)
        fired = self.run_stages(image)
        prediction = self.look(image, fired)
        self.frame += 1
        return Frame(prediction, fired, time.perf_counter() - began)

    def follow(self, image: np.ndarray) -> None:
        """Update the motion since the key frame."""
        if self.motion is None:
            # Imported here because OpenCV imports slowly and other schedules do not need it.
            from pixelwise.families.clockwork.runtime.motion import Motion

            self.motion = Motion(image)
        else:
            self.motion.follow(image)

    def run_stages(self, image: np.ndarray) -> tuple[bool, ...]:
        """Advance the state of every stage and return which fired. Only stages whose clock fires cost time."""
        fired: list[bool] = []
        given = image[None]
        for place, clock in enumerate(self.clocks):
            seen = self.seen(image, place, fired)
            fires = not isinstance(clock, Off) and (self.frame == 0 or clock.fires(seen))
            if fires:
                clock.ran(seen)
            self.states[place] = equations.advance(
                self.states[place],
                given,
                f_input=partial(run_stage, self.model.stages[place]),
                f_hidden=equations.identity,
                f_transition=equations.identity,
                input_clock=float(fires),
                hidden_clock=float(not fires),
            )
            given = self.states[place].get(FEATURES, given)
            fired.append(fires)
        return tuple(fired)

    def seen(self, image: np.ndarray, place: int, fired: Sequence[bool]) -> Seen:
        """Return the input of the clock of stage `place`."""
        before = self.states[place - 1] if place else {}
        streams = [name for name in before if name != FEATURES]
        return Seen(
            frame=self.frame,
            image=image,
            before=not fired or fired[-1],
            scores=fetch(before[min(streams, key=parse_stride)])[0] if streams else None,
            features=before.get(FEATURES),
            unexplained=self.motion.unexplained if self.motion else 0.0,
        )

    def changed(self, now: Value, then: Value) -> float:
        """Return the share of the output that the learned clock expects to have changed."""
        return float(run_graph(self.model.change, ["share"], {"now": now, "then": then})[0][0])

    def look(self, image: np.ndarray, fired: Sequence[bool]) -> np.ndarray:
        """Return the labels of this frame from fresh and held streams."""
        is_key = fired[-1] or self.labels is None
        if not any(fired):
            assert self.labels is not None
            return self.motion.labels(self.labels) if self.moves else self.labels
        scores = self.score(image, fired)
        if is_key and self.moves:
            if self.scores is not None:
                carried = self.motion.maps(self.scores, self.model.grids[SCORES])
                scores = (1 - REMEMBERED) * scores + REMEMBERED * carried
            self.scores = scores
            self.motion.start()
        prediction = decode_scores(self.model, scores, image)
        if is_key or not self.moves:
            self.labels = prediction
        return prediction

    def score(self, image: np.ndarray, fired: Sequence[bool]) -> np.ndarray:  # noqa: ARG002 - `KeyFrames` needs it
        """Return the fused scores (1, K, h, w) of this frame from fresh and held streams."""
        states = [self.held(state, fires) for state, fires in zip(self.states, fired, strict=True)]
        return fuse_streams(self.model, states)

    @property
    def moves(self) -> bool:
        """Whether held maps and labels move with the picture."""
        return self.schedule.idle == "move"

    def held(self, state: Maps, is_fresh: bool) -> Maps:
        """Return the streams of a stage for this frame, moved with the picture if they are held and move."""
        if is_fresh or not self.moves:
            return state
        streams = ((name, maps) for name, maps in state.items() if name != FEATURES)
        return {name: self.motion.maps(fetch(maps), self.model.grids[name]) for name, maps in streams}


def run_stage(stage: GraphSession, given: Value) -> Maps:
    """Run a stage and return its features and streams by name. given: the picture, or the previous stage's features."""
    names = [found.name for found in stage.get_outputs()]
    return dict(zip(names, run_graph(stage, names, {stage.get_inputs()[0].name: given}, stays=True), strict=True))


def run_whole(model: Staged, precision: Precision, image: np.ndarray) -> np.ndarray:
    """Return the scores (1, K, h, w) of an image (H, W, 3) by the whole net in one graph."""
    scores: np.ndarray = run_graph(model.open_whole(precision), [SCORES], {"image": image[None]})[0]
    return scores


def fuse_streams(model: Staged, states: Sequence[Maps]) -> np.ndarray:
    """Fuse all streams to scores (1, K, h, w). Streams of stages that never ran are zero, as in a truncated net."""
    streams = {name: maps for state in states for name, maps in state.items() if name != FEATURES}
    # Fine to coarse, as the size of a missing stream follows from the next finer one.
    for finer, missing in pairwise(model.fuse.get_inputs()[::-1]):
        if missing.name not in streams:
            where, above = model.grids[missing.name], model.grids[finer.name]
            sides = [where.below(above, side) for side in read_shape(streams[finer.name])[2:]]
            streams[missing.name] = np.zeros((1, missing.shape[1], *sides), np.float32)
    scores: np.ndarray = run_graph(model.fuse, ["scores"], streams)[0]
    return scores


def decode_scores(model: Staged, scores: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return the labels (H, W) of fused scores."""
    if model.upsampling:
        height, width = image.shape[:2]
        return decode_by_cells(scores, height, width, model.upsampling)
    labels: np.ndarray = run_graph(model.decode, ["prediction"], {"scores": scores, "image": image[None]})[0][0]
    return labels


def parse_stride(stream: str) -> int:
    """Return the stride in a stream's name: 32 for stream_32."""
    return int(stream.rpartition("_")[2])
