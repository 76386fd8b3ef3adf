"""A model whose right answer is known."""

import pytest
from support.channel_model import write_channel_model


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model that labels each pixel by its brightest channel."""
    return write_channel_model(tmp_path_factory.mktemp("model") / "fcn")
