"""Small real worlds for the tests."""

import os
import shutil
from pathlib import Path

import pytest
from support.scheduling import ByModule, place_of
from support.shared import Shared

PROJECT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the workers then end together."""
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByModule:
    """Give each worker whole modules."""
    return ByModule(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: PIXELWISE_DATA, or ../shared/data beside the checkout; skips where it is absent."""
    folder = Path(os.environ.get("PIXELWISE_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets: no folder {folder}; set PIXELWISE_DATA")
    return folder


@pytest.fixture(scope="session")
def mlflow_template(shared: Shared) -> Path:
    """An empty MLflow database: making one takes seconds, copying it none."""
    from pixelwise.tracking.store import connect

    def make(folder: Path) -> None:
        connect(f"sqlite:///{folder}/mlflow.db").search_experiments()

    return shared.folder("mlflow", make) / "mlflow.db"


@pytest.fixture
def mlflow_store(mlflow_template: Path, tmp_path: Path) -> str:
    """The URI of an MLflow store of the test's own."""
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """What the workers of a test run share."""
    root = tmp_path_factory.getbasetemp()
    return Shared(root if worker_id == "master" else root.parent)


@pytest.fixture(scope="session")
def tiny_town(shared: Shared) -> Path:
    """Prepared data of a town of 8 pictures, not to be written to."""
    from support.tiny_town import prepare_tiny_town

    return shared.folder("tiny_town", prepare_tiny_town)


@pytest.fixture(scope="session")
def clockwork_start(shared: Shared, tiny_town: Path) -> Path:
    """The checkpoint of an FCN of the tiny town, of which a clockwork can be cut."""
    from support.clockwork_model import train_start

    return shared.folder("fcn", lambda folder: train_start(folder, tiny_town)) / "checkpoint"


@pytest.fixture(scope="session")
def clockwork_model(shared: Shared, tiny_town: Path, clockwork_start: Path) -> Path:
    """The exported clockwork of that FCN."""
    from support.clockwork_model import ship_clockwork

    return shared.folder("clockwork", lambda folder: ship_clockwork(folder, tiny_town, clockwork_start))


@pytest.fixture(scope="session")
def clockwork_net(clockwork_model: Path):
    """The same in torch, not to be changed."""
    from pixelwise.families.trained import load_trained

    return load_trained(clockwork_model / "checkpoint")[1]


@pytest.fixture(scope="session")
def guided_folder(shared: Shared) -> Path:
    """A guided model, trained and exported, beside its prepared data."""
    from support.guided_model import ship_guided

    return shared.folder("guided", ship_guided)
