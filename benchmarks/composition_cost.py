"""Time that dynamic layers add to a convolution, against free-form deformation, and their error (thesis §5.3.2)."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from pixelwise import command
from pixelwise.families.composition.covariance import compute_root
from pixelwise.families.composition.dynamic import DynamicGaussian, Scales, filter_locally
from pixelwise.families.composition.gaussian import apply, blur, make_kernel_2d, make_kernels
from pixelwise.families.composition.layer import PACE, GaussianParams, fold
from pixelwise.families.composition.net import Composition, compose_layer
from pixelwise.families.composition.params import Kind
from pixelwise.families.composition.sampling import compute_gaussian_offsets, make_ring, sample_dynamic
from pixelwise.inference.session import open_session, run_graph
from pixelwise.params import Params
from pixelwise.timing import Spread, describe_machine, measure_spread, take_turns

OPSET = 20


class CostParams(Params):
    """Parameters that a variant of a study of kind `cost` overrides. Default size: a CamVid picture at stride 8."""

    filter: Literal["dynamic", "scales", "free-form"]
    covariance: Kind = "spherical"
    channels: PositiveInt = 40
    outputs: PositiveInt = 11
    height: PositiveInt = 45
    width: PositiveInt = 60
    trials: PositiveInt = 40


@torch.inference_mode()
def measure_cost(params: CostParams, seed: int) -> dict[str, float]:
    """Measure the time that a layer adds to its plain convolution, as a share of what free-form deformation adds.

    Measures torch and ONNX Runtime on the CPU. The three layers run in turn, so that a slow machine affects all alike;
    the result uses the minimum over the turns. `local_error_…`: relative error against exact local filtering, with
    sizes that vary between cells (`white`, `smooth`) and with one size everywhere (`size_…`).
    """
    torch.manual_seed(seed)
    conv = nn.Conv2d(params.channels, params.outputs, 3, padding=1, bias=False)
    gaussian = GaussianParams(params.covariance)
    free = compose_layer(conv, Composition((), "free-form", gaussian)).eval()
    own = fold(compose_layer(conv, Composition((), params.filter, gaussian)).eval())
    x = torch.randn(1, params.channels, params.height, params.width)
    for layer in (free, own):
        # Random weights make offsets and sizes vary between cells, as learned ones do. A layer divides the output of a
        # 3 by 3 filter by PACE.
        weight: Tensor = layer.infer.weight  # type: ignore[union-attr, assignment]
        pace = PACE if weight.shape[-1] == 3 else 1.0
        nn.init.normal_(weight, std=0.5 * pace / weight[0].numel() ** 0.5)
    layers: dict[str, nn.Module] = {"plain": conv.eval(), "free-form": free, "own": own}
    found = {"dynamic_numbers": float(own.infer.out_channels)}  # type: ignore[union-attr, arg-type]
    found["added_time_torch"] = compute_added_share(
        {name: partial(net, x) for name, net in layers.items()}, params.trials
    )
    with TemporaryDirectory() as folder:
        sessions = {name: open_exported(net, x, Path(folder) / f"{name}.onnx") for name, net in layers.items()}
        found["added_time_onnx"] = compute_added_share(sessions, params.trials)
    if isinstance(own, DynamicGaussian | Scales):
        # White noise, which no sampling can represent, and noise as smooth as features.
        found["local_error_white"] = measure_local_error(own, x)
        smooth = blur(x, torch.zeros(1, 1))
        found["local_error_smooth"] = measure_local_error(own, smooth)
        for size in (0.5, 1.0, 2.0):
            layer = compose_layer(conv, Composition((), params.filter, gaussian._replace(size=size)))
            found[f"local_error_size_{size:g}"] = measure_local_error(layer.eval(), smooth)  # type: ignore[arg-type]
    return found


@torch.inference_mode()
def blur_milliseconds(sigma: float, trials: int = 20) -> dict[str, Spread]:
    """Time a blur of standard deviation `sigma` (in cells) in torch: `blur` as implemented, `dense` as one filter."""
    x, numbers = torch.randn(1, 40, 45, 60), torch.full((1, 1), math.log(sigma))
    dense, made = [make_kernel_2d(numbers)], make_kernels(numbers)
    times = take_turns({"blur": lambda: apply(x, made), "dense": lambda: apply(x, dense)}, trials, warmup=3)
    return {name: measure_spread(each) for name, each in times.items()}


def compute_added_share(calls: Mapping[str, Callable[[], object]], trials: int) -> float:
    """Ratio of the time that `own` adds to `plain` to the time that `free-form` adds to it."""
    times = measure_least(calls, trials)
    return (times["own"] - times["plain"]) / (times["free-form"] - times["plain"])


def measure_least(calls: Mapping[str, Callable[[], object]], trials: int) -> dict[str, float]:
    """Minimum milliseconds of each call, all in turn: the difference of two medians is smaller than their noise."""
    # The first turns warm up and do not count.
    return {name: min(times) for name, times in take_turns(calls, trials, warmup=3).items()}


def open_exported(net: nn.Module, x: Tensor, file: Path) -> Callable[[], object]:
    """Export `net` to `file`; return a call of it on `x` in ONNX Runtime."""
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            net, (x,), file, dynamo=True, opset_version=OPSET, input_names=["x"], external_data=False, verbose=False
        )
    assert program is not None
    session, feeds = open_session(file, "cpu", torch.get_num_threads()), {"x": x.numpy()}
    return lambda: run_graph(session, None, feeds)


def measure_local_error(layer: DynamicGaussian | Scales, x: Tensor) -> float:
    """Root mean square difference between `layer` and exact filtering on noise `x`, relative to the exact output.

    Exact: at every cell the input is filtered with that cell's own Gaussian, then sampled around the cell by its
    covariance. Uses the sizes that the layer infers; each tap reads its own locally filtered value.
    """
    scaled = layer.infer_scale_map(x)
    if isinstance(layer, DynamicGaussian):
        numbers, offsets = layer.infer_numbers(x), compute_gaussian_offsets(compute_root(layer.infer_numbers(x)))
    else:
        numbers, offsets = scaled.log().unsqueeze(-1), make_ring().view(1, 9, 2, 1, 1) * scaled[:, None, None]
    exact = sample_dynamic(filter_locally(x, numbers, GaussianParams()), layer.conv.weight, layer.conv.bias, offsets)
    return float((layer(x) - exact).square().mean().sqrt() / exact.square().mean().sqrt())


LAYERS = {
    "output, 40 to 11 channels, 45×60": {},
    "output, 112 to 11 channels, 23×30": {"channels": 112, "height": 23, "width": 30},
    "added, 40 to 40 channels, 45×60": {"outputs": 40},
}


def run(
    trials: Annotated[int, "turns that count"] = 40,
) -> None:
    """Print the time of blurs (against dense filters) and of dynamic layers (against plain ones) on one thread."""
    torch.set_num_threads(1)
    print(f"{describe_machine()}; {trials} turns, median (p10–p90)", flush=True)
    for sigma in (1.0, 2.0, 4.0, 8.0):
        times = blur_milliseconds(sigma, trials)
        print(
            f"blur, sigma {sigma:g}: " + ", ".join(f"{key} {value:.2f} ms" for key, value in times.items()), flush=True
        )
    for name, layer in LAYERS.items():
        for kind in ("scales", "dynamic"):
            found = measure_cost(CostParams.model_validate({"filter": kind, "trials": trials, **layer}), seed=0)
            print(f"{name}, {kind}: " + ", ".join(f"{key} {value:.2f}" for key, value in found.items()), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
