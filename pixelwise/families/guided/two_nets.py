"""A guided model of two nets: late guidance for any picture, and a click net for the picture that is clicked."""

from torch import nn

from pixelwise.families.guided.click_net import ClickNet
from pixelwise.families.guided.net import GuidedNet


class TwoNets(nn.Module):
    """Both nets of a guided model. They share no weights and are trained one after the other.

    late: maps guidance from any pictures to a mask of another one. clicks: segments the picture that is clicked; its
    mask then guides the late net as a dense annotation.
    """

    def __init__(self, late: GuidedNet, clicks: ClickNet) -> None:
        super().__init__()
        self.late, self.clicks = late, clicks


def get_late_net(net: nn.Module) -> nn.Module:
    """Return the net that other pictures guide: the late one of two nets, or a net that is alone."""
    return net.late if isinstance(net, TwoNets) else net
