"""Prefect's server, its worker and the run of a deployment are killed at once, as a power cut does it."""

import json
import random
import sys
import time
import urllib.request
from contextlib import contextmanager
from urllib.error import URLError

import psutil
import pytest
from support.dvc_repository import replace
from support.prefect_checkout import environment, make_checkout, prefect

from flows.server import find_free_port

SEED, CUTS = 0, 3
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def start(checkout, url, *command):
    """A process of Prefect that outlives nothing: `cut` kills it."""
    with (checkout.parent / f"{command[0]}.log").open("ab") as log:
        return psutil.Popen(
            [sys.executable, "-m", "prefect", *command],
            cwd=checkout, env=environment(PREFECT_API_URL=url), stdout=log, stderr=log,
        )  # fmt: skip


def cut(processes):
    """Kill the processes and all that they started, at once."""
    family = [member for process in processes for member in (process, *process.children(recursive=True))]
    for member in family:
        member.suspend()
    for member in family:
        member.kill()
    psutil.wait_procs(family)


@contextmanager
def powered(checkout, url):
    """Server and worker until the block ends; then the power is cut."""
    server = start(checkout, url, "server", "start", "--port", url.split(":")[2].removesuffix("/api"), "--no-ui")
    processes = [server]
    try:
        until(lambda: answers(url))
        prefect(checkout, url, "work-pool", "create", "local", "--type", "process", "--overwrite")
        prefect(checkout, url, "deploy", "--name", "nightly")
        processes.append(start(checkout, url, "worker", "start", "--pool", "local"))
        yield
    finally:
        cut(processes)


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except (URLError, OSError):
        return False


def until(is_so, seconds=120):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


def list_runs(checkout, url):
    """Type and message of the state of each run that was asked for."""
    runs = json.loads(prefect(checkout, url, "flow-run", "ls", "--limit", "50", "--output", "json"))
    return [(run["state"]["type"], run["state"]["message"]) for run in runs if not run["auto_scheduled"]]


@pytest.mark.slow
def test_after_power_cuts_a_scheduled_run_completes_and_no_dead_run_seems_to_run(tmp_path):
    checkout, url = make_checkout(tmp_path / "checkout"), f"http://127.0.0.1:{find_free_port()}/api"
    replace(checkout / "dvc.yaml", "cat b.txt c.txt > d.txt", "sleep 4; cat b.txt c.txt > d.txt")
    moments = random.Random(SEED)
    for _ in range(CUTS):
        with powered(checkout, url):
            prefect(checkout, url, "deployment", "run", "pipeline/nightly")
            time.sleep(moments.uniform(0, 20))
    with powered(checkout, url):
        prefect(checkout, url, "deployment", "run", "pipeline/nightly")
        # A run that no worker had taken when the power went is taken now, and of two one is skipped.
        # One that was killed before its process began stays pending.
        until(lambda: {kind for kind, _ in list_runs(checkout, url)} <= FINAL | {"PENDING"})
        found = list_runs(checkout, url)
    print(f"\n{CUTS} cuts of seed {SEED}: {found}")
    assert len(found) == CUTS + 1
    assert [message for kind, message in found if kind == "COMPLETED" and message.startswith("pipeline: ")]
    assert (checkout / "d.txt").read_text() == "data\ndata\ncode\n"
