"""Video files as clips of unlabelled frames."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.image_sets import noise
from support.video_sets import write_video

from components import ingest
from components.ingest import IngestParams
from pixelwise.data import video
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.splits import RawSplit
from pixelwise.errors import DataError

MANY = 10**6


def test_a_video_is_a_clip_of_all_its_frames_in_order_with_void_labels(tmp_path):
    raw = video.read(write_video(tmp_path / "a.mkv", 7))
    items = list(raw.items)
    assert len(raw.items) == len(items) == 7
    assert [(item.clip, item.frame, item.split) for item in items] == [
        ("a.mkv", number, "frames") for number in range(7)
    ]
    for number, item in enumerate(items):
        image, label = read_pair(item, raw, MANY)
        assert (image == np.array(noise(number))).all()
        assert label.shape == (24, 32)
        assert (label == 255).all()


def test_frames_come_right_in_any_order_and_from_several_threads(tmp_path):
    for name in ("a.mkv", "b/c.mkv"):
        write_video(tmp_path / name, 9)
    split = RawSplit(video.read(tmp_path), "frames")
    order = np.random.default_rng(0).permutation(np.tile(np.arange(18), 3))
    with ThreadPoolExecutor(4) as pool:
        for place, sample in zip(order, pool.map(split.__getitem__, order), strict=True):
            assert (sample.image == np.array(noise(place % 9))).all()


def test_a_folder_gives_a_clip_a_video_wherever_it_lies_in_it(tmp_path):
    write_video(tmp_path / "b.avi", 2, "mpeg4")
    write_video(tmp_path / "day" / "A.MP4", 3, "mpeg4")
    (tmp_path / "notes.txt").write_text("no video")
    items = list(video.read(tmp_path).items)
    assert [item.id for item in items] == [f"b.avi/{n:06d}" for n in range(2)] + [
        f"day/A.MP4/{n:06d}" for n in range(3)
    ]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "libx264"), ("a.ts", "mpeg2video")])
def test_frames_that_are_stored_out_of_order_or_without_times_are_counted_as_they_are_shown(tmp_path, name, codec):
    raw = video.read(write_video(tmp_path / name, 20, codec))
    assert len(raw.items) == 20
    # Lossy, but each is nearest to its own frame.
    images = [read_pair(item, raw, MANY)[0].astype(float) for item in raw.items]
    for number, image in enumerate(images):
        distances = [np.abs(image - np.array(noise(other))).mean() for other in range(20)]
        assert int(np.argmin(distances)) == number


def test_what_is_no_video_is_empty_or_absent_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no video, expected a file of: \.mp4 \.mov"):
        video.read(tmp_path)
    (tmp_path / "a.mp4").write_text("no video at all")
    with pytest.raises(DataError, match=r"a\.mp4: no video that can be read: Invalid data"):
        video.read(tmp_path)
    with pytest.raises(DataError, match=r"e\.avi: no frame, expected a video"):
        video.read(write_video(tmp_path / "e.avi", 0, "mpeg4"))


def fault(path: Path) -> str:
    """What is said of a video as all its frames are read, "" where nothing is."""
    try:
        raw = video.read(path)
        for item in raw.items:
            read_pair(item, raw, MANY)
    except DataError as error:
        return str(error)
    return ""


def test_a_video_that_is_cut_anywhere_is_read_up_to_there_or_refused_by_name(tmp_path):
    for name, codec, options in (("a.mp4", "libx264", {"movflags": "faststart"}), ("a.mkv", "ffv1", {})):
        whole = write_video(tmp_path / name, 6, codec, options).read_bytes()
        for share in (0.05, 0.2, 0.5, 0.9):
            cut = tmp_path / f"cut_{name}"
            cut.write_bytes(whole[: int(share * len(whole))])
            assert f"cut_{name}: " in (fault(cut) or f"cut_{name}: read to its end")


def test_a_video_that_breaks_off_gives_the_frames_before_and_says_where(tmp_path):
    path = write_video(tmp_path / "a.mkv", 8)
    raw = video.read(path)
    items = list(raw.items)
    short = write_video(tmp_path / "short.mkv", 5)
    shutil.copy(short, path)
    assert (read_pair(items[4], raw, MANY)[0] == np.array(noise(4))).all()
    for _ in range(2):
        with pytest.raises(DataError, match=r"image a\.mkv: breaks off after 5 frames"):
            read_pair(items[6], raw, MANY)
    assert (read_pair(items[0], raw, MANY)[0] == np.array(noise(0))).all()
    path.unlink()
    fresh = list(video.read(short).items)
    short.unlink()
    with pytest.raises(DataError, match=r"image short\.mkv: breaks off after 0 frames: No such file"):
        read_pair(fresh[0], raw, MANY)


def test_ingest_reads_a_cut_video_and_says_so(tmp_path):
    file = write_video(tmp_path / "videos" / "a.mkv", 20)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 9 // 10])
    (tmp_path / "videos" / "notes.txt").write_text("no video")
    report = ingest.run(IngestParams(dataset="video", root=tmp_path / "videos"), tmp_path / "prepared")
    assert "passed over: 1 .txt" in report.notes
    assert any("videos cut off, their frames until then read: a.mkv" in note for note in report.notes)
    assert 10 < report.splits["frames"] < 20
