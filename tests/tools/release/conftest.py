"""A registry with two versions of a tiny model."""

import pytest
from support.releases import copied, make_templates


@pytest.fixture(scope="session")
def templates(tmp_path_factory, mlflow_template):
    """Worlds to copy: version 2 a challenger that deserves its place, and version 2 released."""
    return make_templates(tmp_path_factory.mktemp("releases") / "promotion", mlflow_template)


@pytest.fixture
def released(templates, tmp_path):
    """A world in which version 2 is released."""
    return copied(templates["rollback"], tmp_path)
