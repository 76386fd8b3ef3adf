"""Studies of kind recovery: find the covariance of an unknown blur by gradient descent (thesis §5.2.3, figure 5.4)."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelwise.data.prepared import PreparedSplit
from pixelwise.families.composition.covariance import compute_covariance, make_numbers
from pixelwise.families.composition.gaussian import blur
from pixelwise.families.composition.params import Kind
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.reporting.receptive_field_images import draw_ellipses
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import require_overrides
from pixelwise.studies.study import Study, parse_overrides
from pixelwise.studies.units import pack_values

# The initial standard deviation in pixels, and the side of the blurred picture in pixels.
START, SIDE = 0.5, 96
# Pictures that are blurred and recovered.
PICTURES = 4
# The steps of descent and their learning rate. Every DRAWN-th step is drawn.
STEPS, RATE, DRAWN = 200, 0.1, 10
# The covariance counts as found below this relative error.
FOUND = 0.01


class RecoveryParams(Params):
    """The overrides of a variant. truth: the three log-Cholesky numbers of the blur."""

    truth: tuple[float, float, float]
    covariance: Kind


def require(study: Study, bench: Bench) -> None:
    """Raise ParamsError at the first variant with bad overrides, DataError if the scored split is missing."""
    require_overrides(study, bench, RecoveryParams)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Measure the error of every variant's covariance over pictures, and draw the first descent as ellipses."""
    split = bench.data.split(bench.find_val_split(study))
    pictures = [crop_grey(split, index) for index in range(min(PICTURES, len(split)))]
    runs, drawn = {}, {}
    for variant in progress(study.variants, study.name):
        params = parse_overrides(study, variant, RecoveryParams)
        truth = torch.tensor(params.truth, dtype=torch.float64)
        paths = [recover(picture, truth, params.covariance) for picture in pictures]
        runs[variant.name] = [score_paths(paths, compute_covariance(truth).numpy(), seeds[0])]
        drawn[variant.name] = paths[0][::DRAWN]
    return Measurements(runs, Image.open(io.BytesIO(draw_ellipses(drawn))))


def score_paths(paths: Sequence[Sequence[np.ndarray]], truth: np.ndarray, seed: int) -> Run:
    """Average the scores of the pictures' descents; a score that a picture lacks has no mean."""
    scores = [score_path(path, truth) for path in paths]
    common = {name: [one[name] for one in scores] for name in scores[0] if all(name in one for one in scores)}
    return Run(
        seed=seed,
        scores={name: float(np.mean(values)) for name, values in common.items()},
        units={name: pack_values("picture", values, np.arange(len(paths))) for name, values in common.items()},
    )


def crop_grey(split: PreparedSplit, index: int) -> Tensor:
    """Return the middle of a picture in grey, (1, 1, h, w) between 0 and 1."""
    image = split[index].image.mean(axis=2) / 255
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape)
    return torch.from_numpy(image[top : top + SIDE, left : left + SIDE])[None, None]


def recover(picture: Tensor, truth: Tensor, kind: Kind) -> list[np.ndarray]:
    """Descend within the family `kind`; return the covariance (2, 2) of every step, the initial one first.

    truth: the three log-Cholesky numbers of the unknown blur. Descent sees only the blurred `picture`.
    """
    blurred = blur(picture, truth[None])
    learned = make_numbers(kind, START).double()[None].requires_grad_()
    # Adam, because the gradients of a picture's mean square are too small for the curvature that LBFGS estimates.
    optimiser = torch.optim.Adam([learned], lr=RATE)
    path = [compute_covariance(learned.detach()[0]).numpy()]
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = (blur(picture, learned) - blurred).square().mean()
        loss.backward()
        optimiser.step()
        path.append(compute_covariance(learned.detach()[0]).numpy())
    return path


def score_path(path: Sequence[np.ndarray], truth: np.ndarray) -> dict[str, float]:
    """Return the relative error of the last covariance, and the step from which the error stays small, if it does."""
    errors = [float(np.linalg.norm(sigma - truth) / np.linalg.norm(truth)) for sigma in path]
    steps = max((step + 1 for step, error in enumerate(errors) if error >= FOUND), default=0)
    return {"covariance_error": errors[-1]} | ({"steps": float(steps)} if steps < len(errors) else {})
