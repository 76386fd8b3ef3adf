"""The wheel of `pixelwise`, and an environment of what its extra `serve` declares and nothing else."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]


def build_wheel(folder: Path) -> Path:
    """The wheel, built in a copy of what it is made from: the build leaves files beside its sources."""
    source = folder / "source"
    shutil.copytree(PROJECT / "pixelwise", source / "pixelwise", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    command = ["uv", "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*command, "--out-dir", str(folder / "dist"), str(source)], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def unpack(wheel: Path, site: Path) -> Path:
    """`site`, with what is in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def link_declared(site: Path, extra: str) -> None:
    """Link into `site` the installed packages that the unpacked `pixelwise` requires with `extra`, directly or not."""
    (own,) = metadata.distributions(name="pixelwise", path=[str(site)])
    for name in required(own.requires or [], {extra, ""}, set()):
        for top in {file.parts[0] for file in metadata.files(name) or [] if file.parts[0] not in ("..", "__pycache__")}:
            target = site / top
            if not target.exists():
                target.symlink_to(Path(str(metadata.distribution(name).locate_file(top))))


def required(requirements: list[str], extras: set[str], found: set[str]) -> set[str]:
    """The distributions that `requirements` name on this machine under `extras`, and those that these require."""
    for requirement in map(Requirement, requirements):
        wanted = any(requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in extras)
        if wanted and requirement.name not in found:
            found.add(requirement.name)
            required(metadata.requires(requirement.name) or [], {*requirement.extras, ""}, found)
    return found


def run_isolated(site: Path, code: str, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python that finds the standard library and `site` alone, outside the checkout."""
    start = f"import sys; sys.path.append({str(site)!r}); sys.argv[0] = 'pixelwise'; {code}"
    command = [sys.executable, "-I", "-S", "-c", start, *argv]
    return subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False)
