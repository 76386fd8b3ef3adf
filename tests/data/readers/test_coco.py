"""COCO's instances: polygons, run lengths as lists and packed, crowds, and files that are damaged."""

import json

import numpy as np
import pytest
from pycocotools import mask as packing
from support.image_sets import noise, save

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import coco
from pixelwise.errors import DataError

HEIGHT, WIDTH = 24, 32


def rectangle(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def listed(mask: np.ndarray) -> dict:
    """Run lengths by columns, of zeros first."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": runs if not flat[0] else [0, *runs]}


def packed(mask: np.ndarray) -> dict:
    found = packing.encode(np.asfortranarray(mask))
    return {**found, "counts": found["counts"].decode()}


def annotation(image: int, category: int, segmentation, area: int, crowd: int = 0) -> dict:
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "area": area,
        "iscrowd": crowd,
    }


def write_coco(root, annotations) -> None:
    for image in (1, 2):
        save(noise(image, (HEIGHT, WIDTH)), root / f"val2017/{image:012d}.jpg")
    size = {"height": HEIGHT, "width": WIDTH}
    found = {
        "images": [{"id": image, "file_name": f"{image:012d}.jpg", **size} for image in (1, 2)],
        # Ids have gaps, and the list no order.
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": annotations,
    }
    (root / "annotations").mkdir()
    (root / "annotations/instances_val2017.json").write_text(json.dumps(found))


def test_polygons_and_run_lengths_become_classes_and_objects_the_smaller_on_top(tmp_path):
    polygon = [[4.0, 2.0, 20.0, 2.0, 20.0, 18.0, 4.0, 18.0]]
    large, small, crowd = rectangle(2, 4, 16, 16), rectangle(6, 8, 4, 4), rectangle(20, 0, 4, 32)
    write_coco(
        tmp_path,
        [
            annotation(1, 18, packed(small), 16),
            annotation(1, 1, polygon, 256),
            annotation(1, 1, listed(crowd), 128, crowd=1),
        ],
    )
    ingest.run(ingest.IngestParams(dataset="coco", root=tmp_path), tmp_path / "prepared")
    split = PreparedData(tmp_path / "prepared").split("val").with_layers("instance")
    assert split.classes.names == ("background", "person", "dog")
    first, second = split[0], split[1]
    np.testing.assert_array_equal(first.label, np.where(crowd, 255, np.where(small, 2, large)))
    np.testing.assert_array_equal(first.layers["instance"], np.where(small, 2, large))
    assert not second.label.any()


def test_a_picture_whose_annotation_is_damaged_is_quarantined_and_the_others_come_in(tmp_path):
    write_coco(
        tmp_path, [annotation(1, 77, packed(rectangle(0, 0, 3, 3)), 9), annotation(2, 1, [[1, 1, 9, 1, 9, 9]], 32)]
    )
    wanted = ingest.IngestParams(dataset="coco", root=tmp_path, max_quarantined_share=0.5)
    ingest.run(wanted, tmp_path / "prepared")
    assert [row["id"] for row in PreparedData(tmp_path / "prepared").split("val").rows] == ["val2017/000000000002"]


@pytest.mark.parametrize(
    ("text", "message"), [("{", "Invalid JSON"), ("{}", "no list images"), ("[]", "Input should be")]
)
def test_a_damaged_file_of_instances_is_named(tmp_path, text, message):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_val2017.json").write_text(text)
    with pytest.raises(DataError, match=rf"instances_val2017\.json: {message}"):
        coco.read(tmp_path)
