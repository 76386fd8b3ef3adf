"""Predict: what is written for pictures, folders and videos, and what is said of inputs that cannot be read."""

import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from PIL import Image, TiffImagePlugin
from support.channel_model import PALETTE, channel_picture, write_channel_model
from support.image_sets import noise, save

from pixelwise.data.image_codec import FORMATS
from pixelwise.data.inputs import result_names
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import read_dataset
from pixelwise.data.writers import WRITERS
from pixelwise.errors import DataError, ModelError
from pixelwise.families.options import PredictParams
from pixelwise.inference.session import FrameByFrame, Segmenter, open_model
from pixelwise.tools import predict

SIZE = (40, 60)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model") / "fcn")


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture at `path`; returns the class of every pixel."""
    image, label = channel_picture(seed, size)
    save(Image.fromarray(image), path)
    return label


def write_video(path: Path, frames: int, size: tuple[int, int] = SIZE) -> None:
    """Frames of one plain colour each: red, green, blue, red, …"""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=12)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for frame in range(frames):
            image = np.full((*size, 3), 20, np.uint8)
            image[..., frame % 3] = 220
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        writer.mux(stream.encode())


def write_frames(path: Path) -> None:
    """Two frames of an animation, or pages."""
    noise(1).save(path, save_all=True, append_images=[noise(2)])


def read_map(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.array(picture)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_label_map_holds_the_classes_in_the_models_colours(model, tmp_path):
    label = write_picture(tmp_path / "street.png")
    predict.run(PredictParams(), [tmp_path / "street.png"], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"street.label.png", "street.overlay.png"}
    assert (read_map(tmp_path / "out" / "street.label.png") == label).all()
    with Image.open(tmp_path / "out" / "street.label.png") as picture:
        assert (np.array(picture.convert("RGB")) == np.array(PALETTE)[label]).all()


def test_the_overlay_is_as_wide_as_the_image_and_has_its_legend_below(model, tmp_path):
    write_picture(tmp_path / "street.png")
    predict.run(PredictParams(), [tmp_path / "street.png"], model, tmp_path / "out")
    with Image.open(tmp_path / "out" / "street.overlay.png") as picture:
        assert picture.width == SIZE[1]
        assert picture.height > SIZE[0]


def test_folders_keep_their_subfolders_and_alike_names_do_not_clash(model, tmp_path):
    photos = tmp_path / "photos"
    labels = {
        "a.png": write_picture(photos / "a.png", seed=1),
        "a.bmp": write_picture(photos / "a.bmp", seed=2),
        "deep/er/b": write_picture(photos / "deep" / "er" / "b.png", seed=3),
    }
    (photos / "notes.txt").write_text("no picture")
    predict.run(PredictParams(), [photos], model, tmp_path / "out")
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in labels for kind in ("label", "overlay")}
    for name, label in labels.items():
        assert (read_map(tmp_path / "out" / f"{name}.label.png") == label).all()


def test_every_input_gets_a_name_of_its_own():
    paths = [Path(name) for name in ("a.jpg", "a.png", "A.JPG", "b.v1.jpg", "b.v2.jpg", "c.jpg", "c.jpg")]
    names = [str(name) for name in result_names(paths)]
    assert names == ["a.jpg", "a.png", "A.JPG-2", "b.v1", "b.v2", "c.jpg", "c.jpg-2"]


def test_an_output_inside_the_input_is_not_predicted_again(model, tmp_path):
    write_picture(tmp_path / "a.png")
    for _ in range(2):
        predict.run(PredictParams(), [tmp_path], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"a.label.png", "a.overlay.png"}
    with pytest.raises(DataError, match="all pictures and videos lie in the output"):
        predict.run(PredictParams(), [tmp_path], model, tmp_path)


def test_a_file_given_twice_is_predicted_once(model, tmp_path):
    write_picture(tmp_path / "in" / "a.png")
    report = predict.run(PredictParams(), [tmp_path / "in", tmp_path / "in" / "a.png"], model, tmp_path / "out")
    assert report.inputs == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_predicted_upright_as_its_exif_says(model, tmp_path, orientation):
    turns = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image, label = channel_picture(seed=5, size=SIZE)
    stored = Image.fromarray(image)
    if turns[orientation] is not None:
        stored = stored.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "phone.png", exif=exif)
    predict.run(PredictParams(), [tmp_path / "phone.png"], model, tmp_path / "out")
    assert (read_map(tmp_path / "out" / "phone.label.png") == label).all()


def test_greyscale_transparent_and_palette_pictures_are_predicted(model, tmp_path):
    image, _ = channel_picture(seed=1, size=SIZE)
    for mode in ("L", "RGBA", "P", "CMYK", "1"):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.fromarray(image).convert(mode).save(tmp_path / f"{mode}.{suffix}")
    report = predict.run(PredictParams(), [tmp_path], model, tmp_path / "out")
    assert report.images == 5


def test_unreadable_inputs_are_named_and_the_others_written(model, tmp_path, capsys):
    folder = tmp_path / "in"
    write_picture(folder / "a.png")
    write_picture(folder / "z.png")
    (folder / "junk.jpg").write_bytes(b"junk")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:500])
    (folder / "empty.mp4").write_bytes(b"")
    save(Image.fromarray(np.zeros((4, 4), np.uint16)), folder / "depth.png")
    with pytest.raises(DataError, match="5 of 7 inputs"):
        predict.run(PredictParams(), [folder, tmp_path / "none.png"], model, tmp_path / "out")
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if "skipped:" in line]
    assert len(lines) == 5
    for name in ("junk.jpg", "cut.png", "empty.mp4", "depth.png", "none.png"):
        assert sum(name in line for line in lines) == 1
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}


UNUSABLE = {
    "animated.png": (write_frames, "2 frames, expected one"),
    "animated.webp": (write_frames, "2 frames, expected one"),
    "pages.tif": (write_frames, "2 frames, expected one"),
    "float.tif": (
        lambda path: Image.fromarray(np.ones(SIZE, np.float32)).save(path),
        "mode F, expected 8 or 16 bits a channel",
    ),
    "narrow.png": (lambda path: noise(0, (40, 7)).save(path), "size 7×40, expected at least 8×8"),
    "page.jpg": (
        lambda path: path.write_text("<html>404</html>"),
        f"not a picture, expected one of: {' '.join(FORMATS)}",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_picture_that_ingest_would_refuse_is_refused_with_the_same_words(model, tmp_path, name, capsys):
    write, reason = UNUSABLE[name]
    write(tmp_path / name)
    with pytest.raises(DataError, match="1 of 1 inputs"):
        predict.run(PredictParams(), [tmp_path / name], model, tmp_path / "out")
    assert f"skipped: {tmp_path / name}: {reason}\n" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_that_takes_more_than_pictures_is_refused_in_one_line(model, tmp_path):
    graph = onnx.load(model / "onnx/model.onnx")
    graph.graph.input.append(onnx.helper.make_tensor_value_info("depth", onnx.TensorProto.INT32, ["N", "H", "W"]))
    onnx.save(graph, tmp_path / "model.onnx")
    write_picture(tmp_path / "a.png")
    with pytest.raises(ModelError, match="takes image and depth, expected image alone"):
        predict.run(PredictParams(), [tmp_path / "a.png"], tmp_path / "model.onnx", tmp_path / "out")


def test_a_video_gives_an_overlay_video_and_a_label_map_a_frame(model, tmp_path):
    write_video(tmp_path / "clip.mp4", frames=7)
    report = predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    assert report.images == 7
    maps = {f"clip.label/frame_{frame:05d}.png" for frame in range(7)}
    assert written(tmp_path / "out") == {"clip.overlay.mp4", *maps}
    for frame in range(7):
        label = read_map(tmp_path / "out" / "clip.label" / f"frame_{frame:05d}.png")
        assert label.shape == SIZE
        assert (label == frame % 3).all()
    with av.open(str(tmp_path / "out" / "clip.overlay.mp4")) as reader:
        assert reader.streams.video[0].average_rate == 12
        frames = list(reader.decode(video=0))
    assert len(frames) == 7
    assert frames[0].width == SIZE[1]
    assert frames[0].height > SIZE[0]


def test_a_command_that_skipped_something_ends_with_one_line_and_status_one(model, tmp_path):
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    command = [sys.executable, "-m", "pixelwise.tools.predict", "--model", model, tmp_path / "junk.jpg"]
    done = subprocess.run([*command, "--output", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: 1 of 1 inputs")


def test_an_output_that_cannot_be_written_to_is_said_so(model, tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out: cannot be written to"):
        predict.run(PredictParams(), [tmp_path / "a.png"], model, tmp_path / "out")


def test_a_folder_without_pictures_says_what_was_expected(model, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no picture or video, expected files ending in"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")


def test_predicting_pictures_imports_neither_torch_nor_ffmpeg(model, tmp_path):
    write_picture(tmp_path / "a.png")
    code = (
        "import sys, runpy; runpy.run_module('pixelwise.tools.predict', run_name='__main__', alter_sys=True);"
        "print(sorted({'torch', 'matplotlib', 'mlflow', 'av', 'pyarrow', 'onnx'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "--model", model, tmp_path / "a.png", "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "1 images" in done.stdout


def test_files_that_are_neither_pictures_nor_videos_are_counted(model, tmp_path, capsys):
    write_picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
    (tmp_path / "in" / "IMG_2.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
    predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert "passed over: 2 .heic, 1 .txt\n" in capsys.readouterr().err


def test_linked_folders_are_searched(model, tmp_path):
    write_picture(tmp_path / "disk" / "a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "disk")
    predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"link/a.label.png", "link/a.overlay.png"}


def test_an_animation_is_a_video_whatever_its_name(model, tmp_path):
    pictures = [Image.fromarray(channel_picture(seed, SIZE)[0]) for seed in range(3)]
    pictures[0].save(tmp_path / "moving.GIF", save_all=True, append_images=pictures[1:], duration=100)
    write_video(tmp_path / "clip.mp4", frames=2)
    (tmp_path / "clip.mp4").rename(tmp_path / "recording")
    report = predict.run(PredictParams(), [tmp_path / "moving.GIF", tmp_path / "recording"], model, tmp_path / "out")
    assert report.images == 5


def test_a_name_that_is_too_long_for_its_results_is_the_fault_of_that_input(model, tmp_path, capsys):
    for name in ("a", "b" * 245, "z"):
        write_picture(tmp_path / "in" / f"{name}.png")
    with pytest.raises(DataError, match="1 of 3 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    said = capsys.readouterr().err
    assert f"{'b' * 245}.png: results cannot be written: File name too long" in said
    # Its label map alone would have had a name of 255 characters, which is allowed.
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}


def test_a_place_that_is_taken_by_a_folder_is_the_fault_of_that_input(model, tmp_path, capsys):
    for name in "ab":
        write_picture(tmp_path / "in" / f"{name}.png")
    (tmp_path / "out" / "a.overlay.png").mkdir(parents=True)
    with pytest.raises(DataError, match="1 of 2 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert "a.png: results cannot be written: Is a directory" in capsys.readouterr().err
    assert written(tmp_path / "out") == {"b.label.png", "b.overlay.png"}


def test_a_shorter_video_of_the_same_name_leaves_no_old_frames(model, tmp_path):
    for frames in (5, 2):
        write_video(tmp_path / "clip.mp4", frames)
        predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    maps = {f"clip.label/frame_{frame:05d}.png" for frame in range(2)}
    assert written(tmp_path / "out") == {"clip.overlay.mp4", *maps}


def test_a_video_that_fails_midway_leaves_the_results_before_it(model, tmp_path, monkeypatch):
    write_video(tmp_path / "clip.mp4", 3)
    predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    write_video(tmp_path / "clip.mp4", 6)
    calls = []

    def fail(segmenter, image, follows=True):
        calls.append(follows)
        if len(calls) == 3:
            raise ModelError("ONNX Runtime failed")
        return np.zeros(image.shape[:2], np.uint8)

    monkeypatch.setattr(FrameByFrame, "step", fail)
    with pytest.raises(DataError, match="1 of 1 inputs"):
        predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("error", [ModelError("ONNX Runtime failed: no memory"), MemoryError()])
def test_a_picture_that_the_memory_cannot_hold_is_named_and_the_others_done(
    model, tmp_path, monkeypatch, capsys, error
):
    for name, size in {"a": SIZE, "m": (90, 90), "z": SIZE}.items():
        write_picture(tmp_path / "in" / f"{name}.png", size=size)
    work = Segmenter.predict

    def predict_small(segmenter, images):
        if images.shape[1] == 90:
            raise error
        return work(segmenter, images)

    monkeypatch.setattr(Segmenter, "predict", predict_small)
    with pytest.raises(DataError, match="1 of 3 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
    assert "m.png: " in line
    assert "memory" in line
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}


def test_a_geotiff_is_labelled_where_it_lies(model, tmp_path):
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
    report = predict.run(PredictParams(), [tmp_path / "field.tif"], model, tmp_path / "out")
    assert "label maps with the georeference of their picture: 1 .label.tif" in str(report)
    with Image.open(tmp_path / "out" / "field.label.tif") as found:
        assert {tag: found.tag_v2[tag] for tag in place | keys} == place | keys
        assert found.tag_v2[34737] == "WGS 84 / UTM zone 33N|"
        assert found.tag_v2[42113] == "255"
        values = np.array(found)
    assert (values[:4] == 255).all(), "the picture has no data there"
    assert (values[4:] == label[4:]).all()
    assert (read_map(tmp_path / "out" / "field.label.png")[4:] == label[4:]).all()


@pytest.mark.parametrize("kind", WRITERS)
def test_labels_can_be_imported_by_a_labelling_tool_and_ingested_again(model, tmp_path, kind):
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    labels = {f"{name}/0": write_picture(pictures / f"{name}/0.png", seed) for seed, name in enumerate("ab")}
    report = predict.run(PredictParams(format=kind), [pictures], model, out)
    assert f"annotations to import: {report.annotations}" in str(report)
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
