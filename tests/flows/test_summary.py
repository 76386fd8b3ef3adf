import pytest

from flows.summary import list_places


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("", "MLflow UI   mlflow ui --backend-store-uri sqlite:///mlflow.db"),
        ("http://ann:secret@host:5000", "MLflow UI   http://host:5000"),
        ("postgresql://ann:secret@host/mlflow", "MLflow UI   mlflow ui --backend-store-uri postgresql://host/mlflow"),
    ],
)
def test_the_hint_at_the_end_names_the_store_in_use(uri, hint, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert hint in list_places(tmp_path).splitlines()


def test_without_tracking_there_is_no_hint_of_a_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "none")
    assert "MLflow" not in list_places(tmp_path)
