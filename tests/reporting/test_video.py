"""Videos: upright, odd sides, and what breaks off."""

import av
import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.reporting.video import open_video, transform_video

SIZE = (48, 64)
# The matrices of an MP4's track header (ISO 14496-12): unturned, and a phone held upright, 90° clockwise.
UNTURNED = b"".join(value.to_bytes(4, "big") for value in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
CLOCKWISE = b"".join(
    value.to_bytes(4, "big") for value in (0, 0x10000, 0, 0xFFFF0000, 0, 0, SIZE[0] << 16, 0, 0x40000000)
)


def write_video(path, frames=12, size=SIZE):
    """Red left, blue right, moving noise so that frames have bytes."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format="mp4") as writer:
        stream = writer.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            image = rng.integers(0, 30, (*size, 3)).astype(np.uint8)
            image[:, : size[1] // 2, 0] = 230
            image[:, size[1] // 2 :, 2] = 230
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        writer.mux(stream.encode())


def test_a_video_of_a_phone_held_upright_is_turned(tmp_path):
    write_video(tmp_path / "phone.mp4")
    content = (tmp_path / "phone.mp4").read_bytes()
    place = content.rindex(UNTURNED)
    assert b"tkhd" in content[place - 60 : place]
    (tmp_path / "phone.mp4").write_bytes(content[:place] + CLOCKWISE + content[place + 36 :])
    frame = next(open_video(tmp_path / "phone.mp4").frames).image
    assert frame.shape == (SIZE[1], SIZE[0], 3)
    # Turned clockwise, what was on the left is on top.
    assert frame[8, :, 0].mean() > 150
    assert frame[-8, :, 2].mean() > 150


def test_odd_sides_become_even_and_no_frame_is_lost(tmp_path):
    write_video(tmp_path / "in.mp4")
    count = transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda _, frame: frame.image[:-1, :-3])
    assert count == 12
    frames = [frame.image for frame in open_video(tmp_path / "out.mp4").frames]
    assert len(frames) == 12
    assert frames[0].shape == (SIZE[0], SIZE[1] - 2, 3)


def test_a_video_that_breaks_off_is_written_as_far_as_it_goes_and_named(tmp_path):
    write_video(tmp_path / "in.ts.mp4", frames=40)
    source = tmp_path / "in.mp4"
    content = bytearray((tmp_path / "in.ts.mp4").read_bytes())
    # The index is at the end, so half of the pictures are overwritten in place.
    start, end = content.index(b"mdat") + len(content) // 2, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    source.write_bytes(content)
    with pytest.raises(DataError, match=r"in\.mp4: breaks off after \d+ frames"):
        transform_video(source, tmp_path / "out.mp4", lambda _, frame: frame.image)
    assert 5 < len(list(open_video(tmp_path / "out.mp4").frames)) < 40


def test_what_is_no_video_leaves_nothing_behind(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"in\.mp4: no video that can be read"):
        transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda _, frame: frame.image)
    assert [file.name for file in tmp_path.iterdir()] == ["in.mp4"]


def test_a_failing_change_leaves_nothing_behind(tmp_path):
    write_video(tmp_path / "in.mp4", frames=2)

    def fail(frame, image):
        raise MemoryError

    with pytest.raises(MemoryError):
        transform_video(tmp_path / "in.mp4", tmp_path / "out.mp4", fail)
    assert [file.name for file in tmp_path.iterdir()] == ["in.mp4"]
