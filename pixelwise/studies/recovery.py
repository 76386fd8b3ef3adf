"""Find the covariance of an unknown blur by descent, from near the identity (thesis §5.2.3, figure 5.4)."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelwise.data.prepared import PreparedSplit
from pixelwise.families.composition.covariance import compute_covariance, make_numbers
from pixelwise.families.composition.gaussian import blur
from pixelwise.families.composition.params import Kind
from pixelwise.params import Params, parse
from pixelwise.reporting.receptive_field_images import draw_ellipses
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.schedules import Together
from pixelwise.studies.study import Study, Variant

# The initial standard deviation in pixels, the side of the blurred picture in pixels, and the steps of descent.
START, SIDE = 0.5, 96
STEPS, RATE = 200, 0.1
# One step in so many is drawn.
DRAWN = 10
# An error of the covariance below which it counts as found.
FOUND = 0.01


class RecoveryParams(Params):
    """What a variant of a study of kind recovery overrides."""

    truth: tuple[float, float, float]
    covariance: Kind


def recoveries(study: Study, bench: Bench) -> Together:
    """Measure the error of every variant's covariance, and draw the descent as ellipses."""
    picture = grey(bench.data.split(bench.val_split(study)))
    runs, ways = {}, {}
    for variant in study.variants:
        params = overrides_of(study, variant)
        truth = torch.tensor(params.truth, dtype=torch.float64)
        ways[variant.name] = recover(picture, truth, params.covariance)
        runs[variant.name] = Run(
            seed=study.seeds[0], scores=scores(ways[variant.name], compute_covariance(truth).numpy())
        )
    drawing = draw_ellipses({name: way[::DRAWN] for name, way in ways.items()})
    return Together(runs, sheet=Image.open(io.BytesIO(drawing)))


def overrides_of(study: Study, variant: Variant) -> RecoveryParams:
    """The blur of a variant. Raises ParamsError naming the study, the variant and the first bad key."""
    return parse(RecoveryParams, variant.overrides, f"study {study.name}: {variant.name}")


def grey(split: PreparedSplit) -> Tensor:
    """The middle of the split's first picture, (1, 1, h, w) between 0 and 1."""
    image = split[0].image.mean(axis=2) / 255
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape)
    return torch.from_numpy(image[top : top + SIDE, left : left + SIDE])[None, None]


def recover(picture: Tensor, truth: Tensor, kind: Kind) -> list[np.ndarray]:
    """Descend in the family `kind`; returns the covariance (2, 2) of every step, the initial one first.

    truth: the three log-Cholesky numbers of the blur that is to be found, of which only the blurred `picture` is seen.
    """
    seen = blur(picture, truth[None])
    learned = make_numbers(kind, START).double()[None].requires_grad_()
    # Adam, since the gradients of a picture's mean square are too small for what LBFGS takes as curvature.
    optimiser = torch.optim.Adam([learned], lr=RATE)
    way = [compute_covariance(learned.detach()[0]).numpy()]
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = (blur(picture, learned) - seen).square().mean()
        loss.backward()
        optimiser.step()
        way.append(compute_covariance(learned.detach()[0]).numpy())
    return way


def scores(way: list[np.ndarray], truth: np.ndarray) -> dict[str, float]:
    """The relative error of the last covariance, and the steps after which it stays found, if it does."""
    errors = [float(np.linalg.norm(found - truth) / np.linalg.norm(truth)) for found in way]
    steps = max((step + 1 for step, error in enumerate(errors) if error >= FOUND), default=0)
    return {"covariance_error": errors[-1]} | ({"steps": float(steps)} if steps < len(errors) else {})
