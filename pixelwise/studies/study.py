"""A study as data: pixelwise/studies/tables/NAME.yaml, read and checked before anything runs."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import P, Params, make_defaults, merge, parse, read_section
from pixelwise.studies.columns import COLUMNS

FOLDER = Path(__file__).resolve().parent / "tables"
# What studies have in common, by the name of the recipe.
BASES = FOLDER / "bases"
Kind = Literal["train", "oracle", "structure", "schedule", "velocity", "guide", "recovery", "scale", "dense"]


class Variant(Params):
    """A row of the table: what differs from the study's base."""

    name: str
    overrides: dict[str, Any] = Field({}, description="training parameters; of a kind that trains nothing, its own")
    evaluate: dict[str, Any] = Field({}, description="training parameters that differ as the trained net is scored")
    columns: tuple[str, ...] = Field((), description="the columns that it has; none: all")
    thesis: dict[str, float] = Field({}, description="the thesis's figures by column, in the column's unit")
    note: str = ""


class Expectation(Params):
    """An expectation: `better` beats `worse`, the two are alike, or `better` is not much worse."""

    better: str
    worse: str
    column: str = "mean_iu"
    by: float = Field(0.0, description="by how much at least, in the column's unit")
    within: NonNegativeFloat | None = Field(None, description="instead: by how much at most the two may differ")
    at_most: NonNegativeFloat | None = Field(None, description="instead: by how much at most `better` may be worse")
    note: str = ""


class Study(Params):
    """A claim and the runs that test it.

    kind: trainings, ground truth made coarse, the make-up of nets, schedules of a net in stages over video, how fast
    its layers change, tasks that annotations define, blurs that are to be found, the scales that trained nets infer, or
    ways to a prediction for every pixel.
    """

    name: str
    title: str
    thesis: str = Field(description="where in the thesis")
    claim: str
    kind: Kind = "train"
    family: str = "fcn"
    data: str = Field(description="the data that it is meant for, and how to prepare it")
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)
    recipe: str = Field("", description="the file of bases whose base and quick lie below the study's own; none: none")
    base: dict[str, Any] = Field({}, description="over the section FAMILY.train of params.yaml, in every variant")
    quick: dict[str, Any] = Field({}, description="over all else where the study only has to run through")
    columns: tuple[str, ...] = Field(min_length=1)
    chart: str = Field("mean_iu", description="the column that the chart shows")
    curves: bool = Field(False, description="draw the training loss over iterations and over seconds")
    along: tuple[str, ...] = Field((), description="draw the chart's column over each of these, a line a schedule")
    over_time: bool = Field(False, description="draw what every frame of a clip gave")
    variants: tuple[Variant, ...] = Field(min_length=1)
    trend: tuple[Expectation, ...] = ()
    remarks: dict[str, str] = Field({}, description="by data set: what explains our figures")

    @model_validator(mode="after")
    def require_known_names(self) -> "Study":
        """Require that every named variant and column exists, and that no expectation contradicts itself."""
        names = [variant.name for variant in self.variants]
        self.require(names, within=set(names), what="variant named once")
        self.require(self.columns, within=set(COLUMNS), what="column")
        used = [key for variant in self.variants for key in (*variant.columns, *variant.thesis)]
        used += [self.chart, *self.along]
        self.require(dict.fromkeys(used), within=set(self.columns), what="column of the study")
        columns = {variant.name: set(variant.columns or self.columns) for variant in self.variants}
        for hope in self.trend:
            self.require((hope.better,), within=set(names), what="variant")
            self.require((hope.worse,), within=set(names) - {hope.better}, what="other variant")
            for name in (hope.better, hope.worse):
                self.require((hope.column,), within=columns[name], what=f"column of {name}")
            if sum((hope.by != 0, hope.within is not None, hope.at_most is not None)) > 1:
                both = f"{hope.better} and {hope.worse}"
                raise ParamsError(f"study {self.name}: {both}: found several of by, within and at_most, expected one")
        return self

    @property
    def is_trained(self) -> bool:
        """Whether every variant is a training, so that its figures depend on the seed."""
        return self.kind in ("train", "structure", "scale")

    @property
    def is_computed(self) -> bool:
        """Whether the study needs no trained net."""
        return self.kind in ("oracle", "recovery", "dense")

    def require(self, names: Collection[str], within: set[str], what: str) -> None:
        """Raise ParamsError naming the first of `names` that is not `within`, or comes twice."""
        for place, name in enumerate(names):
            if name not in within or name in list(names)[:place]:
                raise ParamsError(f"study {self.name}: {name}: found no {what}")


def names() -> list[str]:
    """The studies that there are."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load(name: str) -> Study:
    """The study called `name`. Raises ParamsError where there is none or its file does not hold together."""
    if name not in names():
        raise ParamsError(f"study {name!r}: unknown, expected one of: {', '.join(names())}")
    own = read_yaml(FOLDER / f"{name}.yaml", "a study", error=ParamsError)
    base = own.get("recipe")
    common = read_yaml(BASES / f"{base}.yaml", "a base of studies", error=ParamsError) if base else {}
    return parse(Study, {"name": name, **merge(common, own)}, f"study {name}")


def shared(study: Study, kind: type[Params], params_file: Path) -> dict[str, Any]:
    """The training parameters, a `kind`, that all variants start from: params.yaml over the defaults, then the base."""
    return merge(make_defaults(kind), read_section(params_file, f"{study.family}.train"), study.base)


def training(study: Study, variant: Variant, seed: int, kind: type[P], params_file: Path, is_quick: bool) -> P:
    """The training parameters of one run. Raises ParamsError naming the study, the variant and the first bad key."""
    quick = study.quick if is_quick else {}
    values = merge(shared(study, kind, params_file), variant.overrides, quick, {"seed": seed})
    return parse(kind, values, f"study {study.name}: {variant.name}")


def scoring(study: Study, variant: Variant, params: P) -> P:
    """The parameters under which the net that `params` trained is scored."""
    values = merge(params.model_dump(mode="json"), variant.evaluate)
    return parse(type(params), values, f"study {study.name}: {variant.name}: evaluate")
