"""The clockwork: a net with skips in stages, and its learned clock (thesis §3.3)."""

from collections.abc import Sequence

from torch import Tensor, nn

from pixelwise.families.clockwork.change import Change
from pixelwise.families.clockwork.stages import Skips, Stage, cut


class Clockwork(nn.Module):
    """A net with skips, the strides of its stages and its learned clock. image as for the net; returns its logits."""

    def __init__(self, net: Skips, borders: Sequence[int]) -> None:
        super().__init__()
        self.net = net
        self.strides = cut(net.strides, borders)
        self.change = Change(net.channels[net.strides.index(self.strides[0][-1])])

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a single frame."""
        logits: Tensor = self.net(image)
        return logits

    def stages(self) -> list[Stage]:
        """The stages, shallow to deep."""
        return [Stage(self.net, strides).eval() for strides in self.strides]
