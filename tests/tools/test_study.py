"""Studies from data to page, on a tiny town."""

import json
import threading
from pathlib import Path

import pytest
from support.image_sets import mask, noise, save

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families import trainer
from pixelwise.families.origin import origin
from pixelwise.identity import PROJECT
from pixelwise.params import parse
from pixelwise.studies import kinds
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import judge_study, read_measured
from pixelwise.studies.requirements import require_sound
from pixelwise.studies.study import Study
from pixelwise.studies.trainings import trained
from pixelwise.tools import study
from pixelwise.tracking.store import connect
from pixelwise.training.still_images import StillImageTask

PARAMS = PROJECT / "params.yaml"
TWO = {
    "name": "two",
    "title": "Two rates",
    "thesis": "nowhere",
    "claim": "The higher rate learns more.",
    "data": "any",
    "base": {
        "epochs": 1,
        "batch_size": 2,
        "warmup_steps": 0,
        "validate_every": 1,
        "network": {"strides": [32]},
        "augment": {"crop_width": 64, "crop_height": 64},
    },
    "columns": ["mean_iu", "seconds"],
    "variants": [{"name": "high", "thesis": {"mean_iu": 63.6}}, {"name": "low", "overrides": {"learning_rate": 1e-6}}],
    "trend": [{"better": "high", "worse": "low"}],
}


