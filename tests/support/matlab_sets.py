"""Tiny data sets of MATLAB files written to disk in their own layouts."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from pixelwise.data.readers import context, nyud, sift_flow
from support.image_sets import SIZE, noise, save


def save_mat(path: Path, **fields: object) -> None:
    """Write a MATLAB 5 file, compressed as MATLAB does, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, fields, do_compression=True)


def values(seed: int, low: int, high: int, dtype: type = np.uint8, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A map (H, W) of seeded values from `low` to `high`, both included."""
    return np.random.default_rng(seed).integers(low, high + 1, size).astype(dtype)


def write_list(path: Path, ids: list[str]) -> None:
    """A list of ids, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{id_}\n" for id_ in ids))


def write_sbd(root: Path, splits: dict[str, list[str]], size: tuple[int, int] = SIZE) -> Path:
    """SBD's benchmark_RELEASE under `root`: GTcls with its map, boundaries and categories, as published."""
    folder = root / "benchmark_RELEASE" / "dataset"
    for split, ids in splits.items():
        write_list(folder / f"{split}.txt", ids)
        for seed, id_ in enumerate(ids):
            boundaries = np.empty((20, 1), object)
            boundaries[:, 0] = [csc_matrix(size, dtype=bool) for _ in range(20)]
            segmentation = values(seed, 0, 20, size=size)
            label = {"Boundaries": boundaries, "Segmentation": segmentation, "CategoriesPresent": [[1, 2]]}
            save(noise(seed, size), folder / "img" / f"{id_}.jpg")
            save_mat(folder / "cls" / f"{id_}.mat", GTcls=label)
    return root


def write_nyud(root: Path, splits: dict[str, list[str]], layers: tuple[str, ...] = ("depth", "hha")) -> Path:
    """Gupta et al.'s layout under `root`/nyud: colour, depth in millimetres and HHA below data/."""
    folder = root / "nyud"
    for split, ids in splits.items():
        write_list(folder / f"{split}.txt", ids)
        for id_ in ids:
            seed = int(id_)
            save(noise(seed), folder / "data" / "images" / f"img_{id_}.png")
            save_mat(folder / "segmentation" / f"img_{id_}.mat", segmentation=values(seed, 0, len(nyud.NAMES)))
            if "depth" in layers:
                save(Image.fromarray(values(seed, 0, 9999, np.uint16)), folder / "data" / "depth" / f"img_{id_}.png")
            if "hha" in layers:
                save(noise(seed + 1), folder / "data" / "hha" / f"img_{id_}.png")
    return root


def write_sift_flow(root: Path, train: list[str], test: list[str]) -> Path:
    """SiftFlowDataset under `root`, its test list with Windows' paths."""
    folder = root / "SiftFlowDataset"
    for seed, id_ in enumerate([*train, *test]):
        save(noise(seed), folder / sift_flow.IMAGES / f"{id_}.jpg")
        names = np.array(sift_flow.NAMES, object)[:, None]
        save_mat(folder / sift_flow.LABELS / f"{id_}.mat", S=values(seed, 0, 33), names=names)
        save_mat(folder / sift_flow.GEOMETRIES / f"{id_}.mat", S=values(seed, -1, 3, np.int8), names=names[:3])
    write_list(folder / "TestSet1.txt", [f"{sift_flow.SCENES}\\{id_}.jpg" for id_ in test])
    return root


def write_context(root: Path, splits: dict[str, list[str]]) -> Path:
    """PASCAL-Context's names and labels beside VOC2010; 6 names of no class stand in for the 400."""
    folder, year = root / "pascal-context", root / "VOCdevkit" / "VOC2010"
    raw = [context.RAW_NAMES.get(name, name) for name in context.NAMES[1:]]
    others = ["accordion", "air conditioner", "clothes tree", "cap", "wool", "unknown"]
    names = sorted([*raw, *others])
    write_list(folder / "labels.txt", [f"{value}: {name}" for value, name in enumerate(names, start=1)])
    for split, ids in splits.items():
        write_list(year / "ImageSets" / "Main" / f"{split}.txt", ids)
        for seed, id_ in enumerate(ids):
            save(noise(seed), year / "JPEGImages" / f"{id_}.jpg")
            save_mat(folder / "trainval" / f"{id_}.mat", LabelMap=values(seed, 1, len(names), np.uint16))
    return root
