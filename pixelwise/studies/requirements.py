"""Requirements of a study on its parameters and data, checked before the first training instead of hours later."""

from collections.abc import Iterator
from contextlib import contextmanager

from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.families import find
from pixelwise.params import Params
from pixelwise.studies.bench import Bench
from pixelwise.studies.study import Study, Variant, parse_overrides, parse_scoring


def require_trainings(study: Study, bench: Bench) -> None:
    """Raise ParamsError or DataError at the first variant that cannot be trained, as `require_training`."""
    for variant in study.variants:
        with name_errors(study, variant):
            require_training(study, variant, bench)


def require_overrides(study: Study, bench: Bench, kind: type[Params]) -> None:
    """Raise ParamsError at the first variant whose overrides are not a `kind`, DataError without the scored split."""
    for variant in study.variants:
        with name_errors(study, variant):
            parse_overrides(study, variant, kind)
            bench.data.split(bench.find_val_split(study))


def require_training(study: Study, variant: Variant, bench: Bench) -> None:
    """Raise ParamsError if the training parameters of a variant are bad.

    Raises DataError if the data lacks a split or a layer for training or scoring, or its pictures differ in size where
    whole pictures form a batch.
    """
    params, family = bench.parse_params(study, variant, study.seeds[0]), find(study.family)
    for one in (params, parse_scoring(study, variant, params)):
        task = family.make_task(bench.data, one)
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
    """Raise DataError if the pictures of `split` differ in size, so that a batch cannot hold several whole pictures."""
    sizes = sorted({(row["width"], row["height"]) for row in split.rows})
    if len(sizes) > 1:
        (width, height), (wide, high) = sizes[0], sizes[-1]
        raise DataError(
            f"augment.whole with batch_size {batch_size}: found pictures of {width} × {height} and {wide} × {high} "
            f"in split {split.name}, expected one size, or batch_size 1"
        )


@contextmanager
def name_errors(study: Study, variant: Variant) -> Iterator[None]:
    """Put study and variant before the message of an error that does not name them yet."""
    try:
        yield
    except PixelwiseError as error:
        prefix = f"study {study.name}: {variant.name}"
        if str(error).startswith(prefix):
            raise
        raise type(error)(f"{prefix}: {error}") from error
