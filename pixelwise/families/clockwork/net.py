"""The clockwork: a net with skips, cut into stages, and its learned clock (thesis §3.3)."""

from collections.abc import Sequence

from torch import Tensor, nn

from pixelwise.families.clockwork.change import Change
from pixelwise.families.clockwork.stages import Skips, Stage, split_strides


class Clockwork(nn.Module):
    """A net with skips, the strides of its stages and its learned clock. Called, it returns the net's logits."""

    def __init__(self, net: Skips, borders: Sequence[int]) -> None:
        super().__init__()
        self.net = net
        self.strides = split_strides(net.strides, borders)
        self.change = Change(net.channels[net.strides.index(self.strides[0][-1])])

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of single frames; `image` as for the net."""
        logits: Tensor = self.net(image)
        return logits

    def make_stages(self) -> list[Stage]:
        """Return the stages, shallow to deep, in evaluation mode."""
        return [Stage(self.net, strides).eval() for strides in self.strides]
