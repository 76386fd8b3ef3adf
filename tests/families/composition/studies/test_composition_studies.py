"""Blurs that are to be found, and what inferred scales are compared with."""

import numpy as np
import pytest
import torch

from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.families.composition.covariance import compute_covariance
from pixelwise.families.composition.studies.recovery import recover, score_path, score_paths
from pixelwise.families.composition.studies.scale import sample_label, score_scales
from pixelwise.studies.units import unpack

SLANTED = torch.tensor([0.0, -1.0, 0.4], dtype=torch.float64)


def found(kind):
    picture = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return score_path(recover(picture, SLANTED, kind), compute_covariance(SLANTED).numpy())


def test_a_slanted_blur_is_found_in_the_family_that_holds_it_and_in_no_poorer_one():
    full, diagonal = found("full"), found("diagonal")
    assert full["covariance_error"] < 0.01
    assert full["steps"] > 0
    assert diagonal["covariance_error"] > 0.1
    assert "steps" not in diagonal


def test_descents_are_averaged_over_their_pictures_and_kept_one_by_one():
    truth = np.eye(2)
    run = score_paths([[2 * truth, truth], [2 * truth, 1.5 * truth]], truth, seed=0)
    assert run.scores == {"covariance_error": 0.25}
    assert unpack(run.units["covariance_error"]).tolist() == [0.0, 0.5]


def test_scales_that_follow_the_classes_vary_between_them_alone_and_void_does_not_count():
    labels = np.array([0, 0, 1, 1, VOID])
    scores = score_scales(np.array([0.0, 0.0, 2.0, 2.0, 9.0]), labels)
    assert scores == {"scale_octaves": 2.0, "scale_by_class": 1.0}
    assert score_scales(np.array([0.0, 2.0, 0.0, 2.0, 9.0]), labels)["scale_by_class"] == 0.0
    assert score_scales(np.zeros(5), labels)["scale_by_class"] == pytest.approx(0.0)


def test_a_cell_has_the_label_at_its_middle():
    label = np.arange(36, dtype=np.uint8).reshape(6, 6)
    sample = Sample("a", np.zeros((6, 6, 3), np.uint8), label)
    assert sample_label(sample, (2, 2)).tolist() == [[7, 10], [25, 28]]
