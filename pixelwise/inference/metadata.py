"""Read a model file's metadata, and check it before it is loaded: it is one file and has the recorded hash.

Parses only the needed part of ONNX's Protocol Buffers; the numbers are the field numbers in onnx.proto.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pixelwise.errors import ModelError
from pixelwise.identity import sha256_file
from pixelwise.model_folder import ModelFolder

# Message -> field number -> message in that field.
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
    """Raise ModelError where the graph in `file` reads tensors from other files, since their paths can be arbitrary."""
    try:
        outside = names_data_elsewhere(memoryview(file.read_bytes()), "model")
    except OSError as error:
        raise ModelError(f"{file}: unreadable: {error.strerror}") from None
    except (IndexError, ValueError):
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load (no ONNX in it)") from None
    if outside:
        raise ModelError(f"{file}: keeps data in other files, expected one file as `pixelwise export` writes it")


def read_metadata(file: Path) -> dict[str, str]:
    """Read the metadata of the graph in `file`, by key, without loading it. Raises ModelError where it is no graph."""
    try:
        properties = [value for field, value in read_fields(memoryview(file.read_bytes())) if field == METADATA]
        entries = [dict(read_fields(value)) for value in properties if isinstance(value, memoryview)]
        return {decode_text(entry[1]): decode_text(entry.get(2, memoryview(b""))) for entry in entries}
    except OSError as error:
        raise ModelError(f"{file}: {(error.strerror or 'unreadable').lower()}, expected a graph") from None
    except (IndexError, KeyError, TypeError, ValueError):
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load (no ONNX in it)") from None


def decode_text(value: memoryview | int) -> str:
    """Decode the text in a field. Raises ValueError where it is not UTF-8, TypeError where it is a number."""
    if isinstance(value, int):
        raise TypeError(f"found {value}, expected a text")
    return str(value, "utf-8")


def names_data_elsewhere(content: memoryview, message: str, depth: int = 0) -> bool:
    """Whether a tensor in a `message` has data in another file. Raises ValueError or IndexError on invalid content."""
    if depth > DEEPEST:
        raise ValueError("too deep")
    for field, value in read_fields(content):
        if message == "tensor":
            if field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0):
                return True
            continue
        inner = MESSAGES[message].get(field)
        if inner and isinstance(value, memoryview) and names_data_elsewhere(value, inner, depth + 1):
            return True
    return False


def read_fields(content: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number and the content of every field of a message. Raises ValueError or IndexError where it is cut."""
    position = 0
    while position < len(content):
        key, position = read_number(content, position)
        kind = key & 7
        if kind == 0:
            value, position = read_number(content, position)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind}")
        length, position = read_number(content, position) if kind == 2 else ({1: 8, 5: 4}[kind], position)
        if position + length > len(content):
            raise ValueError("cut short")
        yield key >> 3, content[position : position + length]
        position += length


def read_number(content: memoryview, position: int) -> tuple[int, int]:
    """Decode the variable-length number at `place`; return it and the place after it."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("number too long")


def require_recorded(file: Path) -> None:
    """Raise ModelError where the hash of `file` is not the one that `pixelwise export` or `quantize` recorded."""
    expected = read_recorded_hash(file)
    if expected and (actual := sha256_file(file)) != expected:
        raise ModelError(f"{file}: sha256 {actual[:12]}…, but {expected[:12]}… was written; export it again")


def read_recorded_hash(file: Path) -> str | None:
    """Return the hash of `file` in export.json or quantization.json of its model folder; None where there is none."""
    folder = ModelFolder.around(file)
    # A JSON file of another kind or version has no hash of this graph.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        for report in (folder.export, folder.quantization):
            if report.is_file():
                return str(json.loads(report.read_text())["graphs"][file.stem]["sha256"])
    return None
