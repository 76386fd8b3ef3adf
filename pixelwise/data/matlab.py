"""Read a map from a MATLAB file (versions 5 to 7.2), the label format of SBD, NYUDv2, SIFT Flow and PASCAL-Context."""

from io import BytesIO
from typing import Any

import numpy as np

from pixelwise.errors import DataError

# Above this, a float cannot represent every integer.
LARGEST = 2**53


def read_field(content: bytes, field: str) -> np.ndarray:
    """Read the integer map (H, W) named `field` from the file `content`; `struct.field` names a field of a struct.

    Raises DataError with what was found and what was expected.
    """
    found: Any = load_variables(content)
    for name in field.split("."):
        names = list_fields(found)
        if name not in names:
            raise DataError(f"no field {field}, found: {', '.join(names) or 'none'}")
        found = found[name] if isinstance(found, dict) else found.flat[0][name]
    return require_integers(found, field)


def load_variables(content: bytes) -> dict[str, Any]:
    """Load all variables of a MATLAB file. Raises DataError if it is not a MATLAB file, or of version 7.3."""
    from scipy.io import loadmat

    try:
        return {name: value for name, value in loadmat(BytesIO(content)).items() if not name.startswith("__")}
    except NotImplementedError:
        raise DataError("MATLAB version 7.3, expected 5 to 7.2; save it with -v7") from None
    except Exception as error:
        # SciPy raises a dozen unrelated types on damaged files, and one bad file must not end an ingest.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"not a MATLAB file, expected version 5 to 7.2: {reason}") from None


def list_fields(found: Any) -> list[str]:
    """List the names in a file or in a struct; an empty list for anything else."""
    if isinstance(found, dict):
        return list(found)
    return list(found.dtype.names or ()) if isinstance(found, np.ndarray) and found.size else []


def require_integers(values: Any, field: str) -> np.ndarray:
    """Convert `values` to an (H, W) array of integers. Raises DataError if that loses information."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb":
        raise DataError(f"field {field} holds no numbers, expected a map of integers")
    if values.ndim != 2 or not values.size:
        size = "×".join(map(str, values.shape))
        raise DataError(f"field {field} is of size {size}, expected height × width")
    if values.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad or (values != np.rint(values)).any():
            raise DataError(
                f"field {field} has {f'{bad} NaN or infinite' if bad else 'fractional'} values, expected integers"
            )
        if (large := values[np.abs(values) > LARGEST]).size:
            raise DataError(f"field {field} has value {large[0]:g}, expected integers")
        values = values.astype(np.int64)
    # MATLAB stores arrays in column-major order.
    return np.ascontiguousarray(values)
