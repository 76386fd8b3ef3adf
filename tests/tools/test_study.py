"""Studies from data to page, on a tiny town."""

import json
import re

import pytest
from support.two_rates import PARAMS, TWO, bench, two

from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.identity import PROJECT
from pixelwise.studies import train
from pixelwise.studies.outcome import judge_study
from pixelwise.studies.records import read_measured
from pixelwise.studies.units import measure_column
from pixelwise.tools import study


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def ran(data, tmp_path_factory):
    """A study of two variants, and the folder of its page."""
    models, out = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("studies")
    return study.run_study(two(), (0,), bench(data, models), out, "--data data/prepared"), out


def test_the_page_has_both_sides_numbers_the_verdict_and_no_absolute_path(ran, data):
    outcome, out = ran
    page = (out / "two.html").read_text()
    ours = outcome.rows[0].format("mean_iu")
    assert f'<td class="number">{ours}</td><td class="number">63.6</td>' in page
    assert outcome.verdict == "undecided: one seed"
    assert outcome.measured.machine in page
    assert outcome.measured.minutes > 0
    for run in (row.runs[0] for row in outcome.rows):
        assert run.units["labels"].shape[0] == outcome.measured.images["val"]
        assert measure_column(run, "mean_iu").score == pytest.approx(run.scores["mean_iu"])
    assert f"<b>{outcome.verdict}</b>" in page
    assert "learning_rate: 1e-06" in page
    assert "<dt>network.strides</dt><dd>[32]</dd>" in page
    assert not re.search("https?:", page)
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
    assert [len(row.runs) for row in report.outcomes[0].rows] == [1, 1, 1, 1]
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

    monkeypatch.setattr(train, "train_variant", fails)
    options = {"data": data, "out": tmp_path, "models": tmp_path / "models", "params_file": PARAMS}
    with pytest.raises(ModelError, match=r"^study table-2\.3: FCN-32s: no weights$"):
        study.run(["oracle", "table-2.3"], **options)
    assert "page: " in capsys.readouterr().out
    assert (tmp_path / "oracle.html").exists()
