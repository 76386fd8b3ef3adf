"""Settings to make before Prefect is imported and before DVC runs."""

import os
from pathlib import Path

from pixelwise.dvc_lock import remove_truncated_lock
from pixelwise.errors import PixelwiseError

PREFECT = {
    # Relative to the project in which the flow starts; prefect.toml has the same value for Prefect's own commands.
    "PREFECT_HOME": ".prefect",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Prefect gets the runs' full logs; the terminal shows the progress lines, which include each failure.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
}


class ProjectError(PixelwiseError):
    """The working directory is not the root of a checkout, or Prefect's settings are incomplete."""


def quiet_prefect() -> None:
    """Store Prefect's runs in the project and turn off its telemetry and console logs, where the user set nothing."""
    for name, value in PREFECT.items():
        os.environ.setdefault(name, value)


def prepare_dvc(project: Path) -> None:
    """Prepare `project` for DVC: set `no_scm` in `.dvc/config.local` outside git, and remove a truncated rwlock file.

    Raises ProjectError where dvc.yaml or .dvc is missing.
    """
    for name in ("dvc.yaml", ".dvc"):
        if not (project / name).exists():
            raise ProjectError(f"{project}: no {name}, expected the root of a checkout")
    local = project / ".dvc" / "config.local"
    if not is_in_git(project) and not local.exists():
        local.write_text("[core]\n    no_scm = true\n")
    remove_truncated_lock(project)


def is_in_git(folder: Path) -> bool:
    """Whether `folder` or one of its parents is a git work tree."""
    folder = folder.resolve()
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))
