"""Predict: label maps with a georeference, and annotations for labelling tools."""

import shutil

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from support.channel_model import channel_picture, write_channel_model
from support.label_studio import accept_predictions
from support.predictions import SIZE, read_map, write_picture

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import read_dataset
from pixelwise.data.writers import WRITERS
from pixelwise.families.options import PredictParams
from pixelwise.inference.session import open_model
from pixelwise.tools import predict


def test_a_geotiff_is_labelled_where_it_lies(tmp_path):
    model = write_channel_model(tmp_path / "fcn", confidence=True)
    image, label = channel_picture(seed=3, size=SIZE)
    image[:4] = 7
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    place = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 500000.0, 5300000.0, 0.0)}
    keys = {34735: (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633)}
    for tag, value in (place | keys).items():
        tags[tag] = value
        tags.tagtype[tag] = 3 if tag in keys else 12
    tags[34737], tags[42113] = "WGS 84 / UTM zone 33N|", "7"
    Image.fromarray(image).save(tmp_path / "field.tif", tiffinfo=tags)
    report = predict.run(PredictParams(), [tmp_path / "field.tif"], model, tmp_path / "out", confidence=True)
    assert "label maps with the georeference of their picture: 1 .label.tif" in str(report)
    with Image.open(tmp_path / "out" / "field.label.tif") as found:
        assert {tag: found.tag_v2[tag] for tag in place | keys} == place | keys
        assert found.tag_v2[34737] == "WGS 84 / UTM zone 33N|"
        assert found.tag_v2[42113] == "255"
        values = np.array(found)
    assert (values[:4] == 255).all(), "the picture has no data there"
    assert (values[4:] == label[4:]).all()
    assert (read_map(tmp_path / "out" / "field.label.png")[4:] == label[4:]).all()
    with Image.open(tmp_path / "out" / "field.confidence.tif") as found:
        assert {tag: found.tag_v2[tag] for tag in place | keys} == place | keys
        assert found.tag_v2[42113] == "nan"
        values = np.array(found)
    assert values.dtype == np.float32
    assert np.isnan(values[:4]).all()
    assert (values[4:] == np.float32(200) / np.float32(255)).all()


@pytest.mark.parametrize("kind", WRITERS)
def test_labels_can_be_imported_by_a_labelling_tool_and_ingested_again(model, tmp_path, kind):
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    labels = {f"{name}/0": write_picture(pictures / f"{name}/0.png", seed) for seed, name in enumerate("ab")}
    report = predict.run(PredictParams(format=kind), [pictures], model, out)
    assert f"annotations to import: {report.annotations}" in str(report)
    if kind == "label_studio":
        accept_predictions(report.annotations)
    # A labelling tool keeps the pictures beside the annotations.
    for path in [*out.rglob("*.label.png"), *out.rglob("*.overlay.png")]:
        path.unlink()
    if kind != "labelme":
        shutil.copytree(pictures, out / "images")
    raw = read_dataset(kind, out if kind != "labelme" else tmp_path)
    found = {item.id: np.array(raw.classes.names)[read_pair(item, raw, 10**6)[1]] for item in raw.items}
    assert len(found) == 2
    names = np.array(open_model(model).names)
    for name, label in labels.items():
        (read,) = [read for id_, read in found.items() if name in id_]
        assert np.array_equal(read, names[label])
