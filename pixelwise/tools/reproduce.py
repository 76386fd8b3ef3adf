"""Reproduce a registered model in a clean clone and compare the hashes: on the CPU weights and graphs are identical."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from pixelwise import command
from pixelwise.data.prepared import DATASET_FILE, MANIFEST_FILE
from pixelwise.documents import read_json
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.identity import sha256_file
from pixelwise.model_folder import WEIGHTS_FILE, ModelFolder
from pixelwise.registry.lineage import Origin, read_origin

# Runs in the clone and imports the clone's code; the libraries are those installed here.
DIGEST = """
import json
from pixelwise.families.origin import training_parts
print(json.dumps(training_parts({family!r})))
"""


class ReproductionError(PixelwiseError):
    """A model could not be reproduced: its commit is missing or the code fails."""


@dataclass(frozen=True)
class Part:
    """One compared part: its recorded value and the value found."""

    name: str
    recorded: str
    found: str

    @property
    def is_same(self) -> bool:
        """Whether the value found equals the recorded one."""
        return self.recorded == self.found

    def __str__(self) -> str:
        words = f"the same, {self.found}" if self.is_same else f"DIFFERENT: found {self.found}, was {self.recorded}"
        return f"{self.name}: {words}"


@dataclass(frozen=True)
class Reproduction:
    """The comparison of a model's inputs and results, part by part."""

    reference: str
    parts: tuple[Part, ...]

    @property
    def different(self) -> list[str]:
        """The names of the parts that differ."""
        return [part.name for part in self.parts if not part.is_same]

    @property
    def failure(self) -> str | None:
        """Why the command ends with status 1; None where it succeeds."""
        if not self.different:
            return None
        return f"{self.reference}: not reproduced, differing in {', '.join(self.different)}"

    def __str__(self) -> str:
        return "\n".join([f"{self.reference}, made again:", *(f"  {part}" for part in self.parts)])


