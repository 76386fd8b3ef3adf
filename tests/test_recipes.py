"""A recipe is a promise: each family's own net goes from training to the registry, on a few small pictures."""

from pathlib import Path

import pytest
from support.clockwork_model import as_batch
from support.image_sets import write_camvid, write_voc
from support.matlab_sets import write_sbd
from support.object_sets import write_coco_mval, write_davis_frames
from support.tiny_nets import spread_scores
from support.tiny_town import TINY_TOWN

from components import evaluate, export, ingest, register, train
from components.export import ExportParams
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import voc
from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.families import find_options, find_params
from pixelwise.families.trained import load_trained
from pixelwise.nets.backbones import PACKAGED_WEIGHTS
from pixelwise.params import merge, parse, read_section
from pixelwise.tools import use
from pixelwise.training.checkpoints import save_tensors

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parent.parent
RECIPES = sorted((PROJECT / "recipes").glob("*.yaml"))
# What the DAG trains for every recipe, and with which options.
FAMILIES = read_yaml(PROJECT / "dvc.yaml", "the DAG")["vars"][0]["families"]
SIZE = (96, 128)
IDS = {"train": ["a", "b", "c", "d"], "val": ["e", "f", "g"]}
# Two steps, whatever the recipe says; keys that a family lacks are left out.
SHORT = {"epochs": 1, "batch_size": 2, "validate_every": 1, "loader_threads": 1, "device": "cpu"}
SHORT |= {"pairs": 8, "steps": 2, "val_episodes": 2}


def write_camvid_set(root: Path) -> Path:
    return write_camvid(root, {"train": 4, "val": 3}, size=SIZE)


def write_voc_set(root: Path) -> Path:
    """VOC with a list of pictures that SBD labelled, which the recipe learns from too."""
    write_voc(root, {**IDS, "train_sbd": ["h", "i"]}, SIZE)
    return root


def write_sbd_set(root: Path) -> Path:
    """SBD beside VOC, whose val is scored."""
    write_sbd(root, {"train": ["h", "i", "j", "k"], "val": ["l"]}, SIZE)
    write_voc(root, IDS, SIZE)
    return root


def write_guided_set(root: Path) -> Path:
    """VOC, frames of DAVIS, and COCO's objects, of which the recipe hides some categories from training."""
    hidden = read_section(PROJECT / "recipes/guided-cpu.yaml", "guided.train")["held_out"]
    write_voc(root / "voc", IDS, SIZE)
    write_coco_mval(root / "coco_mval", ["couch", *(name for name in hidden if name not in voc.NAMES)] * 2, SIZE)
    write_davis_frames(root / "davis_frames", "aabcdef", SIZE)
    return root


WRITERS = {"camvid": write_camvid_set, "voc": write_voc_set, "sbd": write_sbd_set, "guided": write_guided_set}


def prepare(recipe: Path, folder: Path) -> None:
    """`params.yaml` as `pixelwise use` leaves it, and prepared data in the layout that the recipe names."""
    dataset = read_section(recipe, "ingest")["dataset"]
    file = folder / "params.yaml"
    file.write_bytes((PROJECT / "params.yaml").read_bytes())
    root = WRITERS[dataset](folder / "raw") if dataset in WRITERS else None
    use.run([recipe], root, file)
    small = {"town": TINY_TOWN.model_dump()} if root is None else {}
    params = parse(ingest.IngestParams, merge(read_section(file, "ingest"), small), str(recipe))
    ingest.run(params, folder / "prepared")


def train_shortly(folder: Path, family: str, start: Path | None, store: str) -> Path:
    """The checkpoint of the recipe's own net after two steps."""
    kind = find_params(family).TrainParams
    short = {key: value for key, value in SHORT.items() if key in kind.model_fields}
    values = merge(read_section(folder / "params.yaml", f"{family}.train"), short)
    network = values.get("network", {})
    if network.get("weights") == "imagenet" and network.get("backbone") not in PACKAGED_WEIGHTS:
        # They would be downloaded.
        network["weights"] = "none"
    params = parse(kind, values, f"{family}.train")
    model = folder / family
    train.run(params, family, folder / "prepared", model / "checkpoint", model / "state", store, start=start)
    return model


def train_fcn(recipe: Path, folder: Path) -> None:
    """The recipe's data and FCN, of which two families start, with scores of which none drowns the others."""
    prepare(recipe, folder)
    checkpoint = train_shortly(folder, "fcn", None, "none") / "checkpoint"
    net, split = load_trained(checkpoint)[1], PreparedData(folder / "prepared").split("train")
    spread_scores(net, as_batch([split[index].image for index in range(2)]))
    save_tensors(checkpoint / "weights.safetensors", net.state_dict())


# An FCN-32s has one scored stride, which no clockwork can cut. The recipe's header leaves the clockwork out.
UNCUT = ("voc-thesis", "clockwork")
PAIRS = [(recipe, family) for recipe in RECIPES for family in FAMILIES if (recipe.stem, family) != UNCUT]


@pytest.mark.parametrize(("recipe", "family"), PAIRS, ids=lambda part: getattr(part, "stem", part))
def test_a_recipes_own_net_goes_from_training_to_the_registry(recipe, family, shared, tmp_path, mlflow_store):
    made = shared.folder(f"recipe_{recipe.stem}", lambda folder: train_fcn(recipe, folder))
    for name in ("params.yaml", "prepared"):
        (tmp_path / name).symlink_to(made / name)
    if family == "fcn":
        (tmp_path / "fcn").mkdir()
        (tmp_path / "fcn/checkpoint").symlink_to(made / "fcn/checkpoint")
    else:
        start = made / "fcn/checkpoint" if "start" in FAMILIES[family]["train"] else None
        train_shortly(tmp_path, family, start, mlflow_store)
    model, report = tmp_path / family, tmp_path / "evaluate"
    assert export.run(ExportParams(), model / "checkpoint", model).parity >= 0.999
    options = merge(read_section(tmp_path / "params.yaml", f"{family}.evaluate"), FAMILIES[family]["evaluate"])
    params = parse(find_options(family).EvaluateParams, {**options, "provider": "cpu"}, f"{family}.evaluate")
    evaluate.run(params, model, data=tmp_path / "prepared", out=report)
    assert register.run(family, model, report, tracking=mlflow_store).is_new


def test_a_net_of_one_stride_is_refused_by_the_clockwork_in_one_line(shared, tmp_path):
    recipe = PROJECT / f"recipes/{UNCUT[0]}.yaml"
    made = shared.folder(f"recipe_{recipe.stem}", lambda folder: train_fcn(recipe, folder))
    for name in ("params.yaml", "prepared"):
        (tmp_path / name).symlink_to(made / name)
    with pytest.raises(ParamsError, match=r"^network.borders: found 8, expected some of \[\]$"):
        train_shortly(tmp_path, UNCUT[1], made / "fcn/checkpoint", "none")
