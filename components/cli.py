"""The `pixelwise` command: one verb a step. Only the chosen step is imported, so that --help answers at once."""

import importlib
import sys

VERBS = {
    "ingest": "read a data set once into shards and a manifest",
    "validate": "judge the manifest; a failed gate stops the pipeline",
    "train": "train a family on the prepared data",
    "export": "write ONNX graphs and compare them with torch",
    "quantize": "write an int8 graph, offered where its loss is small",
    "evaluate": "score an exported model on a split or any data set",
    "benchmark": "measure ONNX Runtime against torch in one process",
    "calibrate": "pick a schedule's value for a wanted speed or loss, on video without labels",
    "stages": "measure what each stage of a clockwork costs, and where to cut the net",
    "predict": "write label maps and overlays for pictures, folders and videos",
    "guide": "make a guidance file from pictures and clicks or masks",
    "studio": "open a page on which clicks become masks",
    "register": "put the exported model in the registry as challenger",
    "promote": "make the challenger champion where the gate allows it",
    "release": "show what was in production on a day, roll back, find what was made of something",
    "reproduce": "make a registered model again in a clean clone and compare",
    "serve": "answer requests over HTTP with a model, and follow the champion",
    "run": "run the whole pipeline as a flow, then register and promote",
    "study": "run a table of the thesis and judge its claim",
    "sync": "send the runs recorded while MLflow could not be reached",
    "verify": "compare data, DVC's cache and registered models with their hashes",
    "use": "point params.yaml at a recipe and your data",
    "why": "say what would make a stage run again",
}
ELSEWHERE = {"run": "flows.run"}


def usage() -> str:
    """The text of `pixelwise --help`."""
    verbs = "\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items())
    return (
        f"usage: pixelwise VERB [OPTIONS]\n\nA label for every pixel, as a pipeline that can be rerun.\n\n{verbs}\n\n"
        "pixelwise VERB --help says what a verb takes. `dvc repro` reruns what changed."
    )


def main() -> None:
    """Run the verb named on the command line."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help"):
        print(usage())
    elif verb not in VERBS:
        sys.exit(f"error: unknown verb {verb!r}, expected one of: {' '.join(VERBS)}")
    else:
        from components.ending import end_in_order
        from components.step import plain_errors

        # Before the step is imported, which takes seconds.
        end_in_order()
        with plain_errors():
            importlib.import_module(ELSEWHERE.get(verb, f"components.{verb}")).main(sys.argv[2:])


if __name__ == "__main__":
    main()
