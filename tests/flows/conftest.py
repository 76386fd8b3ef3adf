"""One Prefect server for the whole session: it takes about 10 s to start."""

import pytest

from flows.server import TemporaryServer
from flows.settings import quiet_prefect


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """Prefect with a server and a database of its own, nothing of it in the checkout. Yields the server's folder."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        patch.setenv("PREFECT_API_URL", "")
        quiet_prefect()
        server = TemporaryServer(home)
        from prefect.settings import PREFECT_API_URL, temporary_settings

        server.wait()
        # Whoever imported Prefect before has read its settings already.
        with temporary_settings({PREFECT_API_URL: server.url}):
            yield home
        server.stop()
