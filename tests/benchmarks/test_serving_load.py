"""The load test counts honestly: what a server refused, failed to answer, or was cut in by the client."""

import asyncio
import json

import pytest
from support.channel_model import write_channel_model

from benchmarks import request_kinds, serving_load
from benchmarks.http_requests import Tally, make_client, measure_closed_loop, open_loop

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
ANSWERED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Pixelwise-Version: 7\r\nContent-Length: 0\r\n\r\n"


async def behave(reader, writer):
    """What the body of a request says: answer, refuse, close the connection, or keep silent."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    if body == b"silent":
        await reader.read()
    writer.write({b"answer": ANSWERED, b"refuse": REFUSED}.get(body, b""))
    writer.close()


def send(content):
    """Sends `content` for every client."""
    return request_kinds.send_pictures([content])


def asked(what):
    """What `what(client)` returns, an asynchronous function of a client of a server that behaves like that."""

    async def ask():
        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with make_client(f"http://127.0.0.1:{port}", seconds=0.5) as client:
            return await what(client)

    return asyncio.run(ask())


def test_what_was_refused_failed_and_cut_by_the_client_is_told_apart():
    tally = Tally()

    async def ask(client):
        for content in (b"answer", b"answer", b"refuse", b"close", b"silent"):
            await tally.ask(client, send(content), 0, 0)

    asked(ask)
    found = tally.summary()
    assert (found["requests"], found["by_status"]) == (5, {"200": 2, "503": 1})
    assert (found["failed"], found["cut"]) == ({"RemoteProtocolError": 1}, {"ReadTimeout": 1})
    assert found["answered_by_version"] == {"7": 2}


def test_requests_leave_at_their_times_though_none_is_answered():
    tally = Tally()
    asked(lambda client: open_loop(client, send(b"silent"), 1, rate=200, seconds=0.3, seed=0, tally=tally))
    # One after the other there would be one: each is silent for longer than all of it.
    assert tally.summary()["cut"]["ReadTimeout"] > 20


def test_a_server_that_refuses_all_has_no_capacity():
    with pytest.raises(serving_load.ModelError, match="answered nothing"):
        asked(lambda client: measure_closed_loop(client, send(b"refuse"), clients=2, seconds=0.1))


@pytest.fixture
def model(request, tmp_path):
    """The exported model of a kind of requests."""
    if request.param == "channels":
        return write_channel_model(tmp_path / "model")
    return request.getfixturevalue(request.param)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("requests", "model"),
    [("pictures", "channels"), ("frames", "clockwork_model"), ("guidance", "guided_folder")],
    indirect=["model"],
)
def test_four_times_the_capacity_with_a_change_of_champion_loses_nothing(requests, model, tmp_path):
    params = serving_load.LoadParams(requests=requests, seconds=10, capacity_seconds=2, width=64, height=64)
    serving_load.run(params, model, tmp_path / "load.json")
    found = json.loads((tmp_path / "load.json").read_text())
    assert found["load"]["failed"] == found["load"]["cut"] == {}
    assert set(found["load"]["by_status"]) <= {"200", "429", "503"}
    assert set(found["load"]["answered_by_version"]) == {"1", "2"}
    assert found["exit_status_after_sigterm"] == 0
