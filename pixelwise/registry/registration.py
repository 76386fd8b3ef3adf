"""Registering model versions in MLflow: the exact exported files, and the evidence about them."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import DataError, RegistryError
from pixelwise.identity import sha256_file
from pixelwise.registry.evidence import Evidence, read_evidence
from pixelwise.registry.versions import (
    CHALLENGER,
    CHAMPION,
    GRAPH_FILE,
    LOGGED_MODEL_PREFIX,
    find_logged_model,
    move_alias,
    read_aliases,
)
from pixelwise.tracking.store import find_or_create_experiment, use_as_default

if TYPE_CHECKING:
    import onnx
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

# Folders of what is stored with a version, beside its files.
EVIDENCE, CARDS = "evidence", "cards"
# Side of the example picture for a graph that accepts any size.
EXAMPLE_SIZE = 64


def add_version(
    client: "MlflowClient", name: str, model: Path, *, run_id: str | None, experiment: str, tags: Mapping[str, str]
) -> str:
    """Log the graphs in `model` to the run `run_id` (None: to no run) and register them as a new version of `name`."""
    logged = log_model(client, name, model, run_id=run_id, experiment=experiment, tags=tags)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    with use_as_default(client.tracking_uri):
        created = client.create_model_version(
            name, source=LOGGED_MODEL_PREFIX + logged, run_id=run_id, tags=dict(tags), model_id=logged
        )
    return str(created.version)


def log_model(
    client: "MlflowClient", name: str, model: Path, *, run_id: str | None, experiment: str, tags: Mapping[str, str]
) -> str:
    """Log all files of the folder `model`, as an ONNX model if one graph labels images; returns the logged model's id.

    Uses the client instead of `mlflow.onnx.log_model`, which would reopen the training's run and change its duration.
    """
    from mlflow.entities import LoggedModelOutput

    owner = client.get_run(run_id).info.experiment_id if run_id else find_or_create_experiment(client, experiment)
    logged = client.create_logged_model(owner, name=name, source_run_id=run_id, tags=dict(tags), model_type="onnx")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "model"
        if (model / GRAPH_FILE).is_file():
            save_onnx_model(model / GRAPH_FILE, folder, run_id, logged)
        for file in list_model_files(model):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            # MLflow rewrites the graph; overwrite it with the file that was checked and measured.
            shutil.copyfile(model / file, folder / file)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    if run_id:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def save_onnx_model(graph: Path, folder: Path, run_id: str | None, logged: Any) -> None:
    """Write the MLflow model around the file `graph`: MLflow's files refer to the graph at its path in our layout."""
    import mlflow.onnx
    import onnx

    proto, mlmodel = onnx.load(graph), mlflow.models.Model(run_id=run_id, model_id=logged.model_id)
    mlflow.onnx.save_model(
        proto,
        folder,
        mlflow_model=mlmodel,
        signature=make_signature(proto),
        input_example=make_example(proto),
        # Named, because MLflow would ask for onnxruntime and onnxruntime-gpu, which exclude each other.
        pip_requirements=[f"{package}=={installed_version(package)}" for package in (find_runtime_package(), "numpy")],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    for flavor in mlmodel.flavors.values():
        (folder / flavor["data"]).unlink(missing_ok=True)
        flavor["data"] = GRAPH_FILE
    # MLflow reads the first to open the folder, and the second, beside the graph, for the execution providers.
    for target in (folder, (folder / GRAPH_FILE).parent):
        target.mkdir(exist_ok=True)
        mlmodel.save(target / "MLmodel")


def list_model_files(model: Path) -> list[str]:
    """The files of the folder `model` by their paths in it: graphs, int8 and checkpoint; hidden ones are DVC's."""
    inside = (file.relative_to(model) for file in model.rglob("*") if file.is_file())
    return sorted(file.as_posix() for file in inside if not any(part.startswith(".") for part in file.parts))


def hash_model_files(model: Path) -> dict[str, str]:
    """The hash of every file of the folder `model` by its path in it."""
    return {name: sha256_file(model / name) for name in list_model_files(model)}


@cache
def find_runtime_package() -> str:
    """The installed package that provides onnxruntime. Cached: the query takes 0.25 s."""
    from importlib.metadata import packages_distributions

    return packages_distributions()["onnxruntime"][0]


def make_signature(proto: "onnx.ModelProto") -> "ModelSignature":
    """Names, types and shapes of a graph's required inputs and its outputs; -1 = any size."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec
    from onnx.helper import tensor_dtype_to_np_dtype

    def schema(values: Sequence[Any]) -> Schema:
        return Schema(
            [
                TensorSpec(
                    np.dtype(tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)), read_shape(value), value.name
                )
                for value in values
            ]
        )

    return ModelSignature(inputs=schema(list_required_inputs(proto)), outputs=schema(proto.graph.output))


def list_required_inputs(proto: "onnx.ModelProto") -> list[Any]:
    """The inputs of a graph that have no default."""
    defaults = {tensor.name for tensor in proto.graph.initializer}
    return [value for value in proto.graph.input if value.name not in defaults]


def read_shape(value: Any) -> tuple[int, ...]:
    """The shape of a graph's input or output; -1 = any size."""
    return tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in value.type.tensor_type.shape.dim)


