"""The validation gate on a small prepared data set, whole and corrupted in every way that it must catch."""

import hashlib
import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from support.image_sets import mask, write_folder

from components import ingest, validate
from components.ingest import IngestParams
from components.validate import ValidateParams
from pixelwise.errors import DataError
from pixelwise.identity import PROJECT

STEMS = [f"{split}/images/{index}" for split, count in (("train", 6), ("val", 4)) for index in range(count)]
# The pictures of tests/support/image_sets.py are tiny.
SMALL = {"min_side": 16, "min_images": {"train": 1, "val": 1}}


def prepare(root, out, **params):
    ingest.run(IngestParams(dataset="folder", root=root, **params), out)
    return out


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validate")
    return prepare(write_folder(folder / "raw", STEMS), folder / "prepared")


def corrupted(prepared, data, *changes):
    """A copy of the prepared data at `data`, whose manifest rows were changed by functions."""
    shutil.copytree(prepared, data)
    manifest = pq.read_table(data / "manifest.parquet")
    rows = manifest.to_pylist()
    for change in changes:
        change(rows)
    pq.write_table(pa.Table.from_pylist(rows, manifest.schema), data / "manifest.parquet")
    described = json.loads((data / "dataset.json").read_text())
    described["manifest_sha256"] = hashlib.sha256((data / "manifest.parquet").read_bytes()).hexdigest()
    (data / "dataset.json").write_text(json.dumps(described))
    return data


@pytest.fixture
def corrupt(prepared, tmp_path):
    return lambda change: corrupted(prepared, tmp_path / "corrupt", change)


def judged(data, out, accepted=None, **params):
    """(whether the step went through, what it said, verdict.json, failed checks by name)."""
    try:
        said, passed = str(validate.run(ValidateParams(**(SMALL | params)), data, out, accepted)), True
    except DataError as error:
        said, passed = str(error), False
    verdict = json.loads((out / "verdict.json").read_text())
    assert verdict["passed"] == passed
    return passed, said, verdict, {check["name"]: check for check in verdict["checks"] if not check["passed"]}


def put(row, **values):
    return lambda rows: rows[row].update(values)


def copy_picture(source, target, **values):
    return lambda rows: rows[target].update(image_sha256=rows[source]["image_sha256"], **values)


@pytest.mark.covers("validate")
def test_good_data_passes_every_check_and_the_next_command_is_named(prepared, tmp_path):
    passed, said, verdict, failed = judged(prepared, tmp_path)
    assert passed
    assert failed == {}
    assert verdict["counts"]["splits"] == {"train": 6, "val": 4}
    assert verdict["data"] == hashlib.sha256((prepared / "manifest.parquet").read_bytes()).hexdigest()
    assert said.endswith("next: dvc repro")


# Each on rows of its own, so that one run shows that each is caught, and nothing else.
CORRUPTIONS = {
    "the highest label value is a class": (put(2, label_max=7), ["train/2"]),
    "the lowest label value is a class": (put(5, label_min=-3), ["train/5"]),
    "image and label sizes agree": (put(7, label_height=23), ["val/1"]),
    "images are large enough": (put(6, height=8, label_height=8), ["val/0"]),
    "images are not blank": (put(1, std_r=0.0, std_g=0.0, std_b=0.0), ["train/1"]),
    "labels are not all but void": (put(9, void_share=1.0, label_min=-1, label_max=-1), ["val/3"]),
    "every field of the manifest is filled": (put(1, mean_r=None), ["train/1"]),
    "ids are unique": (put(4, id="train/0"), ["train/0", "train/0"]),
    "no picture is in two splits": (copy_picture(source=3, target=8), ["train/3", "val/2"]),
}
DOUBTS = {
    "no picture is twice in a split": (copy_picture(source=3, target=4), "train/3 (train) = train/4 (train)"),
    "image sizes are alike": (put(0, height=2400, label_height=2400), "train/0: 100.0"),
    "no clip is in two splits": (lambda rows: [rows[row].update(clip="street") for row in (0, 9)], "street: train and"),
    "class balance is alike in every split": (put(9, pixels=[99999, 0]), "val: "),
    "every class is in every split": (lambda rows: [row.update(pixels=[9, 0]) for row in rows[6:9]], "thing: val"),
}


