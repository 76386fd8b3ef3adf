"""Run studies of the thesis: train the variants of a table, judge its claim, write a page with the figures."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pixelwise import command
from pixelwise.data.prepared import DATASET_FILE, PreparedData
from pixelwise.errors import DataError, ParamsError
from pixelwise.families.origin import origin
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.params import PARAMS_FILE, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.index import require_own_index, write_index
from pixelwise.studies.kinds import find_kind
from pixelwise.studies.outcome import Outcome, judge_study
from pixelwise.studies.pages import draw_study, write_sheet
from pixelwise.studies.provenance import describe_model, watch
from pixelwise.studies.records import Figures, Measured, read_measured
from pixelwise.studies.report import Listing, StudyReport, format_outcome
from pixelwise.studies.status import Status
from pixelwise.studies.study import Study, list_studies, load_study

PREPARED = Path("data/prepared")
# A town for quick runs without data. It is rendered in seconds.
TINY = {"train_clips": 4, "val_clips": 1, "test_clips": 1, "frames": 3, "width": 224, "height": 96}


def run(
    name: Annotated[
        Sequence[str], f"studies to run; without a name, list them with their titles: {', '.join(list_studies())}"
    ] = (),
    *,
    data: Annotated[Path | None, f"prepared data (default: {PREPARED}; with --quick a tiny generated town)"] = None,
    out: Annotated[Path, "folder for figures, pages and their index; quick runs go to its folder quick"] = Path(
        "reports/studies"
    ),
    models: Annotated[Path, "folder for trained nets, which studies share"] = Path("models/studies"),
    model: Annotated[
        Path | None, "exported clockwork or guided model for a study that needs one (default: it trains its own)"
    ] = None,
    seeds: Annotated[str | None, "such as 0,1,2 (default: the study's)"] = None,
    quick: Annotated[bool, "one seed and very short trainings: only checks that a study runs"] = False,
    all: Annotated[bool, "run every study that is meant for the data"] = False,  # noqa: A002 - the option's name
    status: Annotated[bool, "print the thesis's items: their tests, and the verdicts of the figures in --out"] = False,
    redraw: Annotated[bool, "draw pages from the figures in --out; without a name, all of them"] = False,
    params_file: Annotated[Path, "parameters that the study overrides"] = PARAMS_FILE,
    tracking: Annotated[str | None, "MLflow store, or none; MLFLOW_TRACKING_URI, else sqlite:///mlflow.db"] = None,
) -> StudyReport | Listing | Status:
    """Run studies of the thesis and write a page for each: our figures beside the thesis's, and the verdict.

    Studies share trainings: a training that an earlier study ran is reused. An interrupted study resumes. Raises
    ParamsError for an unknown study or a bad parameter, DataError if the data lacks what a study needs.
    """
    out = out / "quick" if quick else out
    if status:
        return Status(out, list_studies() if all or not name else [load_study(one).name for one in name])
    name = name or (list_recorded_studies(out) if redraw else ())
    name = name or (list_studies_for(data, quick) if all else ())
    if not name:
        return Listing()
    studies = [load_study(one) for one in name]
    require_own_index(out)
    options = format_options(data or PREPARED, params_file, model)
    if redraw:
        return StudyReport(out, tuple(redraw_study(study, out) for study in studies), options)
    chosen_seeds = parse_seeds(seeds) if seeds is not None else None
    with open_prepared(data, quick) as folder:
        bench = make_bench(folder, models, params_file, tracking, quick, model)
        for study in studies:
            find_kind(study.kind).load_measurement().require(study, bench)
        shown = format_shown_options(data, bench)
        outcomes = [run_study(study, chosen_seeds or study.seeds, bench, out, shown) for study in studies]
    return StudyReport(out, tuple(outcomes), options)


def make_bench(
    data: Path, models: Path, params_file: Path, tracking: str | None, is_quick: bool, model: Path | None
) -> Bench:
    """Make the bench of all studies of one command."""
    # Imported here because torch is large and a list of the studies does not need it.
    from components import export
    from pixelwise.families.trainer import learn

    ship = partial(export.run, export.ExportParams())
    return Bench(PreparedData(data), models, params_file, tracking, is_quick, learn, origin, ship, model)


def list_recorded_studies(out: Path) -> list[str]:
    """List the studies that have figures in `out`. Raises DataError if there are none."""
    recorded = [name for name in list_studies() if (out / f"{name}.json").is_file()]
    if not recorded:
        raise DataError(f"{out}: found no figures of a study, expected files such as {list_studies()[0]}.json")
    return recorded


def list_studies_for(data: Path | None, is_quick: bool) -> list[str]:
    """List the studies that are meant for the prepared data; all of them in a quick run on a generated town."""
    if is_quick and data is None:
        return list_studies()
    dataset = PreparedData(data or PREPARED).name
    return [name for name in list_studies() if load_study(name).dataset in ("", dataset)]


def format_options(data: Path | None, params_file: Path, model: Path | None) -> str:
    """Format the options of a study as the user types them, without the default parameters file."""
    words = [] if data is None else ["--data", str(data)]
    words += [] if params_file == PARAMS_FILE else ["--params-file", str(params_file)]
    words += [] if model is None else ["--model", str(model)]
    return shlex.join(words)


def format_shown_options(data: Path | None, bench: Bench) -> str:
    """Format the options as a page shows them. data: what the user named."""
    shown_data = None if bench.is_quick and data is None else hide_folder(data or PREPARED)
    shown_model = hide_folder(bench.model) if bench.model else None
    options = format_options(shown_data, hide_folder(bench.params_file), shown_model)
    return f"{'--quick ' if bench.is_quick else ''}{options}".strip()


def parse_seeds(seeds: str) -> tuple[int, ...]:
    """Parse `0,1,2`. Raises ParamsError for anything but different whole numbers."""
    parts = [part.strip() for part in seeds.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise ParamsError(f"--seeds: found {seeds!r}, expected different whole numbers such as 0,1,2")
    return tuple(int(part) for part in parts)


@contextmanager
def open_prepared(data: Path | None, is_quick: bool) -> Iterator[Path]:
    """Yield the folder of prepared data: `data` or the default. A quick run without `data` gets a temporary town."""
    if data or not is_quick:
        yield data or PREPARED
        return
    from components import ingest

    with TemporaryDirectory(prefix="pixelwise-") as folder:
        params = parse(ingest.IngestParams, {"dataset": "town", "town": TINY}, "tiny town")
        ingest.run(params, Path(folder) / "prepared")
        yield Path(folder) / "prepared"


def hide_folder(path: Path) -> Path:
    """Return the path as a page shows it. An absolute path becomes its name, so that no page shows local folders."""
    return Path(path.name) if path.is_absolute() else path


def run_study(study: Study, seeds: Sequence[int], bench: Bench, out: Path, options: str) -> Outcome:
    """Measure a study, write its figures, pictures and page, and print the figures.

    A study that no seed changes uses one seed, as does a quick run. options: the command's options as the
    page shows them.
    """
    seeds = seeds[:1] if bench.is_quick or not study.is_seeded else seeds
    describe = watch()
    measurements = find_kind(study.kind).load_measurement().measure(study, seeds, bench)
    measured = Measured(
        dataset=bench.data.name,
        data_sha256=sha256_file(bench.data.root / DATASET_FILE),
        split=bench.find_val_split(study),
        images={split: len(bench.data.split(split)) for split in bench.data.splits},
        command=f"pixelwise study {study.name} {options} --seeds {','.join(map(str, seeds))}",
        is_quick=bench.is_quick,
        parameters=bench.merge_base(study),
        rows=tuple(Figures(name=name, runs=tuple(runs)) for name, runs in measurements.runs.items()),
        model=describe_model(bench.model) if bench.model else {},
        **describe(),
    )
    write_json(out / f"{study.name}.json", measured.model_dump(mode="json"))
    if measurements.sheet:
        write_sheet(out, study.name, measurements.sheet)
    return publish(judge_study(study, measured), out)


def publish(outcome: Outcome, out: Path) -> Outcome:
    """Draw the page and the index, and print the figures at once, because a later study may fail."""
    draw_study(out, outcome)
    write_index(out)
    print(f"{format_outcome(outcome)}\npage: {out / outcome.study.name}.html\n", flush=True)
    return outcome


def redraw_study(study: Study, out: Path) -> Outcome:
    """Draw the page from the recorded figures, with the study's current text and expectations."""
    return publish(judge_study(study, read_measured(out / f"{study.name}.json")), out)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise study` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
