"""What lies on the studio's desk, without a browser."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.runtime.guidance import Guidance
from pixelwise.families.guided.runtime.model import open_guided
from pixelwise.families.guided.runtime.working_size import SIDE
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.families.guided.studio.drawing import draw_mask
from pixelwise.families.guided.verbs.guide import read_clicks
from pixelwise.serving.listening import is_loopback


@pytest.fixture
def desk(guided, pictures):
    found = Desk(guided)
    for file in sorted(pictures.iterdir()):
        found.drop(file.name, file.read_bytes())
    return found


def test_nothing_said_is_no_mask_and_undo_goes_back_to_it(desk):
    assert desk.show(0).label is None
    assert desk.click(0, 40, 40, 1).label is not None
    assert desk.undo().label is None


def test_clicks_on_a_picture_segment_the_others_and_call_the_encoder_once_a_picture(desk, guided):
    desk.click(0, 40, 40, 1)
    desk.click(0, 100, 10, 0)
    other, before = desk.show(1), guided.encodes
    assert other.label.shape == (80, 120)
    assert other.clicks == []
    desk.click(0, 44, 44, 1)
    desk.show(1)
    assert guided.encodes == before


def test_undo_takes_back_the_last_change_on_whatever_picture_it_was(desk):
    first = desk.click(0, 40, 40, 1)
    desk.click(2, 10, 10, 0)
    seen = desk.undo()
    assert (seen.picture, seen.clicks) == (2, [])
    np.testing.assert_array_equal(desk.show(0).label, first.label)
    desk.remove(0, 0)
    assert desk.undo().clicks == [(40, 40, 1)]


def test_a_class_added_later_leaves_the_clicks_and_their_guidance_as_they_were(desk):
    desk.click(0, 40, 40, 1)
    desk.click(0, 100, 10, 0)
    before = desk.session.guidance()
    label = desk.show(0).label
    desk.add_class("disc")
    after = desk.session.guidance()
    assert after.present.tolist() == [True, True, False]
    np.testing.assert_array_equal(after.mean[:2], before.mean)
    np.testing.assert_array_equal(after.values[:2], before.values)
    # A class of which nothing is said yet is nowhere.
    assert not (desk.show(0).label == 2).any()
    assert label.shape == desk.show(0).label.shape
    desk.click(1, 60, 40, 2)
    assert desk.session.guidance().present.all()
    desk.undo()
    np.testing.assert_array_equal(desk.show(0).label == 2, False)


def test_a_click_keeps_its_pixel_in_a_picture_that_is_labelled_smaller(guided, tmp_path):
    Image.new("RGB", (2 * SIDE + 77, 300), (90, 120, 80)).save(tmp_path / "wide.jpg")
    desk = Desk(guided)
    desk.drop("wide.jpg", (tmp_path / "wide.jpg").read_bytes())
    seen = desk.click(0, 1800, 151, 1)
    assert max(seen.label.shape) == SIDE
    assert seen.clicks == [(1800, 151, 1)]
    assert Image.open(desk.save_mask(0, tmp_path / "out")).size == (2 * SIDE + 77, 300)


def test_what_is_saved_is_what_guide_and_predict_read(desk, guided_folder, pictures, tmp_path):
    desk.click(0, 40, 40, 1)
    desk.click(0, 100, 10, 0)
    mask = desk.save_mask(1, tmp_path)
    guidance = desk.save_guidance(tmp_path)
    disc = pictures / "disc 0.png"
    assert read_clicks(tmp_path / "clicks.json", [disc]) == {disc: [(40, 40, "object"), (100, 10, "background")]}
    segmenter = open_guided(guided_folder, guidance, "cpu")
    image = np.asarray(Image.open(pictures / "disc 1.png"))
    assert (segmenter.predict(image[None])[0] == np.asarray(Image.open(mask))).mean() > 0.99
    assert (tmp_path / "disc 1.overlay.png").is_file()


def test_guidance_that_was_saved_can_be_dropped_again(desk, guided, tmp_path):
    desk.click(0, 40, 40, 1)
    desk.click(0, 100, 10, 0)
    content = desk.save_guidance(tmp_path).read_bytes()
    other = Desk(guided)
    other.drop("guidance.npz", content)
    other.pictures = desk.pictures
    assert (other.show(1).label == desk.show(1).label).mean() > 0.99


def test_a_clip_is_its_frames(guided, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in (20, 120, 220):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode())
    desk = Desk(guided)
    assert desk.drop("clip.mp4", (tmp_path / "clip.mp4").read_bytes()) == [0, 1, 2]
    desk.click(1, 10, 10, 1)
    assert desk.save_mask(2, tmp_path) == tmp_path / "clip.label" / "frame_00002.png"
    desk.save_guidance(tmp_path)
    assert [*json.loads((tmp_path / "clicks.json").read_text())] == ["clip.frame_00001.png"]
    assert (tmp_path / "clip.frame_00001.png").is_file()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda desk: desk.click(0, 120, 5, 1), "click .120, 5.: outside the picture, expected x in 0–119"),
        (lambda desk: desk.click(0, 40, 40, 0), "already object"),
        (lambda desk: desk.click(0, 4, 4, 7), "found class 7, expected 0–1"),
        (lambda desk: desk.click(9, 4, 4, 1), "picture 9: unknown"),
        (lambda desk: desk.drop("notes.txt", b"no picture"), "notes.txt: "),
        (lambda desk: desk.drop("clip.mp4", b"no video"), "clip.mp4: no video"),
        (lambda desk: desk.drop("guidance.npz", b"no guidance"), "no guidance file"),
        (lambda desk: desk.add_class("object"), "class object: there is one already"),
    ],
)
def test_what_is_refused_is_named_and_earlier_clicks_are_kept(desk, wrong, message):
    desk.click(0, 40, 40, 1)
    with pytest.raises(DataError, match=message):
        wrong(desk)
    assert desk.show(0).clicks == [(40, 40, 1)]


def test_guidance_of_another_model_is_refused(desk, tmp_path):
    desk.click(0, 40, 40, 1)
    desk.session.guidance().save(tmp_path / "other.npz", "b" * 64, desk.session.names)
    with pytest.raises(ModelError, match="made by model bbb"):
        desk.drop("other.npz", (tmp_path / "other.npz").read_bytes())


def test_one_click_alone_leaves_what_is_least_like_it_to_the_background(desk, guided, monkeypatch):
    # A model without a click net: its clicks are guidance.
    monkeypatch.setattr(guided, "clicks", None)
    desk.click(0, 40, 40, 1)
    said = desk.session.guidance()
    assert said.present.tolist() == [False, True]
    features = desk.encode(0)
    from pixelwise.families.guided.runtime.guidance import suppose_background

    supposed = suppose_background(said, features.embedding)
    assert supposed.present.all()
    np.testing.assert_array_equal(supposed.mean[1], said.mean[1])
    # Nothing of it is kept: what is saved is what was said.
    assert not desk.session.guidance().present[0]
    assert isinstance(said, Guidance)


def test_a_masks_picture_is_small_and_holds_every_class():
    label = np.zeros((360, 480), np.uint8)
    label[100:200, 100:300] = 1
    label[220:300, 200:400] = 2
    content = draw_mask(label)
    assert len(content) < 20_000
    assert {0, 1, 2} <= set(np.unique(np.asarray(Image.open(__import__("io").BytesIO(content)))).tolist())


def test_the_name_of_a_dropped_file_cannot_leave_the_folder(guided, pictures, tmp_path):
    desk = Desk(guided)
    desk.drop("../../evil.png", (pictures / "disc 0.png").read_bytes())
    desk.click(0, 40, 40, 1)
    assert desk.save_mask(0, tmp_path / "out").parent == tmp_path / "out"


def test_pictures_of_one_name_in_two_folders_are_two_pictures(guided, pictures, tmp_path):
    desk = Desk(guided)
    for number in (0, 1):
        desk.drop(f"camera{number}/0000.png", (pictures / f"disc {number}.png").read_bytes())
    desk.click(0, 40, 40, 1)
    files = [desk.save_mask(number, tmp_path) for number in (0, 1)]
    assert files == [tmp_path / f"camera{number}" / "0000.label.png" for number in (0, 1)]
    desk.save_guidance(tmp_path)
    assert list(json.loads((tmp_path / "clicks.json").read_text())) == ["camera0/0000.png"]


def test_only_loopback_is_loopback():
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.168.1.5")


def test_a_picture_that_lies_on_its_side_is_dropped_upright(guided, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "phone.jpg", exif=exif)
    desk = Desk(guided)
    desk.drop("phone.jpg", (tmp_path / "phone.jpg").read_bytes())
    assert desk.pictures[0].size == (60, 40)
    assert desk.pictures[0].decode().shape == (60, 40, 3)


def test_how_a_picture_of_16_bits_is_read_is_said(guided, tmp_path):
    Image.fromarray(np.full((40, 60), 3000, np.uint16)).save(tmp_path / "x-ray.png")
    desk = Desk(guided)
    desk.drop("x-ray.png", (tmp_path / "x-ray.png").read_bytes())
    assert desk.notes.lines() == ["1 pictures of 16 bits a channel, divided by 256: x-ray.png"]
