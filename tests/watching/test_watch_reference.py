import numpy as np
from support.channel_model import write_channel_data, write_channel_model

from components import ingest
from components.ingest import IngestParams
from pixelwise.watching.reference import LONGEST_SCENE, number_scenes, read_or_make_reference


def test_the_reference_is_what_the_model_answers_to_the_accepted_pictures_and_is_made_once(tmp_path):
    raw = write_channel_data(tmp_path / "raw", [(24, 40)] * 3)
    write_channel_data(tmp_path / "raw", [(24, 40)] * 2, "train")
    ingest.run(IngestParams(dataset="folder", root=raw), tmp_path / "prepared")
    model = write_channel_model(tmp_path / "model", confidence=True)
    made = read_or_make_reference(model, tmp_path / "prepared", tmp_path / "reference.json")
    assert (len(made.rows), made.scene, len(set(made.scenes))) == (5, 1.0, 5)
    assert np.allclose([sum(row.shares) for row in made.rows], 1, atol=1e-5)
    # The net is surer of the two pictures of train.
    assert sum(row.confidence is None for row in made.rows) == 2
    changed = (tmp_path / "reference.json").stat().st_mtime_ns
    assert read_or_make_reference(model, tmp_path / "prepared", tmp_path / "reference.json") == made
    assert (tmp_path / "reference.json").stat().st_mtime_ns == changed
    other = write_channel_model(tmp_path / "other", fingerprint="e" * 64)
    assert read_or_make_reference(other, tmp_path / "prepared", tmp_path / "reference.json").model != made.model


def test_a_still_is_a_scene_a_clip_is_one_and_a_long_clip_is_several():
    clips = [("train", "")] * 2 + [("train", "a")] * 3 + [("val", "a")] * (LONGEST_SCENE + 1)
    numbers, mean = number_scenes(clips)
    assert numbers == [0, 1, 2, 2, 2, *[3] * LONGEST_SCENE, 4]
    assert mean == len(clips) / 5
