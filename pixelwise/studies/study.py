"""A study as data: pixelwise/studies/tables/NAME.yaml, which is read and checked before anything runs."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import P, Params, make_defaults, merge, parse, read_section
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.kinds import find_kind, find_kinds

FOLDER = Path(__file__).resolve().parent / "tables"
# A recipe holds what several studies share.
BASES = FOLDER / "bases"


class Variant(Params):
    """A row of the table: what differs from the study's base."""

    name: str
    overrides: dict[str, Any] = Field(
        {}, description="training parameters; for a kind that trains no variant, its own keys"
    )
    evaluate: dict[str, Any] = Field({}, description="training parameters that differ when the trained net is scored")
    columns: tuple[str, ...] = Field((), description="columns of this variant; none: all")
    thesis: dict[str, float] = Field({}, description="figures of the thesis by column, in the column's unit")
    note: str = ""


# The variant of a study whose variants share one net, which the study's base describes.
NET = Variant(name="net")


class Expectation(Params):
    """An expectation: `better` beats `worse`, the two are alike, or `better` is not much worse."""

    better: str
    worse: str
    column: str = "mean_iu"
    worse_column: str = Field("", description="column of `worse`; empty: the same")
    by: float = Field(0.0, description="least gap, in the column's unit")
    within: NonNegativeFloat | None = Field(None, description="instead: largest difference between the two")
    at_most: NonNegativeFloat | None = Field(None, description="instead: how much worse `better` may be at most")
    note: str = ""


class Study(Params):
    """A claim and the runs that test it."""

    name: str
    title: str
    thesis: str = Field(description="section, table or figure of the thesis")
    claim: str
    kind: str = Field("train", description="what is measured, one of `find_kinds`")
    family: str = Field("fcn", description="family of the nets that the study trains")
    dataset: str = Field("", description="name of the prepared data that the study is meant for; empty: any")
    data: str = Field(description="data that the study is meant for, and how to prepare them")
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)
    recipe: str = Field("", description="file in `bases`, whose keys the study overrides; empty: none")
    base: dict[str, Any] = Field({}, description="override section FAMILY.train of params.yaml in every variant")
    quick: dict[str, Any] = Field({}, description="override everything else in a quick run")
    columns: tuple[str, ...] = Field(min_length=1)
    chart: str = Field("mean_iu", description="column that the chart shows")
    curves: bool = Field(False, description="draw the training loss over iterations and over seconds")
    along: tuple[str, ...] = Field(
        (), description="draw the chart's column over each of these columns, with a line per schedule"
    )
    over_time: bool = Field(False, description="draw the value of every frame of a clip")
    variants: tuple[Variant, ...] = Field(min_length=1)
    trend: tuple[Expectation, ...] = ()
    remarks: dict[str, str] = Field({}, description="by data set: an explanation of our figures")

    @model_validator(mode="after")
    def require_known_names(self) -> "Study":
        """Require that the kind, every named variant and every named column exist.

        Also require that an expectation has one bound, and that only a kind with charts sets `along` or `over_time`.
        """
        self.require((self.kind,), within=set(find_kinds()), what="kind of study")
        if (self.along or self.over_time) and not find_kind(self.kind).charts:
            raise ParamsError(f"study {self.name}: found along or over_time, which kind {self.kind} does not draw")
        names = [variant.name for variant in self.variants]
        self.require(names, within=set(names), what="variant named once")
        self.require(self.columns, within=set(COLUMNS), what="column")
        used = [key for variant in self.variants for key in (*variant.columns, *variant.thesis)]
        used += [self.chart, *self.along]
        self.require(dict.fromkeys(used), within=set(self.columns), what="column of the study")
        columns = {variant.name: set(variant.columns or self.columns) for variant in self.variants}
        for expected in self.trend:
            self.require((expected.better,), within=set(names), what="variant")
            is_other_column = expected.worse_column not in ("", expected.column)
            others = set(names) - (set() if is_other_column else {expected.better})
            self.require((expected.worse,), within=others, what="other variant")
            self.require((expected.column,), within=columns[expected.better], what=f"column of {expected.better}")
            other = expected.worse_column or expected.column
            self.require((other,), within=columns[expected.worse], what=f"column of {expected.worse}")
            if sum((expected.by != 0, expected.within is not None, expected.at_most is not None)) > 1:
                pair = f"{expected.better} and {expected.worse}"
                raise ParamsError(f"study {self.name}: {pair}: found several of by, within and at_most, expected one")
        return self

    @property
    def is_trained(self) -> bool:
        """Whether every variant is a training, so that its figures depend on the seed."""
        return find_kind(self.kind).trains == "variants"

    @property
    def is_seeded(self) -> bool:
        """Whether a seed changes the figures: that of a training, or that of drawn tasks."""
        return self.is_trained or find_kind(self.kind).draws_tasks

    @property
    def is_computed(self) -> bool:
        """Whether the study needs no trained net."""
        return find_kind(self.kind).trains == "nothing"

    def require(self, names: Collection[str], within: set[str], what: str) -> None:
        """Raise ParamsError naming the first of `names` that is not `within` or is repeated."""
        for index, name in enumerate(names):
            if name not in within or name in list(names)[:index]:
                raise ParamsError(f"study {self.name}: {name}: found no {what}")


def list_studies() -> list[str]:
    """List the names of all studies."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_study(name: str) -> Study:
    """Load the study called `name`. Raises ParamsError if there is none or its file is not valid."""
    if name not in list_studies():
        raise ParamsError(f"study {name!r}: unknown, expected one of: {', '.join(list_studies())}")
    own = read_yaml(FOLDER / f"{name}.yaml", "a study", error=ParamsError)
    recipe = own.get("recipe")
    shared = read_yaml(BASES / f"{recipe}.yaml", "a recipe of studies", error=ParamsError) if recipe else {}
    return parse(Study, {"name": name, **merge(shared, own)}, f"study {name}")


def merge_base(study: Study, kind: type[Params], params_file: Path) -> dict[str, Any]:
    """Merge the training parameters that all variants share: the defaults of `kind`, params.yaml, then the base."""
    return merge(make_defaults(kind), read_section(params_file, f"{study.family}.train"), study.base)


def parse_training(study: Study, variant: Variant, seed: int, kind: type[P], params_file: Path, is_quick: bool) -> P:
    """Parse the parameters of one training. Raises ParamsError naming the study, the variant and the first bad key."""
    quick = study.quick if is_quick else {}
    values = merge(merge_base(study, kind, params_file), variant.overrides, quick, {"seed": seed})
    return parse(kind, values, f"study {study.name}: {variant.name}")


def parse_scoring(study: Study, variant: Variant, params: P) -> P:
    """Parse the parameters for scoring the net that `params` trained. Raises ParamsError as `parse_training`."""
    values = merge(params.model_dump(mode="json"), variant.evaluate)
    return parse(type(params), values, f"study {study.name}: {variant.name}: evaluate")


def parse_overrides(study: Study, variant: Variant, kind: type[P]) -> P:
    """Parse the overrides of a variant that is not trained. Raises ParamsError as `parse_training`."""
    return parse(kind, variant.overrides, f"study {study.name}: {variant.name}")
