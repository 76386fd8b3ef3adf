"""Fit a recipe to a data set and a machine: each value with the reason for it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.inspection.survey import Survey
from pixelwise.params import Params, make_defaults
from pixelwise.validation.data_summary import stack_pixels
from pixelwise.validation.limits import Limits

# The defaults are fitted to the town: its training pictures, and seconds to minutes on two CPU cores.
TOWN_PICTURES = 160
# Crops that are seen in training, and pixels of a crop, as multiples of the defaults'.
CPU_CROPS, GPU_CROPS = 5, 40
CPU_PIXELS, GPU_PIXELS = 1.5, 4
# Pixels of the longer side at which a net sees a picture.
CPU_SIDE, GPU_SIDE = 640, 1536
MOST_EPOCHS = 15  # times the default
FEW_PICTURES, SMALL_BATCH = 500, 4
RARE, RARE_CROPS = 0.01, 0.3
NAMED = 5
BLOCK = 32  # a backbone's coarsest stride
# What alike names of classes may differ in beside case, and names that tools give to pixels without a class.
SEPARATORS = re.compile(r"[-_ ]")
UNLABELLED_NAMES = {"void", "unlabeled", "unlabelled", "unannotated", "ignore", "ignored", "undefined"}
ONE_SIDED = re.compile(r"(?<![a-z])(left|right)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """One value of a recipe, its dotted key with the section, and why."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class Facts:
    """What a recipe depends on. width, height: of the median picture; unseen: classes without training pixels."""

    splits: Mapping[str, int]
    classes: tuple[str, ...]
    width: int
    height: int
    shortest: int
    unseen: tuple[str, ...]
    rarest_share: float
    has_gpu: bool

    @property
    def train(self) -> tuple[str, ...]:
        """The splits to learn from: train and others that begin with its name, else the largest."""
        names = [name for name in self.splits if name.startswith("train") and not name.endswith("_frames")]
        return tuple(names) or (max(self.splits, key=lambda name: self.splits[name]),)

    @property
    def val(self) -> str | None:
        """The split that chooses the weights: val, else test, else the largest other one; None without one."""
        others = sorted((name for name in self.splits if name not in self.train), key=lambda name: -self.splits[name])
        return next((name for name in ("val", "test", *others) if name in others), None)


def read_facts(survey: Survey, splits: Mapping[str, int], has_gpu: bool) -> Facts:
    """Read the facts off a survey. splits: all items of each split, also those that were not looked at."""
    manifest, names = survey.summary.manifest, survey.summary.classes.names
    facts = Facts(
        splits, names, int(manifest["width"].median()), int(manifest["height"].median()),
        int(manifest[["width", "height"]].min().min()), (), 0.0, has_gpu,
    )  # fmt: skip
    pixels = stack_pixels(manifest[manifest["split"].isin(facts.train)], len(names)).sum(axis=0)
    unseen = tuple(name for name, count in zip(names, pixels, strict=True) if not count)
    shares = pixels[pixels > 0] / max(1, pixels.sum())
    return Facts(**{**vars(facts), "unseen": unseen, "rarest_share": float(np.min(shares, initial=1.0))})


def fit_recipe(facts: Facts, sections: Mapping[str, type[Params]]) -> list[Choice]:
    """Choose values for a data set. sections: dotted section of params.yaml -> the class of its parameters."""
    return [*fit_classes(facts), *fit_limits(facts), *fit_splits(facts, sections), *fit_nets(facts, sections)]


