"""The measurements of a study: the runs of its variants, and pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import name_errors
from pixelwise.studies.study import Study, Variant


@dataclass(frozen=True)
class Measurements:
    """The runs of each variant by its name, one per seed, and the study's sheet of pictures."""

    runs: Mapping[str, Sequence[Run]]
    sheet: Image.Image | None = None


def measure_variants(
    study: Study, seeds: Sequence[int], bench: Bench, measure: Callable[[Study, Variant, int, Bench], Run]
) -> dict[str, list[Run]]:
    """Call `measure` for every variant once per seed. An error names the study and the variant."""
    runs: dict[str, list[Run]] = {variant.name: [] for variant in study.variants}
    bar = progress([(variant, seed) for seed in seeds for variant in study.variants], study.name)
    for variant, seed in bar:
        bar.set_description(f"{study.name}: {variant.name}, seed {seed}")
        with name_errors(study, variant):
            runs[variant.name].append(measure(study, variant, seed, bench))
    return runs
