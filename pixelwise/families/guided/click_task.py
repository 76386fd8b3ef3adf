"""Train a click net on its own errors: each step clicks, predicts and corrects before it learns (RITM, 2021)."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pixelwise.data.augmentation import LABEL, MAPS, Box, change_colours, crop_and_resize
from pixelwise.families.guided.click_net import compute_click_loss
from pixelwise.families.guided.corrective_clicks import find_next_click, measure_depth
from pixelwise.families.guided.episodes import LEAST_PIXELS, Balanced, Mask, Masks, make_target
from pixelwise.families.guided.params import ClickTrainParams
from pixelwise.families.guided.runtime.click_disks import ObjectClick, draw_disks
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.training.loop import Arrays

# Share of the tasks that are a whole mask where it has several parts; in the others the object is one of them.
WHOLE_SHARE = 0.25
# Share of the views around the object, as after its first mask; the others show as much as a whole picture.
ZOOMED_SHARE = 0.6
# Side of the view: in lengths of the object where zoomed, of the picture where not.
ZOOM, WHOLE = (1.1, 2.5), (0.6, 1.2)
LEAST_SIDE = 48
# Share of the samples that begin with several clicks at random instead of one at the object's centre.
RANDOM_SHARE = 0.4
MOST_OBJECT_CLICKS, MOST_OTHER_CLICKS = 4, 4
# Largest change of brightness, contrast and saturation.
COLOUR = 0.3
# Clicks after which validation scores a mask.
SCORED = (1, 3)


class ClickTask:
    """The training task of a click net: objects in views of `side` pixels, each with its first clicks."""

    is_summed = False

    def __init__(self, train: Masks, val: Masks, params: ClickTrainParams, seed: int) -> None:
        self.train, self.val, self.params, self.seed = train, val, params, seed

    def __len__(self) -> int:
        return len(self.train)

    def sample(self, seed: int, epoch: int, index: int) -> Arrays:
        """Draw a view (H, W, 3) uint8, its truth (H, W) uint8, and its first clicks as disks (2, H, W) uint8."""
        rng = np.random.default_rng((seed, epoch, index))
        masks = Balanced(self.train, epoch) if rng.random() < 0.5 else self.train
        image, truth = draw_object_view(self.train, masks[index], self.params.side, rng)
        clicks = draw_first_clicks(truth, rng)
        return {"image": image, "truth": truth, "disks": draw_disks(clicks, *truth.shape)}

    def loss(self, net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss after up to `params.corrections` clicks on the net's own errors."""
        image, truth, disks = batch["image"], batch["truth"], batch["disks"].clone()
        before, seen = torch.zeros(truth.shape, device=truth.device), None
        rounds = int(torch.randint(self.params.corrections + 1, ()).item())
        if rounds:
            net.eval()
            with torch.no_grad():
                for _ in range(rounds):
                    logits, seen = net(image, disks, before, seen)
                    before = logits.sigmoid()
                    add_corrections(disks, logits, truth)
            net.train()
        logits, _ = net(image, disks, before, seen)
        return compute_click_loss(logits, truth)

    @torch.inference_mode()
    def score(self, net: nn.Module) -> dict[str, float]:
        """Return the mean IU of validation objects after each count of clicks in SCORED, and their mean."""
        device = next(net.parameters()).device
        found: dict[int, list[float]] = {count: [] for count in SCORED}
        for index in np.linspace(0, len(self.val) - 1, min(self.params.val_objects, len(self.val))).astype(int):
            rng = np.random.default_rng((self.seed, int(index)))
            image, truth = draw_object_view(self.val, self.val[int(index)], self.params.side, rng)
            arrays = {"image": image, "truth": truth, "disks": np.zeros((2, *truth.shape), np.uint8)}
            tensors = {name: torch.from_numpy(values[None].copy()).to(device) for name, values in arrays.items()}
            logits, before, seen = torch.full(truth.shape, -1.0, device=device)[None], None, None
            for count in range(1, max(SCORED) + 1):
                before = torch.zeros_like(logits) if before is None else logits.sigmoid()
                add_corrections(tensors["disks"], logits, tensors["truth"])
                logits, seen = net(tensors["image"], tensors["disks"], before, seen)
                if count in found:
                    found[count].append(compute_positive_iu((logits[0] > 0).cpu().numpy().astype(np.uint8), truth))
        scores = {f"val/iu_after_{count}": float(np.mean(values)) for count, values in found.items()}
        return {"val/click_iu": float(np.mean(list(scores.values()))), **scores}