def make_example(proto: "onnx.ModelProto") -> dict[str, Any]:
    """Zeros for each required input of the graph: one picture, of a small size where the size is open."""
    import numpy as np
    from onnx.helper import tensor_dtype_to_np_dtype

    example = {}
    for value in list_required_inputs(proto):
        first, *others = read_shape(value)
        shape = [1 if first < 0 else first, *(EXAMPLE_SIZE if size < 0 else size for size in others)]
        example[value.name] = np.zeros(shape, tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    return example


def save_files(client: "MlflowClient", name: str, version: str, files: Sequence[Path], folder: str) -> None:
    """Store `files` with a version in its `folder`; files of the same name are replaced."""
    logged = find_logged_model(client, name, version)
    for file in files:
        client.log_model_artifact(logged.model_id, str(file), folder)


def download_files(client: "MlflowClient", name: str, version: str, folder: str, target: Path) -> Path:
    """Copy the `folder` stored with a version to `target`; returns the copy. Raises RegistryError if there is none."""
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    location = f"{find_logged_model(client, name, version).artifact_location}/{folder}"
    try:
        mlflow.artifacts.download_artifacts(
            artifact_uri=location, dst_path=str(target), tracking_uri=client.tracking_uri
        )
    except (MlflowException, OSError) as error:
        raise RegistryError(f"{name} version {version}: found no {folder} stored with it: {error}") from None
    return target / folder


def load_cards(client: "MlflowClient", name: str, version: str) -> list[str]:
    """Read the model card and the data card of a version, as Markdown. Raises RegistryError where it has none."""
    with tempfile.TemporaryDirectory() as work:
        folder = download_files(client, name, version, CARDS, Path(work))
        return [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"), reverse=True)]


def load_evidence(client: "MlflowClient", name: str, version: str) -> Evidence:
    """Read the evidence stored with a version. Raises RegistryError where there is none that the gate can judge."""
    with tempfile.TemporaryDirectory() as work:
        folder = download_files(client, name, version, EVIDENCE, Path(work))
        try:
            return read_evidence(folder)
        except DataError:
            # Such as the evidence that an earlier Pixelwise stored. The files are copies whose paths would not help.
            model = f"models:/{name}/{version}"
            raise RegistryError(
                f"{name} version {version}: its evidence is damaged or of an earlier Pixelwise; make it again: "
                f"pixelwise evaluate --model {model} --out FOLDER, "
                f"then pixelwise register --name {name} --model {model} --evaluation FOLDER"
            ) from None


def nominate(client: "MlflowClient", name: str, version: str) -> bool:
    """Set the alias `challenger` to `version`, or delete it if `version` is the champion; returns whether it is."""
    aliases = read_aliases(client, name)
    is_champion = aliases.get(CHAMPION) == version
    nominee = None if is_champion else version
    if aliases.get(CHALLENGER) != nominee:
        move_alias(client, name, CHALLENGER, nominee)
    return is_champion
