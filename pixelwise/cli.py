"""The `pixelwise` command. Each verb is a module, imported only when it runs, so that --help is fast."""

import importlib
import os
import sys
from pathlib import Path

from pixelwise.terminal import use_utf8

# The folder that holds the packages of this process.
CODE = Path(__file__).resolve().parent.parent

STEPS = {
    "ingest": "read a data set once into shards and a manifest",
    "validate": "check the prepared data; a failed check stops the pipeline",
    "train": "train a family on the prepared data",
    "export": "write ONNX graphs and compare them with torch",
    "quantize": "quantise the graph to int8 or float16; offer it if it loses little and is faster",
    "evaluate": "score an exported model on a split or another data set",
    "benchmark": "compare the speed of a model's engines and parts",
    "register": "register the exported model, with the alias challenger",
    "promote": "make the challenger the champion if the release gate passes it",
}
TOOLS = {
    "init": "set params.yaml for a data set: its format, and a recipe fitted to it",
    "inspect": "show what a data set holds, its likely faults, and a page of pictures with their masks",
    "code": "write the digest of each stage's code and libraries for DVC",
    "predict": "write label maps and overlays for pictures, folders and videos",
    "suggest": "rank unlabelled pictures by what a model does not know; write its labels to correct",
    "release": "show the champions of a day, roll back, find versions by a hash",
    "reproduce": "train and export a registered model again in a clean clone; compare hashes",
    "serve": "serve a model over HTTP; follow the champion",
    "study": "reproduce a table of the thesis and check its claims",
    "tune": "search for better training parameters; write the best as a recipe",
    "send-runs": "send the runs stored while MLflow did not answer",
    "verify": "compare data, DVC's cache and registered models with their hashes",
    "params": "show every parameter: value, origin and meaning",
    "use": "apply a recipe and your data's path to params.yaml",
    "watch": "compare what a server saw and said with the accepted data",
    "why": "explain why a stage would run again",
}
# Verbs of a single family: modules in the folder `verbs` of its package.
FAMILY_VERBS = {
    "calibrate": "find the schedule's value for a given speed or loss, on video without labels",
    "profile-stages": "measure the time of each stage of a clockwork, and propose cuts",
    "guide": "make a guidance file from pictures with clicks or masks",
    "studio": "open a web page that turns clicks into masks",
}
# Verbs that need only the packages of the extra `serve`.
SERVING = ("predict", "guide", "studio", "serve", "profile-stages")
FAMILIES = Path(__file__).parent / "families"
FLOWS = {
    "run": "run the whole pipeline, then register and promote the models",
    "apply": "apply a DVC experiment: its parameters, and the results of the stages that it ran",
}
VERBS = FLOWS | STEPS | TOOLS | FAMILY_VERBS


def find_module(verb: str) -> str:
    """The module whose `main` the verb runs: a pipeline step, a tool, a family's verb or a flow."""
    name = verb.replace("-", "_")
    if verb in FAMILY_VERBS:
        (file,) = FAMILIES.glob(f"*/verbs/{name}.py")
        return f"pixelwise.families.{file.parent.parent.name}.verbs.{name}"
    package = "components" if verb in STEPS else "flows" if verb in FLOWS else "pixelwise.tools"
    return f"{package}.{name}"


def format_usage() -> str:
    """The text of `pixelwise --help`."""
    verbs = "\n".join(f"  {verb:<14} {summary}" for verb, summary in VERBS.items())
    return (
        "usage: pixelwise VERB [OPTIONS]\n\nSemantic segmentation: data, training, export, release and inference.\n\n"
        f"{verbs}\n\n"
        "`pixelwise VERB --help` lists the options of a verb. `dvc repro` reruns the changed stages."
    )


def is_checkout(folder: Path) -> bool:
    """Whether `folder` is a checkout of this project."""
    return all((folder / name).is_file() for name in ("dvc.yaml", "components/__init__.py", "pixelwise/cli.py"))


def run_again_from_here() -> None:
    """Replace this process by the same command with the packages of the working folder.

    Otherwise, in a git worktree with another checkout's environment active, results of the other checkout's code would
    be recorded as the worktree's own.
    """
    # Python puts the working folder first for a module, unless PYTHONSAFEPATH is set.
    command = [sys.executable, "-m", "pixelwise.cli", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | {"PYTHONSAFEPATH": ""})  # noqa: S606 - no shell is wanted


def explain_missing(verb: str, package: str) -> str:
    """The error message for a `package` that `verb` imports but that is not installed."""
    if package in ("components", "flows"):
        return f"{verb}: found no checkout in {Path.cwd()}, expected the folder with dvc.yaml"
    extra = "serve" if verb in SERVING else "pipeline"
    return f"{verb}: {package} is not installed, expected the extra pixelwise[{extra}]"


def main() -> None:
    """Run the verb named on the command line."""
    use_utf8("pixelwise.cli")
    if is_checkout(Path.cwd()) and Path.cwd() != CODE:
        run_again_from_here()
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("-h", "--help"):
        print(format_usage())
    elif verb not in VERBS:
        sys.exit(f"error: unknown verb {verb!r}, expected one of: {' '.join(VERBS)}")
    else:
        run_verb(verb, sys.argv[2:])


def run_verb(verb: str, argv: list[str]) -> None:
    """Import the module of `verb` and run its `main`. An error of the user ends the process with one line."""
    from pixelwise.command import report_errors
    from pixelwise.signals import install_signal_handlers

    # Installed before the import of the module, which takes seconds.
    install_signal_handlers()
    try:
        with report_errors():
            importlib.import_module(find_module(verb)).main(argv)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("pixelwise"):
            raise
        sys.exit(f"error: {explain_missing(verb, error.name.partition('.')[0])}")


if __name__ == "__main__":
    main()
