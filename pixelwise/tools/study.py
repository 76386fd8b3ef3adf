"""Run studies of the thesis: train the variants of a table, judge its claim, write a page that compares the figures."""

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
from pixelwise.errors import DataError, ParamsError
from pixelwise.families.origin import origin
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.params import PARAMS_FILE, parse
from pixelwise.progress import progress
from pixelwise.studies.outcome import Figures, Measured, Outcome, Run, judge_study, read_measured
from pixelwise.studies.report import Listing, StudyReport, format_outcome
from pixelwise.studies.study import Study, load, names

if TYPE_CHECKING:
    from PIL import Image

    from pixelwise.reporting.label_images import Picture
    from pixelwise.studies.bench import Bench

PREPARED = Path("data/prepared")
# A town that is rendered in seconds, for a study that only has to run through.
TINY = {"train_clips": 4, "val_clips": 1, "test_clips": 1, "frames": 3, "width": 224, "height": 96}


def run(
    name: Annotated[
        Sequence[str], f"studies to run; without a name, list them with their titles: {', '.join(names())}"
    ] = (),
    *,
    data: Annotated[Path | None, f"prepared data (default: {PREPARED}; with --quick a tiny generated town)"] = None,
    out: Annotated[Path, "folder for figures, pages and their index; quick runs go to its folder quick"] = Path(
        "reports/studies"
    ),
    models: Annotated[Path, "folder for trained nets, which studies share"] = Path("models/studies"),
    model: Annotated[Path | None, "an exported clockwork for studies of video (default: one trained for them)"] = None,
    seeds: Annotated[str | None, "such as 0,1,2 (default: the study's)"] = None,
    quick: Annotated[bool, "one seed and very short trainings: only checks that a study runs"] = False,
    redraw: Annotated[bool, "draw pages from the figures in --out; without a name, all of them"] = False,
    params_file: Annotated[Path, "parameters that the study overrides"] = PARAMS_FILE,
    tracking: Annotated[str | None, "MLflow store, or none; MLFLOW_TRACKING_URI, else sqlite:///mlflow.db"] = None,
) -> StudyReport | Listing:
    """Run studies of the thesis and write a page for each: our figures beside the thesis's, and the verdict.

    Studies share trainings: a training that an earlier study ran is reused. An interrupted study resumes. Raises
    ParamsError for an unknown study or a bad parameter, DataError where the data lacks what a study needs.
    """
    out = out / "quick" if quick else out
    name = name or (recorded_studies(out) if redraw else ())
    if not name:
        return Listing()
    from pixelwise.studies.index import require_own_index

    studies = [load(one) for one in name]
    require_own_index(out)
    following = format_options(data or PREPARED, params_file, model)
    if redraw:
        return StudyReport(out, tuple(redraw_study(study, out) for study in studies), following)
    wanted = parse_seeds(seeds) if seeds is not None else None
    with open_prepared(data, quick) as folder:
        # These load torch, which a list of the studies does not need.
        from components import export
        from pixelwise.families.trainer import learn
        from pixelwise.studies.bench import Bench
        from pixelwise.studies.requirements import require_sound

        shipped = partial(export.run, export.ExportParams())
        steps = (learn, origin, shipped)
        bench = Bench(PreparedData(folder), models, params_file, tracking, quick, *steps, model)
        for study in studies:
            require_sound(study, bench)
        given = None if quick and data is None else hide_folder(data or PREPARED)
        named = hide_folder(model) if model else None
        command = f"{'--quick ' if quick else ''}{format_options(given, hide_folder(params_file), named)}".strip()
        found = [run_study(study, wanted or study.seeds, bench, out, command) for study in studies]
    return StudyReport(out, tuple(found), following)


def recorded_studies(out: Path) -> list[str]:
    """Names of the studies that have figures in `out`. Raises DataError where there are none."""
    found = [name for name in names() if (out / f"{name}.json").is_file()]
    if not found:
        raise DataError(f"{out}: found no figures of a study, expected files such as {names()[0]}.json")
    return found


def format_options(data: Path | None, params_file: Path, model: Path | None) -> str:
    """Format the options of a study as the user types them, without the default parameters file."""
    words = [] if data is None else ["--data", str(data)]
    words += [] if params_file == PARAMS_FILE else ["--params-file", str(params_file)]
    words += [] if model is None else ["--model", str(model)]
    return shlex.join(words)


