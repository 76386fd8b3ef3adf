"""Predict: what is written for videos and animations."""

import av
from PIL import Image
from support.channel_model import channel_picture
from support.predictions import SIZE, read_map, write_picture, write_video, written

from pixelwise.families.options import PredictParams
from pixelwise.tools import predict


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


def test_an_animation_is_a_video_whatever_its_name(model, tmp_path):
    pictures = [Image.fromarray(channel_picture(seed, SIZE)[0]) for seed in range(3)]
    pictures[0].save(tmp_path / "moving.GIF", save_all=True, append_images=pictures[1:], duration=100)
    write_video(tmp_path / "clip.mp4", frames=2)
    (tmp_path / "clip.mp4").rename(tmp_path / "recording")
    report = predict.run(PredictParams(), [tmp_path / "moving.GIF", tmp_path / "recording"], model, tmp_path / "out")
    assert report.images == 5


def test_a_shorter_video_of_the_same_name_leaves_no_old_frames(model, tmp_path):
    for frames in (5, 2):
        write_video(tmp_path / "clip.mp4", frames)
        predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    maps = {f"clip.label/frame_{frame:05d}.png" for frame in range(2)}
    assert written(tmp_path / "out") == {"clip.overlay.mp4", *maps}


def test_a_gif_of_one_frame_is_a_picture(model, tmp_path):
    write_picture(tmp_path / "still.gif")
    predict.run(PredictParams(), [tmp_path / "still.gif"], model, tmp_path / "out")
    assert written(tmp_path / "out") == {"still.label.png", "still.overlay.png"}
