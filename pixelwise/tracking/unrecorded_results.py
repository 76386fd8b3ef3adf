"""The result of a training that DVC may not have recorded yet, kept in the state folder of its stage.

DVC writes dvc.lock after a stage has ended, and deletes the outputs of a stage before it runs it again. If a power cut
comes before dvc.lock is written, the same training would run again, in a second MLflow run. So a copy of the result
stays in the state folder until the next training of the stage has ended.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from pixelwise.documents import read_json
from pixelwise.files import write_atomically
from pixelwise.model_folder import RUN_FILE
from pixelwise.stage_inputs import LOCK_FILE, STAGE
from pixelwise.tracking.store import print_notice

KEPT = "result"


def keep_result(result: Path, state: Path) -> None:
    """Keep a copy of the folder `result` in the folder `state`; without DVC none, since nothing deletes the result."""
    if STAGE not in os.environ:
        return
    kept = state / KEPT
    # run.json is deleted first and written last, so that a kill leaves no incomplete copy that has one.
    (kept / RUN_FILE).unlink(missing_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    copy_files(result, kept)


def restore_result(result: Path, state: Path, fingerprint: str) -> bool:
    """Copy the result kept in `state` to the folder `result` if it is of the training with `fingerprint` and dvc.lock
    does not name it; returns whether it was. A training that dvc.lock names runs again, since the user asks for it.
    """
    kept = state / KEPT
    run = read_json(kept / RUN_FILE, "the run.json of a training", default={})
    if STAGE not in os.environ or run.get("fingerprint") != fingerprint or is_recorded(kept):
        return False
    copy_files(kept, result)
    print_notice(f"{kept}: this training had ended before DVC recorded it; its result is taken, with its run")
    return True


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of one folder to another, run.json last."""
    for file in sorted(source.iterdir(), key=lambda file: file.name == RUN_FILE):
        with write_atomically(target / file.name) as temporary:
            shutil.copyfile(file, temporary)


def is_recorded(folder: Path) -> bool:
    """Whether dvc.lock names the content of `folder`: DVC hashes the list of the files' MD5s."""
    listed = [{"md5": md5_file(file), "relpath": file.name} for file in sorted(folder.iterdir())]
    digest = hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()
    return LOCK_FILE.is_file() and f"md5: {digest}.dir\n" in LOCK_FILE.read_text(encoding="utf-8")


def md5_file(path: Path) -> str:
    """The MD5 hex digest of a file's bytes, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
