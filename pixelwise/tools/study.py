"""Run studies of the thesis: train what a table compares, judge its claim, write a page with both sides' numbers."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import numpy as np

from pixelwise import command
from pixelwise.data.items import Classes
from pixelwise.data.prepared import DATASET_FILE, PreparedData, Sample
from pixelwise.errors import ParamsError
from pixelwise.identity import sha256_file
from pixelwise.params import PARAMS_FILE, parse
from pixelwise.progress import progress
from pixelwise.studies.outcome import Figures, Measured, Outcome, Run, outcome_of, read_measured
from pixelwise.studies.report import Listing, StudyReport, text_of
from pixelwise.studies.study import Study, load, names, shared

if TYPE_CHECKING:
    from pixelwise.reporting.pictures import Picture
    from pixelwise.studies.bench import Bench

PREPARED = Path("data/prepared")
# A town that is rendered in seconds, for a study that only has to run through.
TINY = {"train_clips": 4, "val_clips": 1, "test_clips": 1, "frames": 3, "width": 224, "height": 96}


def run(
    name: Annotated[Sequence[str], f"studies to run, of: {', '.join(names())}; none lists them with their titles"] = (),
    *,
    data: Annotated[Path | None, f"prepared data (default: {PREPARED}; with --quick a tiny generated town)"] = None,
    out: Annotated[Path, "folder for pages, charts and their index; quick runs go to its folder quick"] = Path(
        "reports/studies"
    ),
    models: Annotated[Path, "folder for trained nets, which studies share"] = Path("models/studies"),
    model: Annotated[Path | None, "an exported clockwork for studies of video (default: one trained for them)"] = None,
    seeds: Annotated[str | None, "such as 0,1,2 (default: the study's)"] = None,
    quick: Annotated[bool, "one seed and next to no training: only to see that a study runs through"] = False,
    redraw: Annotated[bool, "train nothing: draw the page again from the figures in --out"] = False,
    params_file: Annotated[Path, "parameters that the study's own go over"] = PARAMS_FILE,
    tracking: Annotated[str | None, "MLflow store, or none; MLFLOW_TRACKING_URI, else sqlite:///mlflow.db"] = None,
) -> StudyReport | Listing:
    """Run studies of the thesis and write a page each: our figures beside the thesis's, and whether its claim holds.

    A training that any study ran before is used again, and an interrupted study goes on where it was. Raises
    ParamsError where there is no such study or a parameter is bad, DataError where the data lacks what it needs.
    """
    if not name:
        return Listing()
    from pixelwise.studies.pages import require_own_index

    studies, out = [load(one) for one in name], out / "quick" if quick else out
    require_own_index(out)
    following = spelled(data or PREPARED, params_file, model)
    if redraw:
        return StudyReport(out, tuple(draw_again(study, out) for study in studies), following)
    wanted = whole_numbers(seeds) if seeds is not None else None
    with prepared(data, quick) as folder:
        # These load torch, which a list of the studies does not need.
        from components import export, train
        from pixelwise.studies.bench import Bench
        from pixelwise.studies.requirements import require_sound

        shipped = partial(export.run, export.ExportParams())
        steps = (train.learn, train.origin, shipped)
        bench = Bench(PreparedData(folder), models, params_file, tracking, quick, *steps, model)
        for study in studies:
            require_sound(study, bench)
        given = None if quick and data is None else relative(data or PREPARED)
        named = relative(model) if model else None
        command = f"{'--quick ' if quick else ''}{spelled(given, relative(params_file), named)}".strip()
        found = [carry_out(study, wanted or study.seeds, bench, out, command) for study in studies]
    return StudyReport(out, tuple(found), following)


def spelled(data: Path | None, params_file: Path, model: Path | None) -> str:
    """The options of a study as one types them, those of the default parameters left out."""
    words = [] if data is None else ["--data", str(data)]
    words += [] if params_file == PARAMS_FILE else ["--params-file", str(params_file)]
    words += [] if model is None else ["--model", str(model)]
    return shlex.join(words)


def whole_numbers(seeds: str) -> tuple[int, ...]:
    """`0,1,2` as numbers. Raises ParamsError where it is something else."""
    parts = [part.strip() for part in seeds.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise ParamsError(f"--seeds: found {seeds!r}, expected different whole numbers such as 0,1,2")
    return tuple(int(part) for part in parts)


@contextmanager
def prepared(data: Path | None, is_quick: bool) -> Iterator[Path]:
    """The folder of prepared data: `data`, the default, or for a quick run without any a tiny town for as long."""
    if data or not is_quick:
        yield data or PREPARED
        return
    from components import ingest

    with TemporaryDirectory(prefix="pixelwise-") as folder:
        params = parse(ingest.IngestParams, {"dataset": "town", "town": TINY}, "tiny town")
        ingest.run(params, Path(folder) / "prepared")
        yield Path(folder) / "prepared"


def relative(path: Path) -> Path:
    """The path as the page may show it: what lies where on a machine is nobody's business."""
    return Path(path.name) if path.is_absolute() else path


