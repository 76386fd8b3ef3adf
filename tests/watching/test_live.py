"""The trained town behind the real server."""

import numpy as np
import pytest
from support.http_server import encoded, service_of, serving

from pixelwise.data.prepared import PreparedData
from pixelwise.identity import PROJECT
from pixelwise.tools import watch
from pixelwise.watching.params import WatchParams

MODEL, DATA = PROJECT / "models/fcn", PROJECT / "data/prepared"


@pytest.mark.slow
def test_200_darkened_pictures_are_reported_and_200_as_they_are_are_not(tmp_path):
    if not ((MODEL / "onnx/model.onnx").is_file() and DATA.is_dir()):
        pytest.skip(f"{MODEL}: not trained, expected what `make pipeline` writes")
    split, file, drifted = PreparedData(DATA).split("train+val"), tmp_path / "seen.jsonl", {}
    for light in (1.0, 0.5):
        with serving(service_of(MODEL, statistics=file)) as client:
            for place in range(200):
                picture = encoded((light * split.image(place)).astype(np.uint8))
                assert client.post("/predict", content=picture).status_code == 200
        watched = watch.run(WatchParams(), [file], MODEL, DATA, tmp_path / "out")
        drifted[light] = [one.name for one in watched.drifted]
    assert drifted[1.0] == []
    assert "mean of red" in drifted[0.5]
