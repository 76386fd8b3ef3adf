"""The staged net of a study of video: a given one, or one that is trained, cut and exported once."""

from pathlib import Path
from typing import Any

from pixelwise.documents import read_json
from pixelwise.families import find
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.file_lock import hold_lock
from pixelwise.model_folder import MODEL_FILE, ModelFolder
from pixelwise.params import merge, parse, read_section
from pixelwise.studies.bench import Bench
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import names_of, trained

FAMILY = "clockwork"
# What variants share, as a variant of its own.
NET = Variant(name="net")
# Of a clock that only has to run through.
QUICK = {"pairs": 2, "steps": 2}


def staged_net(study: Study, bench: Bench) -> Staged:
    """Open the net of `bench.model`, or the study's own. Raises ModelError where a given model has no stages."""
    return open_staged(bench.model or cut_net(study, bench))


def cut_net(study: Study, bench: Bench) -> Path:
    """Train the FCN of the study's base, cut it as params.yaml says, and export it; returns the folder."""
    ran = trained(study, NET, study.seeds[0], bench)
    start = bench.models / str(ran.fingerprint)[:16]
    params = cutting(study, bench, start)
    mark = bench.origin(params, FAMILY, bench.data.root)["fingerprint"][:16]
    place = bench.models / mark
    with hold_lock(bench.models / ".locks" / mark):
        # Export writes export.json last.
        if not ModelFolder(place).export.is_file():
            labels = names_of(study, Variant(name="stages"), study.seeds[0], bench)
            state = bench.models / ".state" / mark
            bench.train(params, FAMILY, bench.data.root, place, state, bench.tracking, *labels)
            bench.export(place, place)
    return place


def cutting(study: Study, bench: Bench, start: Path) -> Any:
    """The parameters that cut the net trained in `start` and train its clock."""
    family: Any = find(FAMILY)
    section = merge(read_section(bench.params_file, f"{FAMILY}.train"), QUICK if bench.is_quick else {})
    params = parse(family.TrainParams, section, f"study {study.name}")
    described = read_json(start / MODEL_FILE, f"a trained model; delete {start} to train again")
    return family.started(params, described, start)
