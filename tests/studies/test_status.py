"""The items of the thesis name what exists, and their verdicts are those of the records."""

import json

from pixelwise.identity import PROJECT
from pixelwise.studies.status import Status, load_items
from pixelwise.studies.study import list_studies
from pixelwise.tools import study


def test_every_item_has_tests_that_exist_and_every_study_has_an_item():
    items = load_items()
    assert len(items) > 40
    for item in items:
        assert all((PROJECT / "tests" / test).is_file() for test in item.tests), item.item
    assert {name for item in items for name in item.studies} == set(list_studies())


def test_the_status_has_the_verdict_of_each_record(tmp_path):
    record = PROJECT / "docs/studies/section-2.2.2.json"
    (tmp_path / record.name).write_bytes(record.read_bytes())
    shown = str(study.run(all=True, status=True, out=tmp_path))
    assert "§2.4: metrics" in shown
    assert "  verdict  decided by the tests" in shown
    dataset = json.loads(record.read_text())["dataset"]
    assert f"section-2.2.2: 2 of 4: holds, 2 of 4: undecided: no paired rounds recorded ({dataset})" in shown
    assert "table-2.4: not run here" in shown


def test_the_status_of_a_study_leaves_the_items_of_others_out(tmp_path):
    shown = str(Status(tmp_path, ["oracle"]))
    assert "§2.5.3: oracle" in shown
    assert "table 2.6" not in shown
