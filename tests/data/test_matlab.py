"""Maps of MATLAB files."""

from io import BytesIO

import numpy as np
import pytest
from scipy.io import savemat

from pixelwise.data.matlab import read_field
from pixelwise.errors import DataError

MAP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def mat(**fields):
    buffer = BytesIO()
    savemat(buffer, fields, do_compression=True)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.float64])
def test_a_map_is_read_row_by_row_in_every_type_that_matlab_stores(dtype):
    found = read_field(mat(S=MAP.astype(dtype)), "S")
    assert found.dtype.kind in "iu"
    assert found.flags.c_contiguous
    assert (found == MAP).all()


def test_a_map_in_a_struct_is_read_by_its_dotted_name():
    assert (read_field(mat(GTcls={"Segmentation": MAP, "Other": [1]}), "GTcls.Segmentation") == MAP).all()


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (mat(X=MAP, names=MAP), "S", r"no field S, found: X, names$"),
        (mat(), "S", r"no field S, found: none$"),
        (mat(GTcls={"Other": MAP}), "GTcls.Segmentation", r"no field GTcls\.Segmentation, found: Other$"),
        (mat(GTcls=MAP), "GTcls.Segmentation", r"no field GTcls\.Segmentation, found: none$"),
        (mat(S="text"), "S", r"field S holds no numbers, expected a map of integers"),
        (mat(S=np.zeros((2, 3, 4))), "S", r"field S is of size 2×3×4, expected height × width"),
        (mat(S=np.zeros((0, 0))), "S", r"field S is of size 0×0, expected"),
        (mat(S=[[1.0, np.nan], [np.inf, 0]]), "S", r"field S has 2 NaN or infinite values, expected integers"),
        (mat(S=[[1.0, 0.5]]), "S", r"field S has fractional values, expected integers"),
        (mat(S=[[1.0, 1e30]]), "S", r"field S has value 1e\+30, expected integers"),
        (mat(S=[[-1e30, 1.0]]), "S", r"field S has value -1e\+30, expected integers"),
        (b"\x89PNG" + bytes(300), "S", r"not a MATLAB file, expected version 5 to 7\.2: "),
        (b"", "S", r"not a MATLAB file, expected version 5 to 7\.2: "),
        (mat(S=MAP)[:150], "S", r"not a MATLAB file, expected version 5 to 7\.2: "),
        (
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
            "S",
            r"MATLAB version 7\.3, expected 5 to 7\.2; save it with -v7",
        ),
    ],
)
def test_what_is_no_map_of_integers_is_one_line_with_what_was_found_and_expected(content, field, reason):
    with pytest.raises(DataError, match=reason) as error:
        read_field(content, field)
    assert "\n" not in str(error.value)
