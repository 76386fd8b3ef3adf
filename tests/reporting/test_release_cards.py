"""The cards of a release say what is registered, and nothing about data that are no longer there."""

import json

import numpy as np
import pytest
from support.bright_model import CLASSES, image_counts, write_model

from pixelwise.data.terms import TERMS, UNKNOWN
from pixelwise.metrics.measurement import Measurement
from pixelwise.registry.evidence import Evidence
from pixelwise.reporting.card import render_card, render_markdown
from pixelwise.reporting.release_cards import make_data_card, make_model_card, score_slices

ENTRY = {
    "name": "fcn",
    "version": "2",
    "previous": "1",
    "time": "2026-03-05T23:30:00.123456+00:00",
    "checks": [{"name": "mean IU", "passed": True, "found": "0.9", "needed": ">= 0.5"}],
}


@pytest.fixture
def measurement():
    """Twelve images of three clips, of which the last is the worst."""
    counts = np.concatenate([image_counts(accuracy, images=4) for accuracy in (0.9, 0.8, 0.7)])
    ids = tuple(f"{clip}/{frame}" for clip in ("a", "b", "c") for frame in range(4))
    return Measurement("mean IU", "image", ids, counts, "mean IU", CLASSES)


@pytest.fixture
def evidence(measurement):
    return Evidence((measurement,), "town", "val", parity=0.9999, milliseconds=12.0)


def test_each_clip_is_a_slice_and_the_worst_comes_first(measurement):
    alone = Measurement("mean IU", "image", measurement.ids[8:], measurement.values[8:], "mean IU", CLASSES)
    slices = score_slices(measurement)
    assert list(slices) == ["c", "b", "a"]
    assert slices["c"] == f"{alone.score:.4f} (4 images)"


def test_units_of_one_folder_have_no_slices(measurement):
    flat = Measurement("mean IU", "image", tuple(map(str, range(12))), measurement.values, "mean IU", CLASSES)
    assert score_slices(flat) == {}


def test_a_model_card_has_use_decision_scores_training_and_lineage(tmp_path, evidence):
    folder = write_model(tmp_path)["model"]
    (folder / "checkpoint/history.json").write_text(json.dumps([{"epoch": 1.0, "seconds": 90.0}] * 2))
    text = render_markdown(make_model_card(ENTRY, folder, evidence, {"onnx_sha256": "abc"}, watts=400.0))
    assert text.startswith("# Model card: fcn version 2\n\nChampion since 2026-03-05 23:30:00 UTC.\n\n## Use\n")
    for line in (
        "- it does: label pixels as one of 3 classes: sky, road, car",
        "- replaces: version 1",
        "- mean IU: 0.9 (needed: >= 0.5)",
        "## Scores on town, val, 12 images",
        f"- mean IU: {evidence.main.score:.4f}",
        "- median latency: 12 ms",
        "- epochs: 2",
        "- time: 3.0 minutes",
        "- energy of the GPUs: 0.02 kWh",
        "- fingerprint: mark-100",
        "- ONNX sha256: abc",
    ):
        assert f"{line}\n" in text, line


def test_energy_that_nothing_measured_is_not_made_up(tmp_path, evidence):
    card = make_model_card(ENTRY, write_model(tmp_path)["model"], evidence, {}, watts=None)
    assert card.sections["Training"]["energy of the GPUs"] == "not measured: no GPU reported its power"


def test_a_data_card_describes_the_data_only_while_they_are_those_that_were_scored(tmp_path, evidence):
    (tmp_path / "dataset.json").write_text(json.dumps({"manifest_sha256": "m1", "splits": {"train": 8, "val": 2}}))
    statistics = tmp_path / "statistics.json"
    statistics.write_text(json.dumps({"classes": ["sky", "road"], "class_shares": [0.25, 0.75]}))
    same, other = (make_data_card(ENTRY, evidence, manifest, tmp_path, statistics) for manifest in ("m1", "m2"))
    assert same.sections["Pictures by split"] == {"train": "8", "val": "2"}
    assert same.sections["Share of the labelled training pixels by class"] == {"sky": "0.2500", "road": "0.7500"}
    assert set(other.sections) == {"Data", "Limits"}
    assert other.sections["Data"] == {"data set": "town", "terms": TERMS["town"], "manifest sha256": "m2"}


def test_the_terms_of_own_data_are_not_guessed(tmp_path, measurement):
    own = Evidence((measurement,), "folder", "val", parity=1.0, milliseconds=None)
    card = make_data_card(ENTRY, own, "", tmp_path, tmp_path / "lost.json")
    assert card.sections["Data"]["terms"] == UNKNOWN


def test_the_page_needs_no_network_and_escapes_names(tmp_path, evidence):
    page = render_card(make_model_card(ENTRY | {"name": "<b>"}, write_model(tmp_path)["model"], evidence, {}, None))
    assert "http" not in page
    assert "Model card: &lt;b&gt; version 2" in page
