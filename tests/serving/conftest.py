"""The model that the tests of the server share."""

import pytest
from support.channel_model import write_channel_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder whose labels are known: the class of a pixel is its strongest channel."""
    return write_channel_model(tmp_path_factory.mktemp("model") / "channels")