def carry_out(study: Study, seeds: Sequence[int], bench: "Bench", out: Path, options: str) -> Outcome:
    """Every variant with every seed, then the page and its words. options: those of the command, for the page."""
    from pixelwise.studies.kinds import TOGETHER

    # Chance has no part in what is not trained.
    seeds = seeds[:1] if bench.is_quick or not study.is_trained else seeds
    sheet: bytes | None = None
    if study.kind in TOGETHER:
        found = TOGETHER[study.kind](study, bench)
        runs = {name: [run] for name, run in found.runs.items()}
        own = drawn(found.pictures, found.predictions, {}, bench.data.classes) if found.pictures else None
        sheet = found.sheet or own
    else:
        runs = one_by_one(study, seeds, bench)
        sheet = pictures(study, seeds[0], bench) if study.kind in ("train", "scale") else None
    measured = Measured(
        dataset=bench.data.name,
        data_sha256=sha256_file(bench.data.root / DATASET_FILE),
        split=bench.val_split(study),
        images={split: len(bench.data.split(split)) for split in bench.data.splits},
        command=f"pixelwise study {study.name} {options} --seeds {','.join(map(str, seeds))}",
        is_quick=bench.is_quick,
        parameters=shared(study, bench.params_file),
        rows=tuple(Figures(name=name, runs=tuple(found)) for name, found in runs.items()),
    )
    return told(outcome_of(study, measured), out, sheet)


def one_by_one(study: Study, seeds: Sequence[int], bench: "Bench") -> dict[str, list[Run]]:
    """The runs of every variant, one a seed."""
    from pixelwise.studies.kinds import MEASURES
    from pixelwise.studies.requirements import named

    runs: dict[str, list[Run]] = {variant.name: [] for variant in study.variants}
    bar = progress([(variant, seed) for seed in seeds for variant in study.variants], study.name)
    for variant, seed in bar:
        bar.set_description(f"{study.name}: {variant.name}, seed {seed}")
        with named(study, variant):
            runs[variant.name].append(MEASURES[study.kind](study, variant, seed, bench))
    return runs


def told(outcome: Outcome, out: Path, pictures: bytes | None) -> Outcome:
    """Write the page and print its words: what ended is not lost where a later study fails."""
    from pixelwise.studies.pages import write_study

    write_study(out, outcome, pictures)
    print(f"{text_of(outcome)}\npage: {out / outcome.study.name}.html\n", flush=True)
    return outcome


def pictures(study: Study, seed: int, bench: "Bench") -> bytes:
    """A PNG of a few validation images with the prediction of every variant that labels their classes."""
    from pixelwise.studies.predictions import shown
    from pixelwise.studies.requirements import named
    from pixelwise.studies.scales import maps
    from pixelwise.studies.trainings import predicted

    found, scales = {}, {}
    for variant in study.variants:
        if study.chart in (variant.columns or study.columns):
            with named(study, variant):
                found[variant.name] = predicted(study, variant, seed, bench)
                if study.kind == "scale":
                    scales[f"{variant.name}: scale"] = maps(study, variant, seed, bench)
    split = bench.data.split(bench.val_split(study))
    return drawn([split[index] for index in shown(len(split))], found, scales, split.classes)


def drawn(
    samples: Sequence[Sample],
    predictions: Mapping[str, Sequence[np.ndarray]],
    maps: "Mapping[str, Sequence[Picture]]",
    classes: Classes,
) -> bytes:
    """A PNG of each sample's image and label, what every variant predicts, and what else is mapped."""
    from pixelwise.studies.pages import pictures_sheet

    return pictures_sheet([(one.id, one.image, one.label) for one in samples], predictions, maps, classes)


def draw_again(study: Study, out: Path) -> Outcome:
    """The page anew from an earlier run's figures, in the words and with the expectations of today."""
    return told(outcome_of(study, read_measured(out / f"{study.name}.json")), out, None)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
