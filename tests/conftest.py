"""Small real worlds for the tests."""

import os
import shutil
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: PIXELWISE_DATA, or ../shared/data beside the checkout; skips where it is absent."""
    folder = Path(os.environ.get("PIXELWISE_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets: no folder {folder}; set PIXELWISE_DATA")
    return folder


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: making one takes seconds, copying it none."""
    from pixelwise.tracking.store import connect

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    connect(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow_store(mlflow_template: Path, tmp_path: Path) -> str:
    """The URI of an MLflow store of the test's own."""
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture(scope="session")
def clockwork_net():
    """A small clockwork of random weights, in torch."""
    from support.clockwork_model import random_clockwork

    return random_clockwork()


@pytest.fixture(scope="session")
def clockwork_model(clockwork_net, tmp_path_factory):
    """The folder of that clockwork's graphs."""
    from support.clockwork_model import write_clockwork

    return write_clockwork(tmp_path_factory.mktemp("clockwork") / "model", clockwork_net)


@pytest.fixture(scope="session")
def guided_folder(tmp_path_factory):
    """The folder of a small guided model's graphs."""
    from support.guided_model import write_guided

    return write_guided(tmp_path_factory.mktemp("guided") / "model")
