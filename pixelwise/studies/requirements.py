"""Requirements of a study on its parameters and data, checked before the first training instead of hours later."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pixelwise.data.class_mapping import make_class_table
from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.families import find, find_options
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.params import Params, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.dense import DenseParams
from pixelwise.studies.measurements import OracleParams
from pixelwise.studies.recovery import RecoveryParams
from pixelwise.studies.schedules import require_schedule
from pixelwise.studies.staged_net import NET
from pixelwise.studies.study import Study, Variant, scoring
from pixelwise.studies.velocity import VelocityParams

# What a variant that trains nothing may override, by the kind of its study.
OWN: Mapping[str, type[Params]] = {
    "oracle": OracleParams,
    "velocity": VelocityParams,
    "recovery": RecoveryParams,
    "dense": DenseParams,
}


def require_sound(study: Study, bench: Bench) -> None:
    """Raise ParamsError at the first variant whose parameters are bad, DataError where the data lacks what it needs."""
    for variant in study.variants:
        with named(study, variant):
            if study.is_trained:
                require_trainable(study, variant, bench)
            else:
                require_own(study, variant)
                bench.data.split(bench.val_split(study))
    if study.kind in ("schedule", "velocity"):
        require_net(study, bench)
    elif study.kind == "guide" and not bench.model:
        require_trainable(study, NET, bench)


def require_own(study: Study, variant: Variant) -> None:
    """Raise ParamsError where a variant without training overrides keys that its kind does not have."""
    if study.kind == "schedule":
        require_schedule(study, variant)
    else:
        own = find_options(study.family).EvaluateParams if study.kind == "guide" else OWN[study.kind]
        parse(own, variant.overrides, f"study {study.name}: {variant.name}")


def require_net(study: Study, bench: Bench) -> None:
    """Raise an error where the given staged net cannot be opened, or the study's own cannot be trained."""
    if not bench.model:
        require_trainable(study, NET, bench)
        return
    names = open_staged(bench.model).plain.names
    if names != bench.data.classes.names and make_class_table(names, bench.data.classes.names) is None:
        found, wanted = ", ".join(names), ", ".join(bench.data.classes.names)
        raise DataError(f"{bench.model}: found a net of the classes {found}, expected the data's: {wanted}")


def require_trainable(study: Study, variant: Variant, bench: Bench) -> None:
    """Raise DataError where a split, a layer or an equal size is missing that the variant is trained or scored with."""
    params, kind = bench.params(study, variant, study.seeds[0]), find(study.family)
    for one in (params, scoring(study, variant, params)):
        task = kind.task_of(bench.data, one)
        for split in (task.train, task.val):
            require_layers(split, bench.data)
    if params.augment.whole and params.batch_size > 1:
        require_one_size(bench.data.split(params.train_split), params.batch_size)


def require_layers(split: PreparedSplit, data: PreparedData) -> None:
    """Raise DataError at the first layer of `split` that the data lacks."""
    for layer in split.layers:
        if layer not in data.layers:
            found = ", ".join(data.layers) or "none"
            raise DataError(f"prepared data {data.root}: no layer {layer}, found: {found}")


def require_one_size(split: PreparedSplit, batch_size: int) -> None:
    """Raise DataError where the pictures of `split` differ in size, so that no batch can hold several whole ones."""
    sizes = sorted({(row["width"], row["height"]) for row in split.rows})
    if len(sizes) > 1:
        (width, height), (wide, high) = sizes[0], sizes[-1]
        raise DataError(
            f"augment.whole with batch_size {batch_size}: found pictures of {width} × {height} and {wide} × {high} "
            f"in split {split.name}, expected one size, or batch_size 1"
        )


@contextmanager
def named(study: Study, variant: Variant) -> Iterator[None]:
    """Put study and variant before the message of an error that does not name them yet."""
    try:
        yield
    except PixelwiseError as error:
        where = f"study {study.name}: {variant.name}"
        if str(error).startswith(where):
            raise
        raise type(error)(f"{where}: {error}") from error
