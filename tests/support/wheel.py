"""The wheel of `pixelwise`, and an environment of what its extra `serve` declares and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def declared(site: Path, extra: str) -> set[str]:
    """The distributions that the unpacked `pixelwise` requires with `extra`, directly or not."""
    found: set[tuple[str, str]] = set()
    waiting = [("pixelwise", extra), ("pixelwise", "")]
    while waiting:
        if (wanted := waiting.pop()) not in found:
            found.add(wanted)
            waiting.extend(required(*wanted, path=[str(site), *sys.path]))
    return {name for name, _ in found} - {"pixelwise"}


def required(name: str, extra: str, path: list[str]) -> Iterator[tuple[str, str]]:
    """What a distribution found on `path` requires on this machine under `extra`: names, each with its extras."""
    distribution = next(iter(metadata.distributions(name=name, path=path)))
    for requirement in map(Requirement, distribution.requires or []):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((canonicalize_name(requirement.name), found) for found in (*requirement.extras, ""))


def link(site: Path, names: set[str]) -> None:
    """Link into `site` the files of installed distributions."""
    for name in names:
        for top in {file.parts[0] for file in metadata.files(name) or [] if file.parts[0] not in ("..", "__pycache__")}:
            target = site / top
            if not target.exists():
                target.symlink_to(Path(str(metadata.distribution(name).locate_file(top))))


def isolated(site: Path, *argv: str) -> list[str]:
    """`pixelwise` with `argv` in a Python that finds the standard library and `site` alone."""
    start = f"import sys; sys.path.append({str(site)!r}); from pixelwise.cli import main; main()"
    return [sys.executable, "-I", "-S", "-c", start, *argv]