def parse_seeds(seeds: str) -> tuple[int, ...]:
    """Parse `0,1,2`. Raises ParamsError for anything but different whole numbers."""
    parts = [part.strip() for part in seeds.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise ParamsError(f"--seeds: found {seeds!r}, expected different whole numbers such as 0,1,2")
    return tuple(int(part) for part in parts)


@contextmanager
def open_prepared(data: Path | None, is_quick: bool) -> Iterator[Path]:
    """Yield the folder of prepared data: `data`, else the default; a quick run without `data` gets a temporary town."""
    if data or not is_quick:
        yield data or PREPARED
        return
    from components import ingest

    with TemporaryDirectory(prefix="pixelwise-") as folder:
        params = parse(ingest.IngestParams, {"dataset": "town", "town": TINY}, "tiny town")
        ingest.run(params, Path(folder) / "prepared")
        yield Path(folder) / "prepared"


def hide_folder(path: Path) -> Path:
    """Return the path as the page shows it. An absolute path becomes its name, so that no page shows local folders."""
    return Path(path.name) if path.is_absolute() else path


def run_study(study: Study, seeds: Sequence[int], bench: "Bench", out: Path, options: str) -> Outcome:
    """Run every variant with every seed, write the page and print the figures. An untrained study uses one seed.

    options: the command's options as the page shows them.
    """
    from pixelwise.studies.kinds import TOGETHER

    # Without training there is no randomness, so one seed is enough.
    seeds = seeds[:1] if bench.is_quick or not study.is_trained else seeds
    sheet: Image.Image | None = None
    if study.kind in TOGETHER:
        found = TOGETHER[study.kind](study, bench)
        runs = {name: [run] for name, run in found.runs.items()}
        own = draw_sheet(found.pictures, found.predictions, {}, bench.data.classes) if found.pictures else None
        sheet = found.sheet or own
    else:
        runs = run_variants(study, seeds, bench)
        sheet = draw_predictions(study, seeds[0], bench) if study.kind in ("train", "scale") else None
    measured = Measured(
        dataset=bench.data.name,
        data_sha256=sha256_file(bench.data.root / DATASET_FILE),
        split=bench.val_split(study),
        images={split: len(bench.data.split(split)) for split in bench.data.splits},
        command=f"pixelwise study {study.name} {options} --seeds {','.join(map(str, seeds))}",
        is_quick=bench.is_quick,
        parameters=bench.shared(study),
        rows=tuple(Figures(name=name, runs=tuple(found)) for name, found in runs.items()),
    )
    return record_study(judge_study(study, measured), out, sheet)


def run_variants(study: Study, seeds: Sequence[int], bench: "Bench") -> dict[str, list[Run]]:
    """Run every variant once per seed."""
    from pixelwise.studies.kinds import MEASURES
    from pixelwise.studies.requirements import named

    runs: dict[str, list[Run]] = {variant.name: [] for variant in study.variants}
    bar = progress([(variant, seed) for seed in seeds for variant in study.variants], study.name)
    for variant, seed in bar:
        bar.set_description(f"{study.name}: {variant.name}, seed {seed}")
        with named(study, variant):
            runs[variant.name].append(MEASURES[study.kind](study, variant, seed, bench))
    return runs


def record_study(outcome: Outcome, out: Path, sheet: "Image.Image | None") -> Outcome:
    """Write the figures and the pictures of a study, then draw its page."""
    from pixelwise.studies.pages import write_sheet

    write_json(out / f"{outcome.study.name}.json", outcome.measured.model_dump(mode="json"))
    if sheet:
        write_sheet(out, outcome.study.name, sheet)
    return publish(outcome, out)


def publish(outcome: Outcome, out: Path) -> Outcome:
    """Draw the page and the index, and print the figures at once: a later study may fail."""
    from pixelwise.studies.index import write_index
    from pixelwise.studies.pages import draw_study

    draw_study(out, outcome)
    write_index(out)
    print(f"{format_outcome(outcome)}\npage: {out / outcome.study.name}.html\n", flush=True)
    return outcome


def draw_predictions(study: Study, seed: int, bench: "Bench") -> "Image.Image":
    """Draw a few validation images with the prediction of every variant that labels their classes."""
    from pixelwise.studies.predictions import choose_indices
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
    return draw_sheet([split[index] for index in choose_indices(len(split))], found, scales, split.classes)


def draw_sheet(
    samples: Sequence[Sample],
    predictions: Mapping[str, Sequence[np.ndarray]],
    maps: "Mapping[str, Sequence[Picture]]",
    classes: Classes,
) -> "Image.Image":
    """Draw each sample's image and label, all predictions and further maps."""
    from pixelwise.studies.pages import build_sheet

    return build_sheet([(one.id, one.image, one.label) for one in samples], predictions, maps, classes)


def redraw_study(study: Study, out: Path) -> Outcome:
    """Draw the page from the recorded figures, with the study's present text and expectations."""
    return publish(judge_study(study, read_measured(out / f"{study.name}.json")), out)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise study` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