def two(**changes) -> Study:
    return parse(Study, {**TWO, **changes}, "study two")


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Trained nets, which the tests share as studies do."""
    return tmp_path_factory.mktemp("models")


def never(*arguments):
    pytest.fail("a training ran again")


def bench(data, models, learn=trainer.learn, tracking="none", is_quick=False) -> Bench:
    return Bench(PreparedData(data), models, PARAMS, tracking, is_quick, learn, origin, never)


@pytest.fixture(scope="module")
def ran(data, models, tmp_path_factory):
    """A study of two variants, and the folder of its page."""
    out = tmp_path_factory.mktemp("studies")
    return study.run_study(two(), (0,), bench(data, models), out, "--data data/prepared"), out


def test_the_page_has_both_sides_numbers_the_verdict_and_no_absolute_path(ran, data):
    outcome, out = ran
    page = (out / "two.html").read_text()
    ours = outcome.rows[0].format("mean_iu")
    assert f'<td class="number">{ours}</td><td class="number">63.6</td>' in page
    assert outcome.verdict == f"{outcome.trend[0].verdict} (one seed)"
    assert f"<b>{outcome.verdict}</b>" in page
    assert "learning_rate: 1e-06" in page
    assert "<dt>network.strides</dt><dd>[32]</dd>" in page
    assert "http" not in page
    assert "pixelwise study two --data data/prepared --seeds 0" in page
    assert page.count("<img ") == 2
    for file in ("two.html", "two.json", "README.md"):
        text = (out / file).read_text()
        assert str(data) not in text
        assert str(PROJECT) not in text


def test_the_figures_can_be_read_back_as_they_were(ran):
    outcome, out = ran
    assert read_measured(out / "two.json") == outcome.measured
    assert judge_study(two(), read_measured(out / "two.json")) == outcome


def test_a_training_lies_under_the_fingerprint_that_train_gave_it(ran, models):
    for row in ran[0].rows:
        (run,) = row.runs
        described = json.loads((models / run.fingerprint[:16] / "model.json").read_text())
        assert described["fingerprint"] == run.fingerprint
    assert not list((models / ".state").iterdir())


def test_what_ran_before_is_used_again_by_the_same_study_and_by_others(ran, data, models, tmp_path):
    again = study.run_study(two(), (0,), bench(data, models, never), tmp_path, "")
    assert again.rows == ran[0].rows
    other = two(name="other", variants=[{"name": "mine"}], trend=[])
    found = study.run_study(other, (0,), bench(data, models, never), tmp_path, "")
    assert found.rows[0].runs == ran[0].rows[0].runs


def test_a_study_stopped_within_an_epoch_goes_on_to_the_figures_of_one_that_was_not(data, tmp_path, monkeypatch):
    pair = two(base={**TWO["base"], "epochs": 2})
    whole = study.run_study(pair, (0,), bench(data, tmp_path / "whole"), tmp_path / "unbroken", "")
    drawn, begun, sample = [], [], StillImageTask.sample

    def stopped(task, seed, epoch, index):
        drawn.append(epoch)
        # Four pictures an epoch: the second batch of the second variant's second epoch.
        if len(drawn) == 15:
            raise KeyboardInterrupt
        return sample(task, seed, epoch, index)

    def counted(params, *others):
        begun.append(params.learning_rate)
        return trainer.learn(params, *others)

    cut = bench(data, tmp_path / "models", counted)
    monkeypatch.setattr(StillImageTask, "sample", stopped)
    with pytest.raises(KeyboardInterrupt):
        study.run_study(pair, (0,), cut, tmp_path / "broken", "")
    assert len(begun) == 2
    assert not (tmp_path / "broken").exists()
    drawn[:] = [None] * 15
    again = study.run_study(pair, (0,), cut, tmp_path / "broken", "")
    # The first variant ran once; of the second, the finished epoch was kept.
    assert len(begun) == 3
    assert begun[1] == begun[2]
    assert drawn[15:] == [1] * 4
    assert [row.means["mean_iu"] for row in again.rows] == [row.means["mean_iu"] for row in whole.rows]


def test_variants_may_share_a_training_and_differ_in_what_is_hidden_as_it_is_scored(ran, data, models, tmp_path):
    hidden = {"augment": {"masking": "foreground", "foreground": ["road", "building"]}}
    shared = two(variants=[{"name": "seen"}, {"name": "hidden", "evaluate": hidden}], trend=[])
    found = study.run_study(shared, (0,), bench(data, models, never), tmp_path, "")
    seen, masked = (row.runs[0] for row in found.rows)
    assert seen.fingerprint == masked.fingerprint
    assert seen.scores["mean_iu"] != masked.scores["mean_iu"]


def runs_in(client, experiment):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def test_a_training_is_a_run_of_its_study_and_once_a_small_one_of_each_that_uses_it_again(data, tmp_path, mlflow_store):
    client, on = connect(mlflow_store), bench(data, tmp_path, tracking=mlflow_store)
    first, second = (two(name=name, variants=[{"name": "only"}], trend=[]) for name in ("first", "second"))
    (run,) = study.run_study(first, (0,), on, tmp_path, "").rows[0].runs
    (trained,) = runs_in(client, "first")
    assert (trained.info.run_id, run.experiment) == (run.run_id, "first")
    assert trained.info.run_name == "only, seed 0"
    assert {key: trained.data.tags[key] for key in ("study", "variant", "seed")} == {
        "study": "first",
        "variant": "only",
        "seed": "0",
    }
    for one in (first, second, second):
        study.run_study(one, (0,), on, tmp_path, "")
    assert len(runs_in(client, "first")) == 1
    (reused,) = runs_in(client, "second")
    assert reused.data.tags["reused_from"] == run.run_id
    assert reused.data.tags["study"] == "second"
    assert reused.data.metrics["val/mean_iu"] == pytest.approx(run.scores["mean_iu"])


def test_an_untracked_training_gets_a_run_where_tracking_is_on_and_quick_ones_are_apart(
    ran, data, models, tmp_path, mlflow_store
):
    one = two(name="late", quick={}, variants=[{"name": "high"}], trend=[])
    study.run_study(one, (0,), bench(data, models, never, mlflow_store, is_quick=True), tmp_path, "")
    client = connect(mlflow_store)
    (run,) = runs_in(client, "late-quick")
    assert "reused_from" not in run.data.tags
    assert not runs_in(client, "late")


def test_of_two_studies_at_once_one_trains_and_the_other_waits_for_it(data, tmp_path):
    begun, models = [], tmp_path / "models"

    def counted(params, *others):
        begun.append(params.seed)
        waiting.start()
        # Long enough for the other to come to the lock, were it not held.
        waiting.join(1.0)
        assert waiting.is_alive()
        return trainer.learn(params, *others)

    one = two(variants=[{"name": "high"}], trend=[])
    found = []
    waiting = threading.Thread(
        target=lambda: found.append(trained(one, one.variants[0], 0, bench(data, models, never))), daemon=True
    )
    first = trained(one, one.variants[0], 0, bench(data, models, counted))
    waiting.join(60)
    assert found == [first]
    assert begun == [0]


def test_a_quick_study_runs_through_and_is_kept_apart(data, tmp_path, capsys):
    report = study.run(
        ["table-2.2"],
        data=data,
        out=tmp_path / "studies",
        models=tmp_path / "models",
        quick=True,
        params_file=PARAMS,
        tracking="none",
    )
    assert {file.name for file in (tmp_path / "studies" / "quick").iterdir()} == {
        "README.md",
        *(f"table-2.2{end}" for end in (".html", ".json", ".png", "-pictures.webp")),
    }
    assert [len(row.runs) for row in report.outcomes[0].rows] == [1, 1, 1]
    assert "(63.6)" in capsys.readouterr().out
    assert str(report) == f"next: pixelwise study table-2.2 --data {data} --params-file {PARAMS}"
    page = (tmp_path / "studies" / "quick" / "table-2.2.html").read_text()
    assert f"pixelwise study table-2.2 --quick --data {data.name} --seeds 0" in page


def test_a_quick_study_without_data_makes_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "TINY", {**study.TINY, "train_clips": 1, "frames": 1})
    options = {"out": tmp_path, "models": tmp_path / "models", "params_file": PARAMS, "tracking": "none"}
    report = study.run(["oracle"], quick=True, **options)
    assert report.outcomes[0].measured.images == {"train": 1, "val": 1, "test": 1}
    assert report.outcomes[0].measured.command == "pixelwise study oracle --quick --seeds 0"


def test_a_study_without_training_needs_no_seeds_and_can_be_drawn_again(data, tmp_path):
    options = {"data": data, "out": tmp_path / "studies", "models": tmp_path / "models", "params_file": PARAMS}
    first = study.run(["oracle"], seeds="0,1", **options).outcomes[0]
    assert [len(row.runs) for row in first.rows] == [1] * 6
    ious = [row.means["mean_iu"] for row in first.rows]
    assert ious == sorted(ious)
    page = tmp_path / "studies" / "oracle.html"
    before = page.read_text()
    assert "factor: 128" in before
    assert "Trainings" not in before
    assert "spread" not in before
    page.unlink()
    assert study.run(["oracle"], redraw=True, **options).outcomes[0] == first
    assert page.read_text() == before
    index = (tmp_path / "studies" / "README.md").read_text()
    assert "[oracle](#oracle)" in index
    assert "## oracle" in index
    assert study.run(redraw=True, **options).outcomes == (first,)
    assert "| table-2.2 |" in index


def test_without_a_name_the_studies_are_listed_with_their_titles():
    assert "  table-2.2               Table 2.2: accumulation, online and heavy learning\n" in str(study.run())


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("table-9.9", {}, ParamsError, "study 'table-9.9': unknown, expected one of: composition-beside-fcn, "),
        ("oracle", {"seeds": "0,x"}, ParamsError, "--seeds: found '0,x', expected different whole numbers"),
        ("oracle", {"seeds": "1,1"}, ParamsError, "--seeds: found '1,1'"),
        ("oracle", {"redraw": True}, DataError, "oracle.json: no such file, expected what `pixelwise study oracle`"),
        ("oracle", {}, DataError, "no dataset.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(name, options, error, said, tmp_path):
    with pytest.raises(error) as raised:
        study.run([name], data=tmp_path, out=tmp_path / "out", params_file=PARAMS, **options)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_page_is_drawn_again_from_what_an_older_version_wrote(ran, tmp_path):
    outcome, out = ran
    kept = json.loads((out / "two.json").read_text())
    for row in kept["rows"]:
        row |= {"note": "old", "thesis": {"mean_iu": 1.0}, "means": {"mean_iu": 2.0}, "spreads": {}}
    older = {**kept, "study": {"name": "two", "varants": []}, "trend": [{"expected": {"batter": "high"}}]}
    (tmp_path / "two.json").write_text(json.dumps(older))
    more = two(claim="In today's words.", variants=[*TWO["variants"], {"name": "new"}])
    again = study.redraw_study(more, tmp_path)
    assert [row.means for row in again.rows] == [*(row.means for row in outcome.rows), {}]
    page = (tmp_path / "two.html").read_text()
    assert "In today&#x27;s words." in page
    assert "not run" in page


@pytest.mark.parametrize("damage", ["{", "[]", "3", "", '{"dataset": 3}', "\xff"])
def test_a_damaged_file_of_another_study_costs_no_page(ran, damage, tmp_path):
    (tmp_path / "table-2.2.json").write_bytes(damage.encode("latin-1"))
    with pytest.raises(DataError, match=r"table-2.2.json: .*expected what `pixelwise study table-2.2`") as raised:
        study.run(["table-2.2"], redraw=True, out=tmp_path)
    assert "\n" not in str(raised.value)
    (tmp_path / "two.json").write_text((ran[1] / "two.json").read_text())
    study.redraw_study(two(), tmp_path)
    assert "| – | unreadable |" in (tmp_path / "README.md").read_text()


def test_a_readme_of_another_kind_is_never_overwritten(tmp_path):
    (tmp_path / "README.md").write_text("# Our project\n")
    with pytest.raises(DataError, match=r"README\.md: found another file, expected none or one that begins with"):
        study.run(["oracle"], out=tmp_path, data=tmp_path, params_file=PARAMS)
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]


def test_what_ended_is_told_though_a_later_study_fails(data, tmp_path, capsys, monkeypatch):
    def fails(*arguments):
        raise ModelError("no weights")

    monkeypatch.setitem(kinds.MEASURES, "train", fails)
    options = {"data": data, "out": tmp_path, "models": tmp_path / "models", "params_file": PARAMS}
    with pytest.raises(ModelError, match=r"^study table-2\.3: FCN-32s: no weights$"):
        study.run(["oracle", "table-2.3"], **options)
    assert "page: " in capsys.readouterr().out
    assert (tmp_path / "oracle.html").exists()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Prepared pictures of two sizes, without layers."""
    root = tmp_path_factory.mktemp("plain")
    for split in ("train", "val"):
        for seed, size in enumerate([(40, 32), (48, 32)]):
            save(noise(seed, size), root / "raw" / split / "images" / f"{split}{seed}.png")
            save(mask(seed, 2, size), root / "raw" / split / "masks" / f"{split}{seed}.png")
    (root / "raw" / "classes.yaml").write_text("names: [nothing, thing]\n")
    ingest.run(ingest.IngestParams(dataset="folder", root=root / "raw"), root / "prepared")
    return root / "prepared"


@pytest.mark.parametrize(
    ("variant", "error", "said"),
    [
        ({"epochs": 0}, ParamsError, "study two: bad.epochs: found 0, expected: Input should be greater than 0"),
        ({"train_split": "more"}, DataError, "study two: bad: prepared data .*: no split more, expected one of: train"),
        ({"network": {"inputs": "hha"}}, DataError, "study two: bad: prepared data .*: no layer hha, found: none"),
        ({"network": {"heads": "both"}}, DataError, "study two: bad: prepared data .*: no layer geometry, found: none"),
        (
            {"augment": {"whole": True}},
            DataError,
            "study two: bad: augment.whole with batch_size 2: found pictures of ",
        ),
    ],
)
def test_what_a_variant_lacks_is_found_before_anything_is_trained(variant, error, said, plain, tmp_path):
    bad = two(variants=[{"name": "fine"}, {"name": "bad", "overrides": variant}], trend=[])
    with pytest.raises(error, match=f"^{said}"):
        require_sound(bad, bench(plain, tmp_path, never))
