"""The hooks of every family: where a room is entered, and by whom."""

import inspect

import pytest
from support.channel_model import write_channel_model

from pixelwise import families
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families import hooks, learning
from pixelwise.families.exported import find_family
from pixelwise.families.options import EvaluateParams, PredictParams

# Hooks of every family -> the protocol that documents them.
PROTOCOLS = {
    "find": learning.Family,
    "find_runtime": hooks.Runtime,
    "find_measure": hooks.Measure,
    "find_engines": hooks.Engines,
    "find_requests": hooks.Requests,
}


@pytest.mark.parametrize("name", families.names())
def test_a_family_has_every_hook_with_the_arguments_of_its_protocol(name):
    for kind, protocol in PROTOCOLS.items():
        module = families.load(name, kind)
        for hook, documented in inspect.getmembers(protocol, inspect.isfunction):
            if not hook.startswith("_"):
                wanted = list(inspect.signature(documented).parameters)[1:]
                found = list(inspect.signature(getattr(module, hook)).parameters)
                assert [one for one in wanted if one != "options"] == found[: len(wanted) - ("options" in wanted)]


@pytest.mark.parametrize("name", families.names())
def test_the_options_of_predict_are_those_that_open_a_model_of_the_family(name):
    options = set(families.find_options(name).PredictParams.model_fields) - set(PredictParams.model_fields)
    opened = inspect.signature(families.find_runtime(name).open_model).parameters
    assert options <= set(opened)
    assert "split" in families.find_options(name).EvaluateParams.model_fields


def test_a_family_of_one_graph_shares_what_it_does_not_bring():
    assert families.find_options("composition").EvaluateParams is EvaluateParams
    assert families.find_measure("composition") is families.find_measure("fcn")


def test_an_exported_model_says_its_family(tmp_path):
    model = write_channel_model(tmp_path / "model", family="guided")
    assert find_family(model) == find_family(model / "onnx/model.onnx") == "guided"
    with pytest.raises(
        ModelError, match=r"none/onnx/model\.onnx: no such file, expected what `pixelwise export` writes"
    ):
        find_family(tmp_path / "none")
    with pytest.raises(ModelError, match=r"model\.onnx: found family 'vgg' in its metadata, expected one of clockwork"):
        find_family(write_channel_model(tmp_path / "other", family="vgg"))
    (tmp_path / "damaged.onnx").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match=r"damaged\.onnx: not a graph"):
        find_family(tmp_path / "damaged.onnx")


def test_an_unknown_family_is_named_with_those_there_are():
    with pytest.raises(ParamsError, match="family 'vgg': unknown, expected one of clockwork, composition, fcn, guided"):
        families.find_options("vgg")
