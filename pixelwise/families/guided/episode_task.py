"""Train a guided net on episodes: a support and a query, each episode a separate task (thesis §4.3.3)."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pixelwise.data.augmentation import AugmentParams, draw_view
from pixelwise.data.items import VOID
from pixelwise.data.prepared import PreparedSplit
from pixelwise.families.guided.episodes import (
    Balanced,
    Mask,
    Masks,
    Objects,
    annotate,
    annotate_points,
    draw_partner,
    draw_points,
    make_target,
)
from pixelwise.families.guided.params import TrainParams
from pixelwise.families.guided.runtime.annotations import STRIDE, Grid
from pixelwise.families.guided.runtime.clicks import compute_nearness
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.training.loop import Arrays

# Share of previous masks without the object: a net that always trusts them never finds a lost object again.
LOST = 0.2


class Episodes:
    """The training task of a guided net: segment a query, guided by a support (thesis §4.3.3)."""

    is_summed = False

    def __init__(self, train: PreparedSplit, val: PreparedSplit, params: TrainParams, offset: float) -> None:
        """`offset`: the pixel on which cell 0 of the features is centred."""
        tasks = Objects if params.separate_objects else Masks
        self.train, self.val = tasks(train, params.held_out), tasks(val, params.held_out)
        self.params, self.offset = params, offset

    def __len__(self) -> int:
        return len(self.train)

    def sample(self, seed: int, epoch: int, index: int) -> Arrays:
        """Draw one episode: for half of them the query is mask `index`, for half a mask drawn with balanced classes."""
        rng = np.random.default_rng((seed, epoch, index))
        masks = Balanced(self.train, epoch) if rng.random() < 0.5 else self.train
        return draw_episode(self.train, masks[index], self.params, self.offset, rng)

    def loss(self, net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss of the guided logits plus the loss of the unguided ones, for the same queries."""
        truth = batch["target"].long()
        *guided, unguided = (compute_episode_loss(logits, truth) for logits in net(*(batch[name] for name in INPUTS)))
        return torch.stack(guided).mean() + unguided

    @torch.inference_mode()
    def score(self, net: nn.Module) -> dict[str, float]:
        """Return the mean scores over validation episodes, the same each time, with the kinds' shares of training."""
        device, scores, negatives, floor = next(net.parameters()).device, [], [], []
        for index in np.linspace(0, len(self.val) - 1, min(self.params.val_episodes, len(self.val))).astype(int):
            rng = np.random.default_rng((self.params.seed, int(index)))
            arrays = draw_episode(self.val, self.val[int(index)], self.params, self.offset, rng)
            batch = {name: torch.from_numpy(np.array(values))[None].to(device) for name, values in arrays.items()}
            *guided, unguided = (
                logits.argmax(dim=1)[0].cpu().numpy() for logits in net(*(batch[name] for name in INPUTS))
            )
            truth = arrays["target"]
            floor.append(compute_positive_iu(unguided, truth))
            scores += [compute_positive_iu(prediction, truth) for prediction in guided]
            negatives += [compute_positive_iu(prediction, truth, way=0) for prediction in guided]
        positive, negative = float(np.mean(scores)), float(np.mean(negatives))
        return {
            "val/positive_iu": positive,
            "val/mean_iu": (positive + negative) / 2,
            "val/foreground_background": float(np.mean(floor)),
        }


INPUTS = ("support", "annotation", "query", "hint")


