"""Log-Cholesky covariances of Gaussians: any real numbers give a valid covariance (thesis §5.2.2)."""

import math

import torch
from torch import Tensor

from pixelwise.errors import ModelError
from pixelwise.families.composition.params import Kind

# Count of log-Cholesky numbers per kind of covariance. The axes are in the order y, x.
NUMBERS: dict[Kind, int] = {"spherical": 1, "diagonal": 2, "full": 3}
# Standard deviations in cells. Below the smallest a Gaussian acts as the identity, above the largest as the global
# average. Clamping keeps the kernels and gradients finite if training drives a covariance to zero or infinity.
SMALLEST, LARGEST = 1e-3, 1e3


def compute_root(numbers: Tensor) -> Tensor:
    """The upper triangle U (..., 2, 2) with Σ = UᵀU, from log-Cholesky `numbers` (..., 1, 2 or 3).

    One number is log σ; two are log σ_y, log σ_x; three are log U₀₀, U₀₁, log U₁₁. Row vectors z on the unit circle
    map to points zU on the ellipse.
    """
    low, high = math.log(SMALLEST), math.log(LARGEST)
    first, last = numbers[..., 0].clamp(low, high).exp(), numbers[..., -1].clamp(low, high).exp()
    slant = numbers[..., 1].clamp(-LARGEST, LARGEST) if numbers.shape[-1] == 3 else torch.zeros_like(first)
    rows = torch.stack([first, slant], dim=-1), torch.stack([torch.zeros_like(last), last], dim=-1)
    return torch.stack(rows, dim=-2)


def compute_covariance(numbers: Tensor) -> Tensor:
    """Σ (..., 2, 2) from log-Cholesky `numbers` (..., 1, 2 or 3)."""
    upper = compute_root(numbers)
    return upper.mT @ upper


def make_numbers(kind: Kind, size: float) -> Tensor:
    """The log-Cholesky numbers of a round Gaussian of standard deviation `size` in cells."""
    log = math.log(size)
    return torch.tensor({"spherical": [log], "diagonal": [log, log], "full": [log, 0.0, log]}[kind])


def compute_deviations(numbers: Tensor) -> Tensor:
    """Standard deviations (..., 2) along y and x, in cells."""
    return compute_root(numbers).square().sum(dim=-2).sqrt()


def compute_size(numbers: Tensor) -> Tensor:
    """The size (...) of each Gaussian as one number, the fourth root of det Σ; equals σ if it is round."""
    upper = compute_root(numbers)
    return (upper[..., 0, 0] * upper[..., 1, 1]).sqrt()


def require_numbers(numbers: Tensor) -> None:
    """Raise ModelError if a learned covariance is NaN, since the training diverged."""
    if bool(numbers.isnan().any()):
        raise ModelError("covariance: found NaN, expected numbers; the training ran away, try a lower learning rate")
