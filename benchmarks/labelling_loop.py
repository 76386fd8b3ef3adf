"""Does ranking save labels? Label round by round, by ranking and at random: `python -m benchmarks.labelling_loop`.

Each seed draws the first pictures, trains on them, then chooses the next ones by the ranking of `pixelwise suggest`, or
at random, and trains anew. The labels are those of the data set. Every round keeps its files, so a stopped run goes on.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, PositiveInt

from benchmarks.labelling_curve import Point, Verdict, judge, render_curves
from components import export, train
from pixelwise import command
from pixelwise.data.prepared import DATASET_FILE, MANIFEST_FILE, SHARDS_FOLDER, PreparedData
from pixelwise.documents import read_json
from pixelwise.errors import DataError, ParamsError
from pixelwise.families import find, find_runtime
from pixelwise.families.trained import load_trained
from pixelwise.files import write_atomically, write_json, write_text
from pixelwise.identity import sha256_file
from pixelwise.labelling.doubt import measure_doubt
from pixelwise.labelling.labelled import look_at
from pixelwise.labelling.looks import measure_looks
from pixelwise.labelling.ranking import rank_pictures
from pixelwise.params import Params, merge, parse, read_section
from pixelwise.progress import progress

Strategy = Literal["ranked", "random"]
STRATEGIES: tuple[Strategy, ...] = ("ranked", "random")
QUICK = {"seeds": ("0",), "first": 4, "rounds": 1, "step": 2, "steps": 2}
SMALL = {"augment": {"crop_width": 64, "crop_height": 64}, "network": {"scale": 1.0}, "batch_size": 2}


class LabellingParams(Params):
    """No section; options only."""

    first: PositiveInt = Field(40, description="labelled pictures to begin with, drawn at random")
    rounds: PositiveInt = Field(5, description="rounds of labelling after the first training")
    step: PositiveInt = Field(20, description="pictures that are labelled in each round")
    seeds: tuple[str, ...] = Field(("0", "1", "2"), description="seeds of the first pictures and of the trainings")
    steps: PositiveInt = Field(800, description="steps of each training, whatever the number of its pictures")
    split: str = Field("test", description="split that is scored")


@dataclass(frozen=True)
class Bench:
    """What every training has in common. ids: of the pictures to choose from. small: parameters of a quick run."""

    params: LabellingParams
    data: PreparedData
    ids: Sequence[str]
    recipe: Path
    out: Path
    small: dict

    def parse(self, pictures: int, seed: int) -> Params:
        """The parameters of a training on so many pictures: the recipe's, with as many epochs as give the steps."""
        given = merge(read_section(self.recipe, "fcn.train"), self.small, {"seed": seed})
        batches = max(1, pictures // given.get("batch_size", 1))
        epochs = math.ceil(self.params.steps / batches)
        # The weights are chosen by three validations: more would take longer than the training.
        given |= {"epochs": epochs, "validate_every": math.ceil(epochs / 3)}
        return parse(find("fcn").TrainParams, given, f"{self.recipe}: fcn.train")


def run(
    params: LabellingParams,
    data: Annotated[Path, "prepared data with train, val and the split that is scored"] = Path("data/prepared"),
    out: Annotated[Path, "folder that keeps every round, the curves and the page"] = Path("reports/labelling"),
    recipe: Annotated[Path, "recipe whose section fcn.train is used"] = Path("recipes/camvid-cpu.yaml"),
    quick: Annotated[bool, "a round of two pictures and two steps, to see that it works"] = False,
) -> Verdict:
    """Train an FCN on more and more labelled pictures, chosen by ranking and at random; draw both curves.

    OUT/curves.html shows them and OUT/curves.json holds them. A round whose score.json is there is not trained again.
    Raises DataError where the data has too few pictures, ParamsError where OUT holds rounds of other settings.
    """
    params = params.model_copy(update=QUICK) if quick else params
    prepared, needed = PreparedData(data), params.first + params.rounds * params.step
    ids = [row["id"] for row in prepared.split("train").rows]
    if len(ids) < needed:
        raise DataError(f"{data}: {len(ids)} pictures in train, expected at least {needed} to choose from")
    bench = Bench(params, prepared, ids[: 2 * needed] if quick else ids, recipe, out, SMALL if quick else {})
    keep_settings(bench)
    points = [point for seed in params.seeds for name in STRATEGIES for point in follow(bench, name, int(seed))]
    verdict = judge(points, out / "curves.html")
    write_json(out / "curves.json", [point._asdict() for point in points])
    write_text(out / "curves.html", render_curves(points, verdict, params.model_dump(), bench.data.name))
    return verdict


def keep_settings(bench: Bench) -> None:
    """Keep the settings of a run. Raises ParamsError if the folder holds rounds of other settings."""
    file, recipe = bench.out / "settings.json", read_section(bench.recipe, "fcn.train")
    settings = {
        "params": bench.params.model_dump(mode="json"),
        "data": sha256_file(bench.data.root / MANIFEST_FILE),
        "recipe": recipe,
        "small": bench.small,
    }
    if read_json(file, "settings", default=settings) != settings:
        raise ParamsError(f"{bench.out}: found rounds of other settings or data, expected another --out")
    write_json(file, settings)


def follow(bench: Bench, strategy: Strategy, seed: int) -> list[Point]:
    """Label by one strategy, round by round; return the score after each training."""
    order = np.random.default_rng(seed).permutation(len(bench.ids))
    chosen, points = [bench.ids[place] for place in order[: bench.params.first]], []
    for number in range(bench.params.rounds + 1):
        # Both strategies begin with the same pictures, and so with the same training.
        folder = bench.out / f"seed-{seed}" / (f"{strategy}-{number}" if number else "start")
        points.append(Point(strategy, seed, len(chosen), train_round(bench, folder, chosen, seed)))
        if number < bench.params.rounds:
            chosen = [*chosen, *choose(bench, folder, strategy, chosen, (seed, number))]
    return points


def train_round(bench: Bench, folder: Path, chosen: Sequence[str], seed: int) -> float:
    """Train on the `chosen` pictures, once; return the mean IU on the split that is scored."""
    file = folder / "score.json"
    if not file.is_file():
        params = bench.parse(len(chosen), seed)
        write_subset(bench.data, chosen, folder / "data")
        train.run(params, "fcn", folder / "data", folder / "checkpoint", folder / "state", tracking="none")
        _, net = load_trained(folder / "checkpoint")
        scored = params.model_copy(update={"val_split": bench.params.split})
        scores = find("fcn").rescore(net, bench.data, scored)
        write_json(file, {"mean_iu": scores["val/mean_iu"], "pictures": list(chosen)})
    return float(read_json(file, "the score of a round; delete it to train again")["mean_iu"])


def choose(bench: Bench, folder: Path, strategy: Strategy, chosen: Sequence[str], draw: tuple[int, int]) -> list[str]:
    """Choose the next pictures by the model of the round in `folder`, or at random by the seed `draw`; once."""
    file = folder / f"next-{strategy}.json"
    if not file.is_file():
        rows, labelled = bench.data.split("train").rows, set(chosen)
        left = [place for place, row in enumerate(rows) if row["id"] in bench.ids and row["id"] not in labelled]
        if strategy == "random":
            ranked = np.random.default_rng(draw).permutation(len(left)).tolist()
        else:
            ranked = rank_left(bench, folder, left)
        write_json(file, [rows[left[place]]["id"] for place in ranked[: bench.params.step]])
    return read_json(file, "the pictures of the next round; delete it to choose again", list[str])


def rank_left(bench: Bench, folder: Path, left: Sequence[int]) -> list[int]:
    """Rank the pictures of train at the places `left` by the model of a round; return places in `left`."""
    # Exporting takes longer than ranking, and writes this file last.
    if not (folder / "export.json").is_file():
        export.run(export.ExportParams(), folder / "checkpoint", folder)
    predictor, split = find_runtime("fcn").open_model(folder), bench.data.split("train")
    doubts, looks = [], []
    for place in progress(left, "rank"):
        image = split.image(place)
        label, doubt = measure_doubt(predictor, image)
        doubts.append(doubt)
        looks.append(measure_looks(image, label, len(predictor.names)))
    known = look_at(PreparedData(folder / "data").split("train"))
    return [each.place for each in rank_pictures(doubts, looks, known)]


def write_subset(data: PreparedData, chosen: Sequence[str], folder: Path) -> None:
    """Write prepared data whose train has the `chosen` pictures alone; its shards are links to those of `data`."""
    is_kept = pc.or_(pc.not_equal(data.manifest["split"], "train"), pc.is_in(data.manifest["id"], pa.array(chosen)))
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / MANIFEST_FILE) as temporary:
        pq.write_table(data.manifest.filter(is_kept), temporary)
    if not (folder / SHARDS_FOLDER).is_symlink():
        (folder / SHARDS_FOLDER).symlink_to((data.root / SHARDS_FOLDER).absolute())
    described = read_json(data.root / DATASET_FILE, "what ingest writes")
    described["splits"]["train"] = len(chosen)
    write_json(folder / DATASET_FILE, described | {"manifest_sha256": sha256_file(folder / MANIFEST_FILE)})


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
