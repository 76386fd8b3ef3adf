"""A study of two learning rates, and the bench that runs it."""

import pytest

from pixelwise.data.prepared import PreparedData
from pixelwise.families import trainer
from pixelwise.families.origin import origin
from pixelwise.identity import PROJECT
from pixelwise.params import parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.study import Study
from support.tiny_nets import TINY_BACKBONE

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
        "network": {"backbone": TINY_BACKBONE, "weights": "none", "strides": [32]},
        "augment": {"crop_width": 64, "crop_height": 64},
    },
    "columns": ["mean_iu", "seconds"],
    "variants": [{"name": "high", "thesis": {"mean_iu": 63.6}}, {"name": "low", "overrides": {"learning_rate": 1e-6}}],
    "trend": [{"better": "high", "worse": "low"}],
}


def two(**changes) -> Study:
    """The study, with other values of some keys."""
    return parse(Study, {**TWO, **changes}, "study two")


def never(*arguments):
    """Fail: stands for a training or an export that a study must not need."""
    pytest.fail("a training ran again")


def bench(data, models, learn=trainer.learn, tracking="none", is_quick=False) -> Bench:
    """What a study runs on: prepared data, the folder of trained nets, and how to train; it exports nothing."""
    return Bench(PreparedData(data), models, PARAMS, tracking, is_quick, learn, origin, never)
