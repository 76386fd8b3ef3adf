import asyncio
import sqlite3
import subprocess
import sys

import pytest
from support.dvc_repository import make_repository
from support.prefect_checkout import environment, make_checkout

from flows.run import run
from flows.server import LOG, ServerError, require_server

DEAD = ("http://127.0.0.1:9/api", "127.0.0.1:4200/api")


def test_a_server_that_answers_is_accepted(prefect_server):
    asyncio.run(require_server())


@pytest.mark.parametrize("url", DEAD)
def test_an_address_where_no_server_answers_is_named_before_anything_runs(url, tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.chdir(make_repository(tmp_path / "repository"))
    monkeypatch.setenv("PREFECT_API_URL", url)
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ServerError) as error:
        run()
    assert str(error.value).startswith(f"PREFECT_API_URL: {url}: ")
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("url", DEAD)
@pytest.mark.parametrize("module", [["pixelwise.cli", "run"], ["flows.deployments"]])
def test_the_commands_end_with_that_one_line(url, module, tmp_path):
    checkout = make_checkout(tmp_path / "checkout")
    done = subprocess.run(
        [sys.executable, "-m", *module],
        check=False, cwd=checkout, env=environment(PREFECT_API_URL=url), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout, line.partition(url)[0]) == (1, "", "error: PREFECT_API_URL: ")


@pytest.mark.slow
def test_the_servers_log_has_the_reason_why_it_did_not_start(tmp_path):
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / ".prefect").mkdir()
    # As a later version of Prefect leaves its database.
    with sqlite3.connect(checkout / ".prefect/prefect.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    done = subprocess.run(
        [sys.executable, "-m", "pixelwise.cli", "run"],
        check=False, cwd=checkout, env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    (line,), log = done.stderr.splitlines(), checkout / ".prefect" / LOG
    assert done.returncode == 1
    assert line.startswith(f"error: {log}: Prefect's server did not start")
    assert "Can't locate revision identified by 'ffffffffffff'" in log.read_text()
