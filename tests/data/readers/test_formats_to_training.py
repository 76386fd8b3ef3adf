"""Every format of labelling tools goes through ingest and validate into a training."""

import json

import pytest
from support.annotation_sets import FORMATS
from support.tiny_nets import TINY_BACKBONE

from components import ingest, train, validate
from components.ingest import IngestParams
from components.validate import ValidateParams
from pixelwise.families.fcn import family as fcn

SPLITS = {"train": (0, 1, 2, 3), "val": (4, 5)}


@pytest.fixture(scope="module")
def params():
    """Two epochs of a net that learns in a second."""
    settings = {"epochs": 2, "batch_size": 2, "warmup_steps": 0, "loader_threads": 1, "device": "cpu"}
    settings |= {"network": {"backbone": TINY_BACKBONE, "weights": "none"}, "augment": {"whole": True}}
    return fcn.TrainParams.model_validate(settings | {"validate_every": 1})


def prepare(name, folder):
    """Prepared and validated data of a format."""
    FORMATS[name](folder / "raw", SPLITS)
    ingest.run(IngestParams(dataset=name, root=folder / "raw"), folder / "prepared")
    # It raises where a check fails.
    validate.run(ValidateParams(min_images={"train": 4, "val": 2}), folder / "prepared", folder / "validate")
    return folder / "prepared"


def learn(name, folder, params):
    """The losses of two epochs on a format."""
    train.run(params, "fcn", prepare(name, folder), folder / "checkpoint", folder / "state", "none")
    return json.loads((folder / "checkpoint/history.json").read_text())


def test_an_export_is_ingested_validated_and_trained_on(params, tmp_path):
    assert len(learn("label_studio", tmp_path, params)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_export_is_ingested_validated_and_trained_on(name, params, tmp_path):
    assert len(learn(name, tmp_path, params)) == 2
