"""Schedules as data: the clock of each stage, and whether an idle stage's state moves (thesis §3.3.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pixelwise.errors import ParamsError

Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class Schedule:
    """One clock per stage, by name, shallow to deep.

    idle: an idle stage's state stays, or moves with the picture. overlapped: the number of stages in each part of a
    pipeline; all parts run at the same time, each on the previous part's output for the previous frame. Empty: no
    pipeline. precision: of the whole net's graph, where the schedule runs that.
    """

    name: str
    clocks: tuple[str, ...]
    idle: Literal["stay", "move"] = "stay"
    overlapped: tuple[int, ...] = ()
    precision: Precision = "float32"

    @property
    def runs_whole(self) -> bool:
        """Whether one clock decides for all stages: the net runs as one graph, without copies between stages."""
        first, *others = self.clocks
        return first != "off" and set(others) == {"before"}

    @property
    def uses_motion(self) -> bool:
        """Whether the schedule needs the motion between frames."""
        return self.idle == "move" or any(clock.startswith("motion") for clock in self.clocks)


@dataclass(frozen=True)
class Named:
    """A named schedule. words: a description. default: the value if none is given. curve: values for a frontier."""

    words: str
    make: Callable[[str, int], Schedule]
    default: str = ""
    curve: tuple[str, ...] = ()


def make_whole_clock(value: str) -> str:
    """Return the clock that fires on every n-th frame. Raises ParamsError if n is not a whole number above 0."""
    if not value.isdecimal() or int(value) < 1:
        raise ParamsError(f"schedule: found {value!r}, expected a number of frames such as 3")
    return f"every:{value}"


def make_tied_schedule(
    name: str, first: str, stages: int, idle: Literal["stay", "move"] = "stay", precision: Precision = "float32"
) -> Schedule:
    """Return a schedule that runs the whole net by one clock."""
    return Schedule(name, (first, *["before"] * (stages - 1)), idle, precision=precision)


def make_deep_schedule(name: str, clock: str, stages: int, idle: Literal["stay", "move"] = "stay") -> Schedule:
    """Return a schedule that always runs the first stage, and all deeper ones by one clock."""
    return Schedule(name, ("always", clock, *["before"] * (stages - 2)), idle)


def pipeline(value: str, stages: int) -> Schedule:
    """Return a pipeline of `value` parts; the first part takes the surplus stages, the others one each."""
    parts = count_of(value, 2, stages)
    return Schedule(f"pipeline:{parts}", ("always",) * stages, overlapped=(stages - parts + 1, *[1] * (parts - 1)))


def make_truncated_schedule(value: str, stages: int) -> Schedule:
    """Return a schedule of the first `value` stages only."""
    kept = count_of(value, 1, stages - 1)
    return Schedule(f"truncated:{kept}", ("always",) * kept + ("off",) * (stages - kept))


def count_of(value: str, low: int, high: int) -> int:
    """Return a number of stages. Raises ParamsError if it is out of range."""
    if not value.isdecimal() or not low <= int(value) <= high:
        raise ParamsError(f"schedule: found {value!r} stages, expected {low} to {high}")
    return int(value)


# Begins the names of the schedules that run the whole net in int8.
INT8 = "int8-"

SCHEDULES = {
    "oracle": Named("the plain net on every frame", lambda _, n: Schedule("oracle", ("always",) * n)),
    "skip": Named(
        "the whole net on every N-th frame",
        lambda v, n: make_tied_schedule(f"skip:{v}", make_whole_clock(v), n),
        "2",
        ("2", "3"),
    ),
    "alternating": Named(
        "the last stage on every N-th frame, the others always (thesis §3.4.2)",
        lambda v, n: Schedule(f"alternating:{v}", (*["always"] * (n - 1), make_whole_clock(v))),
        "2",
        ("2",),
    ),
    "exponential": Named(
        "each stage half as often as the one before",
        lambda _, n: Schedule("exponential", tuple(f"every:{2**stage}" for stage in range(n))),
        curve=("",),
    ),
    "adaptive": Named(
        "the deeper stages where the first one's labels changed by a share of θ",
        lambda v, n: make_deep_schedule(f"adaptive:{v}", f"scores:{v}", n),
        "0.4",
        ("0.3", "0.4", "0.5"),
    ),
    "adaptive-deep": Named(
        "the last stage where the labels of those before changed by a share of θ (thesis §3.4.3)",
        lambda v, n: Schedule(f"adaptive-deep:{v}", (*["always"] * (n - 1), f"scores:{v}")),
        "0.1",
        ("0.1",),
    ),
    "pixels": Named(
        "the deeper stages where pixels changed by θ of their value",
        lambda v, n: make_deep_schedule(f"pixels:{v}", f"pixels:{v}", n),
        "0.2",
        ("0.2",),
    ),
    "confidence": Named(
        "the deeper stages where the first one doubts by θ",
        lambda v, n: make_deep_schedule(f"confidence:{v}", f"confidence:{v}", n),
        "0.5",
    ),
    "learned": Named(
        "the deeper stages where a learned clock expects a share of θ to change",
        lambda v, n: make_deep_schedule(f"learned:{v}", f"learned:{v}", n),
        "0.2",
        ("0.2",),
    ),
    "mend": Named(
        "as alternating, the last stage's scores moving with the picture",
        lambda v, n: Schedule(f"mend:{v}", (*["always"] * (n - 1), make_whole_clock(v)), "move"),
        "2",
        ("2",),
    ),
    "pipeline": Named(
        "all stages at once in N parts, each a frame behind the one before (thesis §3.3.2)", pipeline, "3"
    ),
    "truncated": Named(
        "the first N stages alone, the pipelines' baseline (thesis §3.4.1)", make_truncated_schedule, "1"
    ),
    "carry": Named(
        "the whole net on every N-th frame, its labels moving with the picture",
        lambda v, n: make_tied_schedule(f"carry:{v}", make_whole_clock(v), n, "move"),
        "4",
        ("2", "3", "4", "6", "8", "16"),
    ),
    "motion": Named(
        "as carry, the whole net where motion leaves a share of θ unexplained",
        lambda v, n: make_tied_schedule(f"motion:{v}", f"motion:{v}", n, "move"),
        "0.45",
        ("0.3", "0.45", "0.6", "0.9", "1.5"),
    ),
    f"{INT8}carry": Named(
        "as carry, the whole net in int8",
        lambda v, n: make_tied_schedule(f"{INT8}carry:{v}", make_whole_clock(v), n, "move", "int8"),
        "4",
        ("2", "3", "4", "5", "6"),
    ),
    f"{INT8}motion": Named(
        "as motion, the whole net in int8",
        lambda v, n: make_tied_schedule(f"{INT8}motion:{v}", f"motion:{v}", n, "move", "int8"),
        "0.3",
        ("0.2", "0.3", "0.4", "0.6"),
    ),
}


# The schedule of a video where none is named.
DEFAULT = "motion"


def parse_schedule(words: str, stages: int) -> Schedule:
    """Return the schedule NAME or NAME:VALUE for a net of `stages`, or one from clocks joined by commas, one per stage.

    Raises ParamsError if the schedule is unknown or its value is bad.
    """
    name, _, value = words.partition(":")
    if "," in words:
        clocks = tuple(words.split(","))
        if len(clocks) != stages:
            raise ParamsError(f"schedule {words}: found {len(clocks)} clocks, expected {stages}, one a stage")
        return Schedule(words, clocks)
    if name not in SCHEDULES:
        raise ParamsError(f"schedule {words!r}: unknown, expected one of: {', '.join(SCHEDULES)}")
    named = SCHEDULES[name]
    if value and not named.default:
        raise ParamsError(f"schedule {words!r}: found a value, expected {name} alone")
    chosen = value or named.default
    if named.default:
        require_number(name, chosen)
    return named.make(chosen, stages)


def require_number(name: str, value: str) -> None:
    """Raise ParamsError if the value of schedule `name` is not a number of at least 0."""
    try:
        is_good = float(value) >= 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ParamsError(f"schedule {name}: found {value!r}, expected a number such as {SCHEDULES[name].default}")


def list_frontier_schedules(has_int8: bool) -> list[str]:
    """Return the schedules that a frontier measures; those in int8 only if the model has an int8 graph."""
    measured = {name: named for name, named in SCHEDULES.items() if has_int8 or not name.startswith(INT8)}
    return [f"{name}:{value}" if value else name for name, named in measured.items() for value in named.curve]
