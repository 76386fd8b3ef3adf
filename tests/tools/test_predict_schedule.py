"""Predict on a schedule: videos, streams, and what goes wrong midway."""

import subprocess
import sys
from fractions import Fraction

import av
import pytest
from PIL import Image
from support.clockwork_model import encode, moving

from pixelwise.families.clockwork.options import PredictParams
from pixelwise.reporting import video
from pixelwise.tools import predict


def on(schedule=None):
    """The options of a clockwork on a schedule."""
    return PredictParams(provider="cpu", schedule=schedule)


def test_a_schedule_labels_a_video_and_shows_which_stages_ran(clockwork_model, tmp_path):
    encode(tmp_path / "clip.mp4", moving(6))
    report = predict.run(on("carry:3"), [tmp_path / "clip.mp4"], clockwork_model, tmp_path / "out")
    assert "schedule carry:3" in str(report)
    assert "stage 1 on 33%, stage 2 on 33%, stage 3 on 33% of the frames" in str(report)
    assert len(list((tmp_path / "out" / "clip.label").iterdir())) == 6
    plain = predict.run(on(), [tmp_path / "clip.mp4"], clockwork_model, tmp_path / "plain")
    assert not str(plain).startswith("schedule")
    heights = [
        av.open(str(out / "clip.overlay.mp4")).streams.video[0].height for out in (tmp_path / "out", tmp_path / "plain")
    ]
    assert heights[0] - heights[1] == 28


def test_a_lost_frame_makes_a_schedule_start_anew(clockwork_model, tmp_path):
    encode(tmp_path / "clip.mkv", moving(8), lost=(3,))
    report = predict.run(on("skip:20"), [tmp_path / "clip.mkv"], clockwork_model, tmp_path / "out")
    assert "stage 1 on 29%, stage 2 on 29%, stage 3 on 29% of the frames" in str(report)


def test_a_stream_is_labelled_as_it_comes(clockwork_model, tmp_path):
    file = encode(tmp_path / "clip.ts", moving(6))
    command = [sys.executable, "-m", "pixelwise.tools.predict", "--model", clockwork_model, "--schedule", "motion", "-"]
    with file.open("rb") as stream:
        ran = subprocess.run(
            [*command, "--output", tmp_path / "out"], stdin=stream, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / "out" / "stream.label").iterdir())) == 6


def test_a_video_that_changes_its_size_midway_is_written_whole(clockwork_model, tmp_path, monkeypatch):
    encode(tmp_path / "clip.mp4", moving(4))
    frames = [video.VideoFrame(image, True) for image in [*moving(2), *moving(2, size=(64, 160))]]
    monkeypatch.setattr(video, "open_video", lambda _: video.Video(Fraction(12), None, iter(frames)))
    report = predict.run(on("carry:9"), [tmp_path / "clip.mp4"], clockwork_model, tmp_path / "out")
    assert "stage 1 on 50%, stage 2 on 50%, stage 3 on 50% of the frames" in str(report)
    labels = sorted((tmp_path / "out" / "clip.label").iterdir())
    assert [Image.open(file).size for file in labels] == [(128, 96)] * 2 + [(160, 64)] * 2
    with av.open(str(tmp_path / "out" / "clip.overlay.mp4")) as reader:
        assert len(list(reader.decode(video=0))) == 4


def test_a_camera_that_is_stopped_leaves_what_it_saw(clockwork_model, tmp_path, monkeypatch):
    def seen():
        yield from (video.VideoFrame(image, True) for image in moving(3))
        raise KeyboardInterrupt

    encode(tmp_path / "clip.mp4", moving(1))
    monkeypatch.setattr(video, "open_video", lambda _: video.Video(Fraction(12), None, seen()))
    with pytest.raises(KeyboardInterrupt):
        predict.run(on("motion"), [tmp_path / "clip.mp4"], clockwork_model, tmp_path / "out")
    with av.open(str(tmp_path / "out" / "clip.overlay.mp4")) as reader:
        assert len(list(reader.decode(video=0))) == 3
