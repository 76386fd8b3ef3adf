"""Videos: upright, odd sides, and what breaks off."""

import struct
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from pixelwise.data.orientation import turn
from pixelwise.data.video import count_frames
from pixelwise.errors import DataError
from pixelwise.reporting.video import open_video, transform_video

SIZE = (48, 64)
# Where a step to the right and a step down in the stored frame lead, by the orientation as EXIF numbers it: the display
# matrix of an MP4's track header (ISO 14496-12).
MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


def set_matrix(path, matrix):
    """Write a display matrix into an MP4's track header."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


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


@pytest.mark.parametrize("orientation", MATRICES)
def test_a_video_is_turned_and_mirrored_as_a_picture_of_the_same_orientation(tmp_path, orientation):
    write_video(tmp_path / "phone.mp4", frames=1)
    stored = next(open_video(tmp_path / "phone.mp4").frames).image
    set_matrix(tmp_path / "phone.mp4", MATRICES[orientation])
    frame = next(open_video(tmp_path / "phone.mp4").frames).image
    np.testing.assert_array_equal(frame, turn(stored, orientation))


def write_times(path, times, rate=10):
    """A video whose frames are shown at `times`, in milliseconds."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((*SIZE, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode())


def test_frames_are_shown_when_the_source_shows_them(tmp_path):
    times = [0, 33, 66, 300, 1300, 1310, 2500]
    write_times(tmp_path / "in.mkv", times)
    transform_video(tmp_path / "in.mkv", tmp_path / "out.mp4", lambda _, frame: frame.image)
    with av.open(str(tmp_path / "out.mp4")) as reader:
        found = [round(1000 * frame.time) for frame in reader.decode(video=0)]
    assert found == times


def test_times_that_go_back_begin_anew(tmp_path):
    write_times(tmp_path / "a.ts", [0, 100, 200])
    (tmp_path / "joined.ts").write_bytes(2 * (tmp_path / "a.ts").read_bytes())
    seconds = [frame.seconds for frame in open_video(tmp_path / "joined.ts").frames]
    assert len(seconds) == 6
    assert (np.diff(seconds) > 0.01).all()


def make_box(name, body):
    return struct.pack(">I", len(body) + 8) + name + body


def add_cover(path):
    """Put a cover picture in front of the track of an MP4, as some taggers do."""
    cover = BytesIO()
    Image.new("RGB", (200, 200), (10, 200, 10)).save(cover, "JPEG")
    data = make_box(b"data", struct.pack(">II", 13, 0) + cover.getvalue())
    handler = make_box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    tags = make_box(b"udta", make_box(b"meta", bytes(4) + handler + make_box(b"ilst", make_box(b"covr", data))))
    content = bytearray(path.read_bytes())
    index, header = content.index(b"moov") - 4, content.index(b"mvhd") - 4
    after = header + int.from_bytes(content[header : header + 4])
    content[after:after] = tags
    content[index : index + 4] = (int.from_bytes(content[index : index + 4]) + len(tags)).to_bytes(4)
    path.write_bytes(content)


def test_a_cover_picture_is_not_the_video(tmp_path):
    write_video(tmp_path / "covered.mp4")
    add_cover(tmp_path / "covered.mp4")
    assert [frame.image.shape for frame in open_video(tmp_path / "covered.mp4").frames] == [(*SIZE, 3)] * 12
    assert count_frames(tmp_path / "covered.mp4") == 12


def test_a_cut_video_gives_its_frames_and_says_how_much_is_missing(tmp_path):
    write_times(tmp_path / "in.mkv", range(0, 4000, 100))
    content = (tmp_path / "in.mkv").read_bytes()
    (tmp_path / "in.mkv").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(DataError, match=r"in\.mkv: breaks off after \d\d frames: .* bytes are missing$"):
        transform_video(tmp_path / "in.mkv", tmp_path / "out.mp4", lambda _, frame: frame.image)
    assert 10 < len(list(open_video(tmp_path / "out.mp4").frames)) < 40


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
