"""What a model file says of itself, and what it must be before it is loaded: one file with the hash on record.

Reads ONNX's Protocol Buffers as far as is needed: the numbers are those of the fields in onnx.proto.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pixelwise.errors import ModelError
from pixelwise.identity import sha256_file
from pixelwise.model_folder import ModelFolder

# message -> field -> message in that field.
MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
METADATA = 14
DEEPEST = 100


def require_sealed(file: Path) -> None:
    """Raise ModelError where the graph in `file` takes data from other files, which it could name anywhere."""
    try:
        outside = names_data_elsewhere(memoryview(file.read_bytes()), "model")
    except OSError as error:
        raise ModelError(f"{file}: unreadable: {error.strerror}") from None
    except (IndexError, ValueError):
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load (no ONNX in it)") from None
    if outside:
        raise ModelError(f"{file}: keeps data in other files, expected one file as `pixelwise export` writes it")


def read_metadata(file: Path) -> dict[str, str]:
    """What the graph in `file` says of itself, by key; the graph is not loaded. Raises ModelError where it is none."""
    try:
        found = [value for field, value in fields(memoryview(file.read_bytes())) if field == METADATA]
        entries = [dict(fields(value)) for value in found if isinstance(value, memoryview)]
        return {text_of(entry[1]): text_of(entry.get(2, memoryview(b""))) for entry in entries}
    except OSError as error:
        raise ModelError(f"{file}: {(error.strerror or 'unreadable').lower()}, expected a graph") from None
    except (IndexError, KeyError, TypeError, ValueError):
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load (no ONNX in it)") from None


def text_of(value: memoryview | int) -> str:
    """The text in a field of a message. Raises ValueError where it holds no UTF-8, TypeError where it is a number."""
    if isinstance(value, int):
        raise TypeError(f"found {value}, expected a text")
    return str(value, "utf-8")


def names_data_elsewhere(content: memoryview, message: str, depth: int = 0) -> bool:
    """Whether a tensor in a `message` lies in another file. Raises ValueError or IndexError where it is no message."""
    if depth > DEEPEST:
        raise ValueError("too deep")
    for field, value in fields(content):
        if message == "tensor":
            if field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0):
                return True
            continue
        inner = MESSAGES[message].get(field)
        if inner and isinstance(value, memoryview) and names_data_elsewhere(value, inner, depth + 1):
            return True
    return False


def fields(content: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """The number and the content of every field of a message."""
    place = 0
    while place < len(content):
        key, place = number(content, place)
        kind = key & 7
        if kind == 0:
            value, place = number(content, place)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind}")
        length, place = number(content, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        if place + length > len(content):
            raise ValueError("cut short")
        yield key >> 3, content[place : place + length]
        place += length


def number(content: memoryview, place: int) -> tuple[int, int]:
    """The variable-length number at `place`, and the place behind it."""
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("number too long")


def require_recorded(file: Path) -> None:
    """Raise ModelError where `file` has another hash than the step that wrote it recorded."""
    known = recorded(file)
    if known and (found := sha256_file(file)) != known:
        raise ModelError(f"{file}: sha256 {found[:12]}…, but {known[:12]}… was written; export it again")


def recorded(file: Path) -> str | None:
    """The hash that export.json or quantization.json of its model folder has for `file`, if there is one."""
    folder = ModelFolder.around(file)
    # A file of another kind or version says nothing of this graph.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        if folder.export.is_file():
            return str(json.loads(folder.export.read_text())["graphs"][file.stem]["sha256"])
        if folder.quantization.is_file():
            found = json.loads(folder.quantization.read_text())["sha256"]
            return None if found is None else str(found)
    return None