def run(
    models: Annotated[Sequence[str], "one model, models:/NAME@ALIAS or models:/NAME/VERSION"],
    data: Annotated[Path, "prepared data of the model's training"] = Path("data/prepared"),
    repository: Annotated[Path, "git repository that has the commit"] = Path(),
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> Reproduction:
    """Clone the commit of a model's training, train and export the model again, and compare every hash.

    Code and parameters are the recorded ones, the packages those installed here. Where data, code or packages differ
    from the record, nothing is trained. Raises DataError where the data is missing or does not match its manifest,
    ReproductionError where the commit is missing or the code fails.
    """
    (reference,) = require_one(models)
    origin = read_origin(reference, tracking)
    parts = [compare_data(data, origin)]
    with tempfile.TemporaryDirectory(prefix="reproduce-") as work:
        clone = clone_commit(repository, origin, Path(work) / "clone")
        environment = {**os.environ, "PYTHONPATH": str(clone), **read_threads(origin)}
        parts += compare_inputs(origin, clone, environment)
        # Different inputs cannot give the same result, and a training takes long.
        if all(part.is_same for part in parts):
            parts += compare_results(origin, make_again(origin, clone, data.resolve(), environment))
    return Reproduction(reference, tuple(parts))


def require_one(models: Sequence[str]) -> Sequence[str]:
    """Return `models`, which must hold one. Raises ReproductionError otherwise."""
    if len(models) != 1:
        raise ReproductionError(f"reproduce: found {len(models)} models, expected one")
    return models


def compare_data(data: Path, origin: Origin) -> Part:
    """Compare `data` with the training's data. Raises DataError where dataset.json has another hash of the manifest."""
    file = data / DATASET_FILE
    recorded = read_json(file, f"the data of {origin.reference}; see `dvc checkout`").get("manifest_sha256")
    if (digest := sha256_file(data / MANIFEST_FILE)) != recorded:
        raise DataError(f"{data / MANIFEST_FILE}: found sha256 {digest}, expected {recorded} as {DATASET_FILE} says")
    return Part("data", origin.parts["data"], sha256_file(file))


def clone_commit(repository: Path, origin: Origin, clone: Path) -> Path:
    """Clone the commit of the training. Raises ReproductionError where there is no such commit."""
    commit = origin.commit.removesuffix("-dirty")
    if not commit:
        raise ReproductionError(f"{origin.reference}: trained outside git, expected a commit to clone")
    require_commit(repository, commit, origin.reference)
    call(["git", "clone", "--quiet", "--no-checkout", str(repository.resolve()), str(clone)], repository)
    call(["git", "checkout", "--quiet", "--detach", commit], clone)
    return clone


def require_commit(repository: Path, commit: str, reference: str) -> None:
    """Raise ReproductionError, with the remedy for a shallow clone, where the `repository` has no such commit."""
    is_shallow = call(["git", "rev-parse", "--is-shallow-repository"], repository).strip() == "true"
    try:
        call(["git", "cat-file", "-e", f"{commit}^{{commit}}"], repository)
    except ReproductionError:
        remedy = "this clone is shallow: git fetch --unshallow" if is_shallow else "fetch it, or give --repository"
        raise ReproductionError(f"{reference}: {repository.resolve()} has no commit {commit}; {remedy}") from None


def read_threads(origin: Origin) -> dict[str, str]:
    """Environment variable for the training's number of threads: with another number sums differ in their last bits."""
    count = origin.machine.get("threads")
    return {"OMP_NUM_THREADS": str(count)} if count else {}


def compare_inputs(origin: Origin, clone: Path, environment: dict[str, str]) -> Iterator[Part]:
    """Compare the code in the clone and the installed libraries with the record."""
    present = json.loads(call([sys.executable, "-c", DIGEST.format(family=origin.family)], clone, environment))
    yield Part("code", origin.parts["code"], present["code"])
    recorded, installed = origin.parts["environment"], present["environment"]
    for name in sorted({*recorded, *installed}):
        yield Part(name, recorded.get(name, "not used"), installed.get(name, "not used"))


def make_again(origin: Origin, clone: Path, data: Path, environment: dict[str, str]) -> ModelFolder:
    """Train and export the model with the code in `clone`; return the model's folder."""
    model = ModelFolder(clone.parent / "model")
    training = {"family": origin.family, "parts": origin.parts, "start": origin.start}
    train_again(training, model.checkpoint, clone, data, environment)
    exported: dict[str, Any] = read_json(ModelFolder(origin.folder).export, "what `pixelwise export` writes")
    params = write_params(clone.parent, origin.family, "export", exported.get("parameters", {}))
    export = ["-m", "components.export", "--section", f"{origin.family}.export", "--params", str(params)]
    call([sys.executable, *export, "--model", str(model.checkpoint), "--out", str(model.root)], clone, environment)
    return model


def train_again(training: Mapping[str, Any], out: Path, clone: Path, data: Path, environment: dict[str, str]) -> None:
    """Repeat `training` with the code in `clone` and write the checkpoint to `out`.

    training: the `family`, the `parts`, and the training of the model that it starts from as `start`, which is repeated
    first.
    """
    family, parent = training["family"], training.get("start")
    options = []
    if parent:
        train_again(parent, out.with_name("start"), clone, data, environment)
        options = ["--start", str(out.with_name("start"))]
    params = write_params(clone.parent, family, "train", training["parts"]["parameters"])
    train = ["-m", "components.train", "--family", family, "--data", str(data), "--params", str(params), *options]
    train += ["--out", str(out), "--state", str(clone.parent / "state"), "--tracking", "none"]
    call([sys.executable, *train], clone, environment)


def write_params(folder: Path, family: str, step: str, values: Mapping[str, Any]) -> Path:
    """Write a parameter file with the section of one `step` of `family`; return its path."""
    file = folder / f"{family}-{step}.yaml"
    file.write_text(yaml.safe_dump({family: {step: dict(values)}}))
    return file


def compare_results(origin: Origin, model: ModelFolder) -> Iterator[Part]:
    """Compare the new weights and graphs with the registered ones."""
    for file in (model.checkpoint / WEIGHTS_FILE, *model.graphs()):
        name = file.relative_to(model.root).as_posix()
        yield Part(name, origin.files.get(name, "not registered"), sha256_file(file))


def call(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its output. Raises ReproductionError with the last line of its errors where it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ReproductionError(f"{' '.join(command[:3])}: {words}")
    return done.stdout


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise reproduce` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
