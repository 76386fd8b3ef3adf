"""Stores that refuse for good, which is no outage: one line with both versions and what to do."""

import sqlite3
from contextlib import closing

import pytest
from support.mlflow_server import older_server

from pixelwise.errors import RegistryError
from pixelwise.tracking.runs import start_run
from pixelwise.tracking.store import UnreachableError, connect, parse_sqlite_path, require_answer, translate_errors


def refusal(uri):
    """What begins a training's run at a store that refuses it."""
    with pytest.raises(RegistryError) as error, start_run("fcn", "train-fcn", {}, {}, uri):
        pass
    assert not isinstance(error.value, UnreachableError)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_store_of_another_schema_is_refused_with_both_versions(mlflow_store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    found = refusal(mlflow_store)
    assert "found schema ffffffffffff, expected " in found
    assert "mlflow db upgrade" in found


@pytest.mark.parametrize(
    ("version", "named"), [(b"1.30.0", "found MLflow 1.30.0"), (b"<html>", "found no MLflow server")]
)
def test_an_older_server_is_refused_with_both_versions(version, named):
    with older_server(version) as uri:
        found = refusal(uri)
    assert found.startswith(f"{uri}: {named}, expected a server of MLflow 3.")


def test_a_deleted_experiment_is_named_with_the_remedy(mlflow_store):
    client = connect(mlflow_store)
    deleted = client.create_experiment("fcn")
    client.delete_experiment(deleted)
    assert f"mlflow experiments restore --experiment-id {deleted}" in refusal(mlflow_store)


def test_a_locked_database_is_an_outage_and_no_refusal(mlflow_store):
    from sqlalchemy.exc import OperationalError

    with pytest.raises(UnreachableError), translate_errors(mlflow_store):
        raise OperationalError("database is locked", None, Exception())


def test_an_address_may_have_options_and_percent_signs(tmp_path, mlflow_template, capsys):
    file = tmp_path / "a%20b" / "mlflow.db"
    file.parent.mkdir()
    file.write_bytes(mlflow_template.read_bytes())
    uri = f"sqlite:///{file}?timeout=30"
    assert parse_sqlite_path(uri) == file
    with start_run("fcn", "train-fcn", {}, {}, uri) as recorder:
        recorder.log_artifacts(mlflow_template)
    assert capsys.readouterr().err == ""
    assert list((file.parent / "mlartifacts").rglob("mlflow.db"))
    file.write_text("no database, so that its header is wrong")
    with pytest.raises(RegistryError, match="expected an MLflow database"):
        require_answer(uri)