def compute_episode_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the cross-entropy of logits (N, 2, H, W) plus half of one minus the soft IU of the positives."""
    known = label != VOID
    positive, truth = logits.softmax(dim=1)[:, 1] * known, ((label == 1) & known).float()
    both = (positive * truth).sum(dim=(1, 2))
    either = (positive + truth - positive * truth).sum(dim=(1, 2))
    soft = (1 - (both + 1) / (either + 1)).mean()
    return F.cross_entropy(logits, label, ignore_index=VOID) + 0.5 * soft


def draw_episode(
    masks: Masks, mask: Mask, params: TrainParams, offset: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw an episode: support, query (H, W, 3) uint8, annotation (2, H, W), hint (2, 2, h, w), target (H, W) uint8.

    There are three kinds: the support is the query, another picture of the class, or another view or frame of the same
    object. `offset` is that of `Episodes`.
    """
    draw = rng.random()
    other_image = params.same_image_share + params.other_image_share
    kind = "same" if draw < params.same_image_share else "class" if draw < other_image else "clip"
    other = masks[int(rng.integers(len(masks)))] if kind != "same" and rng.random() < params.two_task_share else mask
    is_two = other.value != mask.value
    augment = halve_width(params.augment) if is_two else params.augment
    query, truth = draw_task_view(masks, mask, augment, rng)
    support, support_truth = (query, truth)
    if kind != "same":
        support, support_truth = draw_task_view(masks, draw_partner(masks, mask, kind, rng), augment, rng, mask.value)
    if is_two:
        query, truth = join_side_by_side(query, truth, *draw_task_view(masks, other, augment, rng), rng)
        support, support_truth = join_side_by_side(
            support, support_truth, *draw_task_view(masks, other, augment, rng), rng
        )
    height, width = truth.shape
    grid = Grid(-(-height // STRIDE), -(-width // STRIDE), offset)
    hint = np.zeros((2, 2, grid.height, grid.width), np.float32)
    if kind == "clip" and rng.random() < params.previous_mask_share:
        hint[:, 0] = draw_previous_mask(truth, rng, (grid.height, grid.width))
    if kind != "same" and rng.random() < params.dense_share:
        annotation = annotate(support_truth)
    else:
        points = draw_points(support_truth, draw_count(params.max_points, rng), rng)
        annotation = annotate_points(points, height, width)
        if kind == "same":
            hint[:, 1] = [compute_nearness(of_class, grid) for of_class in points]
    return {"support": support, "annotation": annotation, "query": query, "hint": hint, "target": truth}


def draw_count(most: int, rng: np.random.Generator) -> int:
    """Draw the points per class: half the time 1 to `most` (thesis §4.3.3), else 1 to 8, as few as a person clicks."""
    return int(rng.integers(1, most if rng.random() < 0.5 else min(8, most), endpoint=True))


def halve_width(augment: AugmentParams) -> AugmentParams:
    """Return parameters for views of half the width, two of which make a picture."""
    return augment.model_copy(update={"crop_width": augment.crop_width // 2})


def draw_task_view(
    masks: Masks, mask: Mask, augment: AugmentParams, rng: np.random.Generator, value: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a view of the picture of `mask`, usually showing class `value` (default: the mask's), and its target."""
    image, label = masks.read(mask)
    value = mask.value if value is None else value
    augment = augment.model_copy(update={"rare_share": 0.9})
    arrays = draw_view({"image": image, "label": label}, rng, augment, np.array([value]))
    return arrays["image"], make_target(arrays["label"], value)


def join_side_by_side(
    image: np.ndarray, truth: np.ndarray, other: np.ndarray, other_truth: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return both pictures and targets side by side in random order; the other picture is all negative or void."""
    pair = [(image, truth), (other, np.where(other_truth == VOID, VOID, 0).astype(np.uint8))]
    if rng.random() < 0.5:
        pair.reverse()
    return np.concatenate([pair[0][0], pair[1][0]], axis=1), np.concatenate([pair[0][1], pair[1][1]], axis=1)


def draw_previous_mask(truth: np.ndarray, rng: np.random.Generator, cells: tuple[int, int]) -> np.ndarray:
    """Return a plausible mask of the previous frame, (2, h, w): the truth shifted, scaled and with errors."""
    height, width = truth.shape
    shift, scale = rng.uniform(-0.06, 0.06, 2) * (width, height), np.exp(rng.uniform(-0.1, 0.1))
    matrix = (scale, 0, shift[0] + (1 - scale) * width / 2, 0, scale, shift[1] + (1 - scale) * height / 2)
    mask = Image.fromarray((truth == 1).astype(np.uint8) * 255)
    moved = mask.transform((width, height), Image.Transform.AFFINE, matrix)
    share = np.asarray(moved.resize((cells[1], cells[0]), Image.Resampling.BOX), np.float32) / 255
    if rng.random() < LOST:
        share = np.zeros_like(share)
    # Remove or add a blob as large as a part of an object, so that the net does not rely on the previous mask alone.
    if rng.random() < 0.5:
        x, y, radius = rng.uniform(0, cells[1]), rng.uniform(0, cells[0]), rng.uniform(1, max(cells) / 5)
        rows, columns = np.ogrid[: cells[0], : cells[1]]
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        share = np.where(inside, rng.integers(0, 2), share).astype(np.float32)
    return np.stack([1 - share, share]).astype(np.float32)