def draw_object_view(masks: Masks, mask: Mask, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a square view (side, side, 3) with an object, and its truth (side, side) uint8, 255 void."""
    image, label = masks.read(mask)
    truth = choose_part(make_target(label, mask.value), rng)
    box = draw_view_box(truth, rng)
    view = crop_and_resize(image, box, (side, side), MAPS["image"])
    target = crop_and_resize(truth, box, (side, side), LABEL)
    if rng.random() < 0.5:
        view, target = (picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in (view, target))
    return np.asarray(change_colours(view, rng, COLOUR)), np.asarray(target)


def choose_part(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return `truth` (H, W) with all parts of the object or with one large part; the other parts are then negative."""
    import cv2

    count, numbers, boxes, _ = cv2.connectedComponentsWithStats((truth == 1).astype(np.uint8), connectivity=8)
    large = [number for number in range(1, count) if boxes[number, cv2.CC_STAT_AREA] >= LEAST_PIXELS]
    if len(large) < 2 or rng.random() < WHOLE_SHARE:
        return truth
    sizes = np.array([boxes[number, cv2.CC_STAT_AREA] for number in large], float)
    chosen = rng.choice(large, p=np.sqrt(sizes) / np.sqrt(sizes).sum())
    return np.where((truth == 1) & (numbers != chosen), 0, truth).astype(np.uint8)


def draw_view_box(truth: np.ndarray, rng: np.random.Generator) -> Box:
    """Draw a square around the object of `truth` or as large as the picture, which keeps a pixel of the object."""
    rows, columns = np.nonzero(truth == 1)
    height, width = truth.shape
    if rng.random() < ZOOMED_SHARE:
        length = max(int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1, LEAST_SIDE) * draw_log_uniform(*ZOOM, rng)
        side = min(length, WHOLE[1] * max(height, width))
        x, y = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
        spread = 0.15 * side
        x, y = x + rng.uniform(-spread, spread), y + rng.uniform(-spread, spread)
    else:
        side = max(height, width) * draw_log_uniform(*WHOLE, rng)
        chosen = int(rng.integers(len(rows)))
        x = columns[chosen] + rng.uniform(-0.4, 0.4) * side
        y = rows[chosen] + rng.uniform(-0.4, 0.4) * side
        # A view larger than the picture holds all of it; a smaller one stays inside.
        x, y = (keep_inside(centre, side, length) for centre, length in ((x, width), (y, height)))
    stretch = math.exp(rng.uniform(-0.1, 0.1))
    return Box(x - side * stretch / 2, y - side / stretch / 2, side * stretch, side / stretch)


def keep_inside(centre: float, side: float, length: int) -> float:
    """Return the centre moved so that an interval of `side` lies in 0…length, or holds it where it is longer."""
    low, high = sorted((side / 2, length - side / 2))
    return min(max(centre, low), high)


def draw_log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw a number between `low` and `high`, uniform in its logarithm."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_first_clicks(truth: np.ndarray, rng: np.random.Generator) -> list[ObjectClick]:
    """Draw the clicks that a sample begins with: one near the object's centre, or several on and beside the object."""
    depth = measure_depth(truth == 1)
    if not depth.any():
        return []
    if rng.random() >= RANDOM_SHARE:
        rows, columns = np.nonzero(depth >= rng.uniform(0.6, 1.0) * depth.max())
        return [pick(rows, columns, True, rng)]
    counts = (rng.integers(0, MOST_OTHER_CLICKS + 1), rng.integers(1, MOST_OBJECT_CLICKS + 1))
    clicks = []
    for is_object, count in zip((False, True), counts, strict=True):
        inside = depth if is_object else measure_depth(truth == 0)
        rows, columns = np.nonzero(inside >= min(3.0, inside.max()))
        if inside.any():
            clicks += [pick(rows, columns, is_object, rng) for _ in range(count)]
    return clicks


def pick(rows: np.ndarray, columns: np.ndarray, is_object: bool, rng: np.random.Generator) -> ObjectClick:
    """Pick a click among pixels."""
    chosen = int(rng.integers(len(rows)))
    return ObjectClick(int(columns[chosen]), int(rows[chosen]), is_object)


def add_corrections(disks: Tensor, logits: Tensor, truth: Tensor) -> None:
    """Click on the largest error of each picture's mask, and draw the click into its `disks` (N, 2, H, W)."""
    masks, truths = (logits > 0).cpu().numpy(), truth.cpu().numpy()
    for index, (mask, target) in enumerate(zip(masks, truths, strict=True)):
        if click := find_next_click(mask, target):
            drawn = torch.from_numpy(draw_disks([click], *target.shape)).to(disks)
            torch.maximum(disks[index], drawn, out=disks[index])
