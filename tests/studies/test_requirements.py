"""What a study's data and variants must have before anything is trained."""

from pathlib import Path

import pytest
from support.image_sets import mask, noise, save
from support.two_rates import bench, never, two

from components import ingest
from pixelwise.errors import DataError, ParamsError
from pixelwise.studies.train import require


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Prepared pictures of two sizes, without layers."""
    root = tmp_path_factory.mktemp("plain")
    for split in ("train", "val"):
        for seed, size in enumerate([(40, 32), (48, 32)]):
            save(noise(seed, size), root / "raw" / split / "images" / f"{split}{seed}.png")
            save(mask(seed, 2, size), root / "raw" / split / "masks" / f"{split}{seed}.png")
    (root / "raw" / "classes.yaml").write_text("names: [nothing, thing]\n")
    ingest.run(ingest.IngestParams(dataset="folder", root=root / "raw"), root / "prepared")
    return root / "prepared"


@pytest.mark.parametrize(
    ("variant", "error", "said"),
    [
        ({"epochs": 0}, ParamsError, "study two: bad.epochs: found 0, expected: Input should be greater than 0"),
        ({"train_split": "more"}, DataError, "study two: bad: prepared data .*: no split more, expected one of: train"),
        ({"network": {"inputs": "hha"}}, DataError, "study two: bad: prepared data .*: no layer hha, found: none"),
        ({"network": {"heads": "both"}}, DataError, "study two: bad: prepared data .*: no layer geometry, found: none"),
        (
            {"augment": {"whole": True}},
            DataError,
            "study two: bad: augment.whole with batch_size 2: found pictures of ",
        ),
    ],
)
def test_what_a_variant_lacks_is_found_before_anything_is_trained(variant, error, said, plain, tmp_path):
    bad = two(variants=[{"name": "fine"}, {"name": "bad", "overrides": variant}], trend=[])
    with pytest.raises(error, match=f"^{said}"):
        require(bad, bench(plain, tmp_path, never))
