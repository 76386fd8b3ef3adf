"""Prepare a copy of a net for tracing: fewer and cheaper operations that compute the same.

Tracing computes the shape of every operation in symbols, which is nearly all of the time of an export.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class Clamp(nn.Module):
    """ReLU6 as one operation: torch traces the operation of `nn.ReLU6` by a slow decomposition."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` limited to 0–6."""
        return x.clamp(0, 6)


@torch.no_grad()
def fold(net: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Fold batch norms into the convolutions before them, and replace every ReLU6, in place.

    Runs `net`, which must be in evaluation mode, once on `inputs` to see which norm follows which convolution.
    """
    replaced: dict[nn.Module, nn.Module] = {layer: Clamp() for layer in net.modules() if isinstance(layer, nn.ReLU6)}
    for conv, norm in find_normalised_convolutions(net, inputs).items():
        fold_norm(conv, norm)
        # A norm of timm also holds the activation after it.
        activation = getattr(norm, "act", nn.Identity())
        replaced[norm] = replaced.get(activation, activation)
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if child in replaced:
                setattr(parent, name, replaced[child])


def find_normalised_convolutions(net: nn.Module, inputs: Sequence[Tensor]) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    """Run `net` on `inputs`. Return the batch norm of each convolution whose very output one normalises."""
    # Outputs are kept, since a freed one may give its identity to another.
    made: list[tuple[nn.Conv2d, Tensor]] = []
    found: dict[nn.Conv2d, nn.BatchNorm2d] = {}

    def note_output(conv: nn.Conv2d, _: object, output: Tensor) -> None:
        made.append((conv, output))

    def note_input(norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        found.update({conv: norm for conv, output in made if output is given[0]})

    hooks = [layer.register_forward_hook(note_output) for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks += [norm.register_forward_pre_hook(note_input) for norm in norms]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return found


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Give `conv` the weights and the bias that include the scale and the shift of `norm`, in place."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