@pytest.fixture(scope="session")
def judged_corruptions(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corruptions")
    data = corrupted(prepared, folder / "data", *(change for change, _ in CORRUPTIONS.values()))
    return judged(data, folder / "out")[3], (folder / "out" / "page.html").read_text()


@pytest.fixture(scope="session")
def judged_doubts(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("doubts")
    data = corrupted(prepared, folder / "data", *(change for change, _ in DOUBTS.values()))
    return judged(data, folder / "out")


@pytest.mark.parametrize("check", CORRUPTIONS)
def test_a_corrupted_item_is_caught_by_name(judged_corruptions, check):
    failed, page = judged_corruptions
    items = CORRUPTIONS[check][1]
    assert failed[check]["severity"] == "error"
    assert failed[check]["items"] == items
    assert failed.keys() == CORRUPTIONS.keys()
    assert all(words in page for words in (check, *items))


@pytest.mark.parametrize("check", DOUBTS)
def test_what_is_only_doubtful_is_a_warning_and_passes(judged_doubts, check):
    passed, said, _, failed = judged_doubts
    assert passed
    assert failed[check]["severity"] == "warning"
    assert DOUBTS[check][1] in failed[check]["found"]
    assert failed.keys() == DOUBTS.keys()
    assert f"warning: {check}: " in said


@pytest.mark.covers("validate")
def test_a_failed_gate_says_in_one_line_what_failed_and_where_to_read_more(corrupt, tmp_path):
    said = judged(corrupt(copy_picture(source=3, target=8)), tmp_path / "out")[1]
    assert said == (
        f"{tmp_path / 'corrupt'}: no picture is in two splits: 2 of 10 images: train/3 (train) = val/2 (val), "
        f"expected each picture in one split; see {tmp_path / 'out' / 'page.html'}"
    )


def test_frames_of_one_clip_may_be_the_same_picture(corrupt, tmp_path):
    def stand_still(rows):
        for row in rows[:3]:
            row.update(clip="street", image_sha256=rows[0]["image_sha256"])

    assert judged(corrupt(stand_still), tmp_path / "out")[3] == {}


def test_an_empty_class_is_caught_by_name(tmp_path):
    data = prepare(write_folder(tmp_path / "raw", STEMS, names=["ground", "thing", "unicorn"]), tmp_path / "prepared")
    passed, said, _, failed = judged(data, tmp_path / "out")
    assert not passed
    assert failed["every class is in the training split"]["items"] == ["unicorn"]
    assert "every class is in the training split: 1 of 3 classes: unicorn: 0, expected at least 1" in said


def test_a_truncated_file_is_named_and_too_many_stop_the_pipeline(tmp_path):
    root = write_folder(tmp_path / "raw", STEMS)
    image = root / "train" / "images" / "4.jpg"
    image.write_bytes(image.read_bytes()[:300])
    data = prepare(root, tmp_path / "prepared", max_quarantined_share=0.2)
    passed, said, _, failed = judged(data, tmp_path / "out", max_quarantined_share=0.2)
    assert passed
    assert failed["no file is in quarantine"]["items"] == ["train/4"]
    assert "truncated" in said.lower()
    assert "truncated" in (tmp_path / "out" / "page.html").read_text().lower()
    passed, said, _, failed = judged(data, tmp_path / "out", max_quarantined_share=0.05)
    assert not passed
    assert "few files are in quarantine: 1 of 1 data sets: folder: 10.00%, expected at most 5.00%" in said


def test_a_label_value_without_meaning_is_caught_before_it_reaches_the_manifest(tmp_path):
    root = write_folder(tmp_path / "raw", STEMS)
    mask(0, values=9).save(root / "val" / "masks" / "2.png")
    data = prepare(root, tmp_path / "prepared", max_quarantined_share=0.2)
    failed = judged(data, tmp_path / "out", max_quarantined_share=0.2)[3]
    assert failed["no file is in quarantine"]["items"] == ["val/2"]


def test_a_required_split_that_is_missing_or_too_small_is_named(prepared, tmp_path):
    failed = judged(prepared, tmp_path, min_images={"train": 7, "val": 4, "test": 1})[3]
    assert failed["required splits are large enough"]["items"] == ["train", "test"]
    assert "train: images 6, required 7" in failed["required splits are large enough"]["found"]


def test_data_without_a_training_split_is_refused_for_that(tmp_path):
    data = prepare(write_folder(tmp_path / "raw", ["val/images/0", "val/images/1"]), tmp_path / "prepared")
    _, said, _, failed = judged(data, tmp_path / "out")
    assert "required splits are large enough: 1 of 2 splits: train: images 0, required 1" in said
    assert failed["every class is in the training split"]["items"] == ["ground", "thing"]


def test_a_rare_class_and_a_split_that_is_mostly_void_are_named(corrupt, tmp_path):
    def leave_half_unlabelled(rows):
        for row in rows[6:]:
            row.update(void_share=0.6)

    failed = judged(corrupt(leave_half_unlabelled), tmp_path / "out", min_class_share=0.9)[3]
    assert failed["splits are labelled"]["items"] == ["val"]
    assert failed["every class has enough training pixels"]["items"] == ["ground", "thing"]


def test_drift_from_the_accepted_data_is_named_with_the_way_to_accept_it(prepared, corrupt, tmp_path):
    def darken(rows):
        for row in rows:
            row.update(mean_b=row["mean_b"] - 40)

    judged(prepared, tmp_path / "first")
    accepted = tmp_path / "accepted.json"
    (tmp_path / "first" / "statistics.json").rename(accepted)
    assert judged(prepared, tmp_path / "again", accepted)[3] == {}
    passed, said, _, failed = judged(corrupt(darken), tmp_path / "dark", accepted)
    assert not passed
    assert failed["images look like the accepted ones"]["items"] == ["mean of blue"]
    assert said.endswith(f"to accept the change: cp {tmp_path / 'dark' / 'statistics.json'} {accepted}")
    shutil.copy(tmp_path / "dark" / "statistics.json", accepted)
    assert judged(tmp_path / "corrupt", tmp_path / "dark", accepted)[0]


def test_drift_of_class_shares_names_the_class_that_moved_most(prepared, corrupt, tmp_path):
    def shrink_things(rows):
        for row in rows:
            row.update(pixels=[767, 1])

    judged(prepared, tmp_path / "first")
    failed = judged(corrupt(shrink_things), tmp_path / "moved", tmp_path / "first" / "statistics.json")[3]
    assert "most of all thing" in failed["class shares are like the accepted ones"]["found"]


def test_classes_that_changed_their_meaning_since_the_accepted_data_are_caught(prepared, tmp_path):
    judged(prepared, tmp_path / "first")
    swapped = prepare(write_folder(tmp_path / "raw", STEMS, names=["thing", "ground", "tree"]), tmp_path / "swapped")
    failed = judged(swapped, tmp_path / "out", tmp_path / "first" / "statistics.json")[3]
    assert failed["classes are the accepted ones"]["items"] == ["value 0", "value 1", "value 2"]
    assert "value 0: was ground, is thing" in failed["classes are the accepted ones"]["found"]


@pytest.mark.parametrize("content", [None, "{}", '{"data": "camvid"}'], ids=["no file", "empty", "another data set"])
def test_drift_is_not_judged_where_none_of_this_data_was_accepted(prepared, tmp_path, content):
    accepted = tmp_path / "accepted.json"
    if content is not None:
        accepted.write_text(content)
    verdict = judged(prepared, tmp_path / "out", accepted)[2]
    assert not any("accepted" in check["name"] for check in verdict["checks"])


def test_accepted_statistics_that_are_none_are_refused(prepared, tmp_path):
    (tmp_path / "accepted.json").write_text('{"data": "folder"}')
    with pytest.raises(DataError, match=r"accepted.json: not the statistics of accepted data, expected a copy of"):
        validate.run(ValidateParams(**SMALL), prepared, tmp_path / "out", tmp_path / "accepted.json")


def test_the_verdict_counts_all_failed_items_and_names_the_first_twenty(tmp_path):
    stems = [f"{split}/images/{index}" for split in ("train", "val") for index in range(15)]
    data = prepare(write_folder(tmp_path / "raw", stems), tmp_path / "prepared")
    check = judged(data, tmp_path / "out", min_side=100)[3]["images are large enough"]
    assert (len(check["items"]), check["items_total"]) == (20, 30)
    assert check["found"] == "30 of 30 images: train/0: 24; train/1: 24; train/2: 24; …"


def test_the_page_shows_failed_images_and_opens_without_a_network(corrupt, tmp_path):
    judged(corrupt(copy_picture(source=3, target=8)), tmp_path / "out")
    page = (tmp_path / "out" / "page.html").read_text()
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert page.count("data:image/jpeg") == 2


def test_names_from_the_data_cannot_put_markup_into_the_page(tmp_path):
    names = ["<script>alert(1)</script>", "thing"]
    data = prepare(write_folder(tmp_path / "raw", STEMS, names=names), tmp_path / "prepared")
    judged(data, tmp_path / "out")
    assert "<script" not in (tmp_path / "out" / "page.html").read_text()


def test_the_same_data_gives_the_same_bytes_and_nothing_lies_beside_them(prepared, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    for out in ("here", "there"):
        judged(prepared, tmp_path / out)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "page.html",
        "statistics.json",
        "verdict.json",
    ]
    for file in (tmp_path / "here").iterdir():
        assert file.read_bytes() == (tmp_path / "there" / file.name).read_bytes()
    assert list((tmp_path / "home").iterdir()) == []


def test_a_manifest_that_is_not_the_described_one_is_refused(prepared, tmp_path):
    data = shutil.copytree(prepared, tmp_path / "data")
    manifest = pq.read_table(data / "manifest.parquet")
    pq.write_table(manifest.slice(1), data / "manifest.parquet")
    with pytest.raises(DataError, match=r"manifest.parquet: sha256 .* as dataset.json has it; ingest again"):
        validate.run(ValidateParams(**SMALL), data, tmp_path / "out")


def test_an_item_that_does_not_count_every_class_is_refused(corrupt, tmp_path):
    with pytest.raises(DataError, match="item val/0: 1 pixel counts, expected 2"):
        validate.run(ValidateParams(**SMALL), corrupt(put(6, pixels=[5])), tmp_path / "out")


def test_the_command_ends_in_one_line_on_bad_input(prepared, tmp_path, capsys):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"validate": SMALL}))
    arguments = ["--params", str(tmp_path / "params.yaml"), "--out", str(tmp_path / "out")]
    validate.main([*arguments, "--data", str(prepared)])
    assert capsys.readouterr().out.startswith("valid: 24 checks on 10 images (train 6, val 4)")
    with pytest.raises(SystemExit, match=r"^error: prepared data nowhere: no dataset.json, expected [^\n]*$"):
        validate.main([*arguments, "--data", "nowhere"])
    with pytest.raises(SystemExit, match=r"^error: .*validate.max_void_share: found '7', expected"):
        validate.main([*arguments, "--data", str(prepared), "--max-void-share", "7"])


def test_great_expectations_is_imported_in_one_place_and_only_when_it_judges():
    imports = {
        path.relative_to(PROJECT).as_posix(): re.findall(r"^( *)(?:import|from) great_expectations", text, re.MULTILINE)
        for folder in ("components", "flows", "pixelwise")
        for path in (PROJECT / folder).rglob("*.py")
        if "great_expectations" in (text := path.read_text())
    }
    found = {path: indents for path, indents in imports.items() if indents}
    assert list(found) == ["pixelwise/validation/expectations.py"]
    assert all(found["pixelwise/validation/expectations.py"])