def fit_classes(facts: Facts) -> Iterator[Choice]:
    """Merge classes whose names are alike, and take out those that mean unlabelled."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in facts.classes:
        alike[SEPARATORS.sub("", name.casefold())].append(name)
    merged = {names[0]: names for names in alike.values() if len(names) > 1}
    unlabelled = [name for name in facts.classes if name.casefold() in UNLABELLED_NAMES]
    if wanted := merged | ({"void": unlabelled} if unlabelled else {}):
        reasons = [f"{' and '.join(names)} are spelled alike" for names in merged.values()]
        reasons += [f"{', '.join(unlabelled)} means unlabelled"] if unlabelled else []
        yield Choice("ingest.classes", wanted, "; ".join(reasons))


def fit_limits(facts: Facts) -> Iterator[Choice]:
    """Lower the limits of validate that small data cannot meet."""
    limits = Limits()
    wanted = zip((facts.train[0], facts.val), limits.min_images.values(), strict=True)
    required = {name: min(facts.splits[name], least) for name, least in wanted if name}
    if required != limits.min_images:
        yield Choice("validate.min_images", required, "the pictures that the data has")
    if facts.shortest < limits.min_side:
        yield Choice("validate.min_side", facts.shortest, "the shortest side of a picture")
    if facts.unseen:
        shown = ", ".join(facts.unseen[:NAMED]) + (", …" if len(facts.unseen) > NAMED else "")
        yield Choice("validate.min_class_images", 0, f"no training picture that was looked at shows {shown}")
    if facts.unseen or facts.rarest_share < limits.min_class_share:
        yield Choice("validate.min_class_share", 0.0, f"the rarest class has {facts.rarest_share:.4%} of the pixels")


def fit_splits(facts: Facts, sections: Mapping[str, type[Params]]) -> Iterator[Choice]:
    """Name the splits to learn from and to score, where they are not train and val."""
    train, val = "+".join(facts.train), facts.val or facts.train[0]
    for section, model in sections.items():
        found = {"train_split": train, "val_split": val, "split": val}
        for key, value in found.items():
            if key in model.model_fields and make_defaults(model)[key] != value:
                yield Choice(f"{section}.{key}", value, f"the splits are {', '.join(facts.splits)}")


def fit_nets(facts: Facts, sections: Mapping[str, type[Params]]) -> Iterator[Choice]:
    """Fit the trainings and the benchmark to the number and size of the pictures and to the machine."""
    for section, model in sections.items():
        if "augment" in model.model_fields and "epochs" in model.model_fields:
            yield from fit_training(facts, section, make_defaults(model))
        elif {"width", "height", "device"} <= model.model_fields.keys():
            yield Choice(f"{section}.width", facts.width, "the median picture")
            yield Choice(f"{section}.height", facts.height, "the median picture")


def fit_training(facts: Facts, section: str, default: Mapping[str, Any]) -> Iterator[Choice]:
    """Fit one training; `default`: its default values. Keys that it does not have are left out."""
    pictures = sum(facts.splits[name] for name in facts.train)
    crops = (GPU_CROPS if facts.has_gpu else CPU_CROPS) * default["epochs"] * TOWN_PICTURES
    epochs = int(np.clip(round(crops / pictures), 2, MOST_EPOCHS * default["epochs"]))
    machine = "a GPU" if facts.has_gpu else "a CPU"
    yield Choice(f"{section}.epochs", epochs, f"{pictures:,} training pictures on {machine}")
    if "validate_every" in default and epochs > 2 * default["epochs"]:
        yield Choice(f"{section}.validate_every", max(2, epochs // 8), "eight validations in all")
    if "batch_size" in default and pictures < FEW_PICTURES:
        yield Choice(f"{section}.batch_size", SMALL_BATCH, f"fewer than {FEW_PICTURES} pictures: more steps an epoch")
    yield from fit_views(facts, section, default)


def fit_views(facts: Facts, section: str, default: Mapping[str, Any]) -> Iterator[Choice]:
    """Fit the size at which a net sees a picture, and the crops."""
    augment, network = default["augment"], default.get("network", {})
    scale = min(1.0, round((GPU_SIDE if facts.has_gpu else CPU_SIDE) / max(facts.width, facts.height), 2))
    if scale < 1 and "scale" in network:
        yield Choice(f"{section}.network.scale", scale, f"pictures of {facts.width}×{facts.height} are shrunk")
    pixels = augment["crop_width"] * augment["crop_height"] * (GPU_PIXELS if facts.has_gpu else CPU_PIXELS)
    width, height = fit_crop(facts, pixels / scale**2)
    yield Choice(f"{section}.augment.crop_width", width, f"pictures of {facts.width}×{facts.height}")
    yield Choice(f"{section}.augment.crop_height", height, f"pictures of {facts.width}×{facts.height}")
    sided = [name for name in facts.classes if ONE_SIDED.search(name.replace("_", " "))]
    if sided and augment["mirror"]:
        yield Choice(f"{section}.augment.mirror", False, f"a mirrored {sided[0]} would be another class")
    if facts.rarest_share < RARE:
        yield Choice(
            f"{section}.augment.rare_share", 0.3, f"the rarest class has {facts.rarest_share:.2%} of the pixels"
        )


def fit_crop(facts: Facts, pixels: float) -> tuple[int, int]:
    """Fit the width and height of a crop of at most `pixels`, of the median picture's shape, in whole blocks."""
    factor = min(1.0, float(np.sqrt(pixels / (facts.width * facts.height))))
    width, height = (max(2, round(side * factor / BLOCK)) * BLOCK for side in (facts.width, facts.height))
    return width, height
