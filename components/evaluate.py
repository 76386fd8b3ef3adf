"""Evaluate an exported model: all scores come from one confusion matrix over a split (thesis §2.4)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pixelwise import command
from pixelwise.data.orientation import Drawn
from pixelwise.data.read_params import ReadParams
from pixelwise.data.readers import READERS
from pixelwise.data.splits import Split, open_split
from pixelwise.families import find_measure, find_options
from pixelwise.families.exported import find_family, find_family_on_command_line
from pixelwise.families.hooks import Report
from pixelwise.files import write_json
from pixelwise.inference.exported_models import require_one_training
from pixelwise.registry.references import resolve_model_folder


def run(
    params: Any,
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    *,
    out: Annotated[Path | None, "folder for metrics.json, plots and report.html"] = None,
    data: Annotated[Path | None, "folder of prepared data; instead of --dataset and --root"] = None,
    dataset: Annotated[str | None, "layout of --root: " + ", ".join(READERS)] = None,
    root: Annotated[Path | None, "folder of a data set in its published layout"] = None,
    images: Annotated[str | None, "template of the images of --dataset folder, as ingest.images"] = None,
    masks: Annotated[str | None, "template of the masks of --dataset folder, as ingest.masks"] = None,
    mask_suffix: Annotated[str, "what a mask's name adds to its image's, as ingest.mask_suffix"] = "",
    orientation: Annotated[Drawn, "how the masks of --dataset were drawn, as ingest.orientation"] = "upright",
    json: Annotated[Path | None, "JSON file for the scores"] = None,
) -> Report:
    """Score a model in ONNX Runtime on one split of prepared data, or of a data set in its original layout.

    `pixelwise evaluate --model MODEL --help` shows the options of the model's family. Raises DataError where the split
    is empty, lacks a layer or has other classes than the model, ModelError where the model cannot run.
    """
    model = resolve_model_folder(model)
    require_one_training(model)
    reading = ReadParams(images=images, masks=masks, mask_suffix=mask_suffix, orientation=orientation)
    opened: list[Split] = []

    def open_noted(layers: tuple[str, ...]) -> Split:
        opened.append(open_split(params.split, data, dataset, root, layers, reading))
        return opened[-1]

    report = find_measure(find_family(model)).evaluate(params, model, open_noted, out)
    for line in (line for split in opened for line in split.notes.lines()):
        print(line, file=sys.stderr)
    if json:
        write_json(json, report.metrics())
    return report


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line. The model's family is read first, since it determines the parameters."""
    with command.report_errors():
        command.main(run, argv=argv, params=find_options(find_family_on_command_line(argv)).EvaluateParams)


if __name__ == "__main__":
    main()
