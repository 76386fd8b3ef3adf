"""The staged net of a study of video: a given one, or one that is trained, cut and exported once."""

from pathlib import Path

from pixelwise.data.class_mapping import make_class_table
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.families.clockwork import family
from pixelwise.families.clockwork.params import TrainParams
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.file_lock import hold_lock
from pixelwise.model_folder import MODEL_FILE, ModelFolder
from pixelwise.params import Params, merge, parse, read_section
from pixelwise.studies.bench import Bench
from pixelwise.studies.requirements import require_overrides, require_training
from pixelwise.studies.study import NET, Study, Variant
from pixelwise.studies.trainings import label_run, train_variant

FAMILY = "clockwork"
# Training of the clock in a quick run.
QUICK = {"pairs": 2, "steps": 2}


def require_staged_study(study: Study, bench: Bench, overrides: type[Params]) -> None:
    """Raise ParamsError at the first variant whose overrides are not `overrides`.

    Raises DataError if the data lacks the scored split or what the study's own net needs, or if a given net has other
    classes; ModelError if a given net is not in stages.
    """
    require_overrides(study, bench, overrides)
    if not bench.model:
        require_training(study, NET, bench)
        return
    names, wanted = open_staged(bench.model).plain.names, bench.data.classes.names
    if names != wanted and make_class_table(names, wanted) is None:
        raise DataError(
            f"{bench.model}: found a net of the classes {', '.join(names)}, expected the data's: {', '.join(wanted)}"
        )


def open_staged_net(study: Study, seed: int, bench: Bench) -> Staged:
    """Open the given net or the study's own. Raises ModelError if a given model is not in stages."""
    return open_staged(bench.model or make_staged_net(study, seed, bench))


def make_staged_net(study: Study, seed: int, bench: Bench) -> Path:
    """Train the FCN of the study's base, cut it as params.yaml says, and export it; return its folder."""
    start = bench.models / str(train_variant(study, NET, seed, bench).fingerprint)[:16]
    params = parse_cut(study, bench, start)
    name = bench.origin(params, FAMILY, bench.data.root)["fingerprint"][:16]
    folder = bench.models / name
    with hold_lock(bench.models / ".locks" / name):
        # Export writes export.json last.
        if not ModelFolder(folder).export.is_file():
            labels = label_run(study, Variant(name="stages"), seed, bench)
            state = bench.models / ".state" / name
            bench.train(params, FAMILY, bench.data.root, folder, state, bench.tracking, *labels)
            bench.export(folder, folder)
    return folder


def parse_cut(study: Study, bench: Bench, start: Path) -> TrainParams:
    """Parse the parameters that cut the net trained in `start` and train its clock."""
    section = merge(read_section(bench.params_file, f"{FAMILY}.train"), QUICK if bench.is_quick else {})
    params = parse(TrainParams, section, f"study {study.name}")
    described = read_json(start / MODEL_FILE, f"a trained model; delete {start} to train again")
    return family.start_from(params, described, start)
