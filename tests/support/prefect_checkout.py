"""Prefect's own commands in a checkout that has this project's flows."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

from support.dvc_repository import PROJECT, copy_code, make_repository


def make_checkout(folder):
    """The tiny repository with this project's flows and Prefect files."""
    checkout = make_repository(folder)
    copy_code(checkout)
    for name in ("prefect.yaml", "prefect.toml", ".gitignore"):
        shutil.copy(PROJECT / name, checkout)
    return checkout


def environment(**more):
    """Ours without what tells Prefect where to look."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return {**kept, "DO_NOT_TRACK": "1", "PYTHONPATH": "", **more}


def prefect(checkout, url, *command):
    """What a command of Prefect prints."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *command],
        check=False, cwd=checkout, env=environment(PREFECT_API_URL=url), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(checkout, url, *module, within=()):
    """A process of `python -m MODULE …` in the checkout, and its output, until the block ends.

    within: a command that sets up what the process shall see of the machine, and becomes it.
    """
    process = subprocess.Popen(
        [*within, sys.executable, "-u", "-m", *module],
        cwd=checkout, env=environment(PREFECT_API_URL=url), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process.stdout
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def run_deployment(checkout, url, name):
    """Run a deployment to its end; the name and message of its state."""
    prefect(checkout, url, "deployment", "run", name, "--watch", "--watch-timeout", "200")
    (newest, *_) = json.loads(prefect(checkout, url, "flow-run", "ls", "--limit", "1", "--output", "json"))
    return newest["state"]["name"], newest["state"]["message"]
