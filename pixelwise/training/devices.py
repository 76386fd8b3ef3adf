"""The device and the precision of a training, by Lightning Fabric."""

from typing import TYPE_CHECKING

from torch import cuda

from pixelwise.errors import ProviderError
from pixelwise.training.params import DeviceParams

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def make_fabric(params: DeviceParams, devices: int = 1, strategy: str = "auto") -> "Fabric":
    """Return the Fabric of so many processes. Raises ProviderError if the requested device is missing."""
    # Imported here: it takes a second, and the other steps of a family train nothing.
    from lightning.fabric import Fabric

    if params.device == "cuda" and not cuda.is_available():
        raise ProviderError("device cuda: torch finds none, expected cpu or auto")
    return Fabric(accelerator=params.device, devices=devices, strategy=strategy, precision=params.precision)
