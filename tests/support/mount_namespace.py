"""What a process sees of the machine, changed for it alone: mounts in a namespace of its own."""

import shutil
import subprocess

ALONE = ["unshare", "--map-root-user", "--mount"]


def can_mount():
    """Whether a process can have mounts of its own here."""
    return bool(shutil.which("unshare")) and not subprocess.run([*ALONE, "true"], check=False).returncode
