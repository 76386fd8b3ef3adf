"""Where a run of a DVC experiment goes that DVC makes in a temporary copy of the checkout."""

from pathlib import Path

import pytest

from pixelwise.tracking.store import resolve_store_uri
from pixelwise.tracking.unsent_runs import find_checkout


@pytest.mark.parametrize("copy", [".dvc/tmp/exps/standalone/tmpabc", ".dvc/tmp/exps/tmpabc"])
def test_a_run_in_an_experiments_copy_goes_to_the_checkouts_store(tmp_path, monkeypatch, copy):
    folder = tmp_path / copy
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert find_checkout() == tmp_path
    assert resolve_store_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("root", ["", "."])
def test_a_run_elsewhere_goes_to_the_store_of_the_working_folder(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / root) if root else "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert find_checkout() == Path()
    assert resolve_store_uri(None) == "sqlite:///mlflow.db"
