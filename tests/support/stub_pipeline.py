"""This project's code and dvc.yaml in a repository of its own, where a step writes small results in no time."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from support.dvc_repository import PROJECT, copy_code, repro

# Every training gives another run id, so that one that DVC restored can be told from one that ran again.
STUB = f"""\
#!{sys.executable}
import json, os, sys, uuid
from pathlib import Path
verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
if verb == "code":
    os.execv(sys.executable, [sys.executable, "-m", "pixelwise.cli", *sys.argv[1:]])
names = {{
    "validate": ["page.html", "statistics.json", "verdict.json"], "train": ["run.json"],
    "export": ["export.json", "onnx/model.onnx"], "benchmark": ["benchmark.txt", "benchmark.json"],
}}
files = [Path(options["--out"], name) for name in names.get(verb, ["result.json"])]
files += [Path(options[name]) for name in ("--json", "--engines") if name in options]
for file in files:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({{"run_id": uuid.uuid4().hex if verb == "train" else verb}}))
"""


class StubPipeline:
    """A checkout of which nothing has run, and the packages that seem to be installed there in other versions."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.commands, self.packages = folder / "checkout", folder / "bin", folder / "packages"
        self.packages.mkdir(parents=True)
        path = (self.commands, Path(sys.executable).parent, os.environ["PATH"])
        self.environment = {"PATH": os.pathsep.join(map(str, path)), "PYTHONPATH": str(self.packages)}
        copy_code(self.checkout)
        for name in ("dvc.yaml", "params.yaml", ".gitignore", "data/accepted.json"):
            (self.checkout / name).parent.mkdir(exist_ok=True)
            shutil.copy(PROJECT / name, self.checkout / name)
        shutil.copytree(
            PROJECT / ".dvc", self.checkout / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local")
        )
        subprocess.run(["git", "init", "--quiet", str(self.checkout)], check=True)
        self.commands.mkdir()
        (self.commands / "pixelwise").write_text(STUB)
        (self.commands / "pixelwise").chmod(0o755)

    def repro(self, *targets: str) -> tuple[set[str], set[str]]:
        """Bring the targets up to date: the stages that ran, but `code`, and those that DVC restored."""
        with patch.dict(os.environ, self.environment):
            said = "\n".join(repro(self.checkout, targets))
        ran = set(re.findall(r"^Running stage '(.+)':$", said, re.MULTILINE))
        return ran - {"code"}, set(re.findall(r"^Stage '(.+)' is cached", said, re.MULTILINE))

    def why(self, *stages: str) -> str:
        """What `pixelwise why` says, in a process of its own: the code that it compares is the checkout's."""
        command = [sys.executable, "-m", "pixelwise.cli", "why", *stages]
        environment = os.environ | self.environment
        done = subprocess.run(
            command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_id(self, family: str) -> str:
        """The id of the training whose result lies there."""
        return (self.checkout / f"models/{family}/checkpoint/run.json").read_text()

    def install(self, package: str, version: str) -> None:
        """Let a package seem to be installed in another version."""
        info = self.packages / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")

    def uninstall(self) -> None:
        """Let the packages be as they are."""
        shutil.rmtree(self.packages)
        self.packages.mkdir()
