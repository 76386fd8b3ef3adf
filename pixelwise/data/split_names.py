"""The splits of a data set: from the names of its files and folders, or chosen where no name tells them."""

import hashlib
import re
from pathlib import Path

# Names that tools give to splits -> the pipeline's name.
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "val"
)
# COCO appends the year of a release.
YEAR = re.compile(r"(?<=[a-z])(19|20)\d\d$")
VAL_SHARE = 0.1


def find_split(name: str) -> str:
    """Find the split that a name contains as a word, such as train in `instances_train2017`; "" if none or several."""
    words = (YEAR.sub("", word) for word in re.split(r"[-_. ]", name.lower()))
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else ""


def find_split_of_path(path: Path, root: Path) -> str:
    """Find the split that the nearest folder above `path`, below `root`, is named after; "" if none is."""
    folders = path.relative_to(root).parts[:-1]
    return next((SPLITS[name.lower()] for name in reversed(folders) if name.lower() in SPLITS), "")


def choose_held_out(keys: set[str]) -> set[str]:
    """Choose the tenth of `keys` that becomes val: the smallest hashes, so that new keys move few old ones.

    It is at least one key of two or more, and none of a single key.
    """
    ordered = sorted(keys, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    return set(ordered[: max(1, round(VAL_SHARE * len(ordered)))]) if len(ordered) > 1 else set()
