"""The learned metric of guided networks: fuse query features with guidance and score them (thesis §4.3.2)."""

import torch
from torch import Tensor, nn

from pixelwise.families.fcn.fusion import conv_norm_relu
from pixelwise.nets.upsampling import upsample_by_products

# Match channels. For the class and for its rival, 11 each: likeness and three cosines, the same four relative to the
# picture's best cell, presence, two hints. For the class, 2: its share, and the share relative to the picture's best
# cell. A multiple of four, which ONNX Runtime needs to be fast.
MATCHES = 24


class Scorer(nn.Module):
    """A small learned metric: fuse query features with tiled guidance, score each cell, then refine at stride 4.

    Concatenation and a linear layer equal a sum of two linear layers (thesis §4.3.2); a product term is added. `see`
    computes the part that does not depend on guidance, once per picture.
    """

    def __init__(self, embedding: int, hidden: int, offset: float = 0.0) -> None:
        """`offset`: the cell at stride 4 on which cell 0 of the embedding is centred."""
        super().__init__()
        self.offset = offset
        fine = hidden // 2
        self.project = nn.Linear(embedding, 2 * hidden)
        self.tiled = nn.Linear(embedding, 2 * hidden)
        self.found = nn.Conv2d(MATCHES, hidden, kernel_size=3, padding=1)
        self.near = nn.Sequential(nn.ReLU(), conv_norm_relu(hidden, hidden, 3))
        self.context = nn.Linear(hidden, hidden)
        self.coarse = nn.Sequential(
            conv_norm_relu(hidden, hidden, 5, groups=hidden),
            conv_norm_relu(hidden, hidden),
            nn.Conv2d(hidden, fine, kernel_size=1, bias=False),
            nn.BatchNorm2d(fine),
        )
        self.detail = nn.Sequential(nn.Conv2d(fine, fine, kernel_size=1, bias=False), nn.BatchNorm2d(fine))
        self.fine = conv_norm_relu(fine, fine, 3)
        self.score = nn.Conv2d(fine, 1, kernel_size=1)

    def see(self, embedding: Tensor) -> Tensor:
        """Project a picture's embedding (N, h, w, D) for `forward`: (N, 2C, h, w)."""
        projected: Tensor = self.project(embedding)
        return projected.permute(0, 3, 1, 2)

    def forward(self, seen: Tensor, fine: Tensor, guide: Tensor, matches: Tensor) -> Tensor:
        """Return scores (N, K, h4, w4).

        seen: from `see`. fine: (N, C/2, h4, w4). guide: (N, K, h, w, D), or (N, K, 1, 1, D), which is tiled. matches:
        (N, K, MATCHES, h, w), from the matching.
        """
        batch, ways = matches.shape[:2]
        own, factor = seen[:, None].chunk(2, dim=2)
        tiled, weight = self.tiled(guide).permute(0, 1, 4, 2, 3).chunk(2, dim=2)
        fused = (own + tiled + factor * weight).flatten(0, 1) + self.found(matches.flatten(0, 1))
        near = self.near(fused)
        # The picture's strongest responses, as the threshold of each cell depends on them.
        context = self.context(near.amax(dim=(2, 3)))[..., None, None]
        coarse = upsample_by_products(self.coarse(near + context), 2, fine.shape[-2:], self.offset)
        looked = torch.relu(coarse.unflatten(0, (batch, ways)) + self.detail(fine)[:, None])
        return self.score(self.fine(looked.flatten(0, 1))).unflatten(0, (batch, ways)).squeeze(2)


def find_rival(values: Tensor) -> Tensor:
    """Return, for each class of (N, K, …), the highest value among the other classes."""
    ways = values.shape[1]
    itself = torch.eye(ways, device=values.device).view(1, ways, ways, *[1] * (values.dim() - 2))
    return (values[:, None] - 1e4 * itself).amax(dim=2)
