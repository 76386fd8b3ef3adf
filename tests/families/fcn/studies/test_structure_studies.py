"""What is measured without training."""

import pytest
import torch

from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.families.fcn.studies.structure import count_layers, measure_structure

LAYERS = {"alexnet": 8, "vgg16": 16, "googlenet": 22}


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_layers_are_counted_as_in_table_2_1(name, layers):
    with torch.device("meta"):
        assert count_layers(ReferenceFCN(name, 21, (32,)).trunk) + 1 == layers


@pytest.mark.parametrize(
    ("name", "millions", "field"),
    # The thesis counts GoogLeNet's average pool, which the net leaves out: 7 - 1 more units of 32 pixels make 907.
    [("alexnet", 57, 355), ("vgg16", 134, 404), ("googlenet", 6, 907 - 6 * 32)],
)
def test_nets_are_as_large_and_see_as_far_as_in_table_2_1(name, millions, field):
    with torch.device("meta"):
        net = ReferenceFCN(name, 21, (32,))
    # Weights of any values: to draw 134 million takes seconds.
    found = measure_structure(net.to_empty(device="cpu"), (32,), side=33)
    assert found.pop("forward_milliseconds") > 0
    assert round(found.pop("parameters") / 1e6) == millions
    assert found == {"max_stride": 32.0, "conv_layers": LAYERS[name], "receptive_field": field}


def test_any_other_net_is_described_as_far_as_it_goes():
    assert set(measure_structure(torch.nn.Conv2d(3, 2, 1), (1,), side=8)) == {
        "parameters",
        "max_stride",
        "forward_milliseconds",
    }
