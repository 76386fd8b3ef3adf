"""What must hold before Prefect is imported, and before DVC runs."""

import os
from pathlib import Path

from pixelwise.dvc_lock import remove_truncated_lock
from pixelwise.errors import PixelwiseError

PREFECT = {
    # Relative, so of the project in which the flow is started; prefect.toml says the same to Prefect's own commands.
    "PREFECT_HOME": ".prefect",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # The runs' logs go to Prefect in full; the terminal has the progress lines, with each failure in one of them.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
}


class ProjectError(PixelwiseError):
    """The working directory is no checkout of a pipeline."""


def quiet_prefect() -> None:
    """Keep Prefect's runs inside the project, its telemetry off and its chatter off the terminal; yours win."""
    for name, value in PREFECT.items():
        os.environ.setdefault(name, value)


def prepare_dvc(project: Path) -> None:
    """Make DVC work in `project`: outside git it is told so, in `.dvc/config.local`; a list that a kill left cut goes.

    Raises ProjectError where dvc.yaml or .dvc is missing.
    """
    for part in ("dvc.yaml", ".dvc"):
        if not (project / part).exists():
            raise ProjectError(f"{project}: no {part}, expected the root of a checkout")
    local = project / ".dvc" / "config.local"
    if not is_in_git(project) and not local.exists():
        local.write_text("[core]\n    no_scm = true\n")
    remove_truncated_lock(project)


def is_in_git(folder: Path) -> bool:
    """Whether `folder` or one above it is a git work tree."""
    folder = folder.resolve()
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))
