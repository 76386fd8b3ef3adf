"""Tiny data sets of video written to disk in their own layouts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

from support.image_sets import SIZE, noise, save
from support.matlab_sets import values, write_list, write_nyud

RAW_SIZE = (480, 640)
# Rows and columns of a raw frame that NYUDv2 labels.
BOX = (slice(44, 469), slice(40, 600))


def write_video(path: Path, frames: int, codec: str = "ffv1", options: Mapping[str, str] | None = None) -> Path:
    """A video of seeded noise at 15 Hz; ffv1 (in mkv) loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=dict(options or {})) as writer:
        stream = writer.add_stream(codec, rate=15)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        writer.start_encoding()
        for number in range(frames):
            writer.mux(stream.encode(av.VideoFrame.from_image(noise(number))))
        writer.mux(stream.encode())
    return path


def write_cityscapes(
    root: Path,
    splits: Mapping[str, Sequence[str]],
    preceding: int = 0,
    stills: bool = True,
    kind: str = "labelIds",
) -> Path:
    """Labelled frames by name, city_sequence_frame, each after so many of its sequence, and with ids 0–33."""
    for split, names in splits.items():
        for seed, name in enumerate(names):
            city, sequence, frame = name.split("_")
            if stills:
                save(noise(int(frame)), root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
            for number in range(int(frame) - preceding, int(frame) + 1) if preceding else ():
                file = f"{city}_{sequence}_{number:06d}_leftImg8bit.png"
                save(noise(number), root / "leftImg8bit_sequence" / split / city / file)
            label = values(seed, 0, 33 if kind == "labelIds" else 18)
            save(Image.fromarray(label), root / "gtFine" / split / city / f"{name}_gtFine_{kind}.png")
    return root


def write_youtube_objects(root: Path, shots: Mapping[str, int], size: tuple[int, int] = SIZE) -> Path:
    """Shots, class/video/shot, of so many frames from 1, with a mask in JPEG of every tenth: a white box on black."""
    for place, frames in shots.items():
        name, video, number = place.split("/")
        shot = Path(name) / "data" / video / "shots" / number
        stored = np.zeros(size, np.uint8)
        stored[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 255
        for frame in range(1, frames + 1):
            save(noise(frame, size), root / "v1" / shot / f"frame{frame:04d}.jpg")
            if frame % 10 == 1:
                save(Image.fromarray(stored), root / "youtube_masks" / shot / "labels" / f"{frame:05d}.jpg")
    return root


def write_nyud_clips(root: Path, scenes: Mapping[str, Sequence[str]]) -> Path:
    """NYUDv2 with raw frames: by scene, the seconds of each, after id@ where it is labelled (5001@8.5)."""
    lines = {}
    for scene, frames in scenes.items():
        for seed, frame in enumerate(frames):
            id_, _, seconds = frame.rpartition("@")
            name = f"r-{seconds}-{1000 + seed}.ppm"
            save(noise(seed, RAW_SIZE), root / "nyud" / "raw" / scene / name)
            if id_:
                lines[id_] = f"{scene}/{name}"
    write_nyud(root, {"test": list(lines)}, layers=())
    write_list(root / "nyud" / "test_rawImages.txt", list(lines.values()))
    return root
