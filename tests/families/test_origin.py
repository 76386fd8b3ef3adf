"""The origin of a training, whose fingerprint stands for the trained net."""

from pixelwise.families.composition.params import NetworkParams, TrainParams
from pixelwise.families.origin import origin
from pixelwise.model_folder import WEIGHTS_FILE


def begin(data, start, trained):
    """The origin of a composition that starts from the model in the folder `start`."""
    network = NetworkParams(weights=str(start / WEIGHTS_FILE), trained=trained)
    return origin(TrainParams(network=network), "composition", data, start)


def test_the_model_that_a_training_starts_from_is_a_part_of_its_origin_and_its_path_is_not(tiny_town, tmp_path):
    here = begin(tiny_town, tmp_path / "here", "f1")
    assert begin(tiny_town, tmp_path / "there", "f1") == here
    assert begin(tiny_town, tmp_path / "here", "f2")["fingerprint"] != here["fingerprint"]
