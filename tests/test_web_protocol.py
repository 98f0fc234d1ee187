"""A head that does not end, and a request that h11 cannot parse."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import pytest
from starlette.types import Receive, Scope, Send

from web import protocol
from web.safety import HEADERS, Safety, loopback_hosts
from web.serve import BACKLOG, server_of

LIMIT = 0.5


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """An application; what is asked of ``/slow`` takes longer than a head may take."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A connection to the server that ``rag serve`` runs, with a short limit."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", LIMIT)
    with socket.create_server(("127.0.0.1", 0)) as opened:
        server = server_of(Safety(hello, loopback_hosts(opened.getsockname()[1])))
        thread = threading.Thread(target=server.run, args=([opened],))
        thread.start()
        try:
            with socket.create_connection(opened.getsockname(), timeout=4) as connected:  # uvicorn's keep-alive: 5 s
                yield connected
        finally:
            server.should_exit = True
            thread.join()


def head(connection: socket.socket, start: str = "GET /") -> bytes:
    return f"{start} HTTP/1.1\r\nHost: 127.0.0.1:{connection.getpeername()[1]}\r\n".encode()


def answer(connection: socket.socket, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    response = HTTPResponse(connection, method=method)
    response.begin()
    with response:
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def drip(connection: socket.socket) -> None:
    for _ in range(40):
        connection.sendall(b"x: y\r\n")
        time.sleep(LIMIT / 5)


def hung_up(connection: socket.socket) -> bool:
    """Whether the server closes without a word, instead of keeping the reader waiting (TimeoutError)."""
    return connection.recv(1) == b""


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127"])
def test_a_head_that_does_not_come(connection: socket.socket, sent: bytes) -> None:
    connection.sendall(sent)
    assert hung_up(connection)


@pytest.mark.parametrize("after", ["nothing", "a response"])
def test_a_head_that_never_ends(connection: socket.socket, after: str) -> None:
    if after == "a response":
        connection.sendall(head(connection) + b"\r\n")
        assert answer(connection)[0] == 200
    connection.sendall(head(connection))
    with pytest.raises(ConnectionError):
        drip(connection)


def test_the_limit_is_on_each_head_alone(connection: socket.socket) -> None:
    for start in ("GET /slow", "GET /", "GET /", "GET /slow", "GET /"):
        connection.sendall(head(connection, start))
        time.sleep(0.6 * LIMIT)
        connection.sendall(b"\r\n")
        assert answer(connection)[0] == 200
    connection.sendall(head(connection, "GET /slow") + b"\r\n" + head(connection))
    assert answer(connection)[0] == 200
    assert hung_up(connection)


def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 3)
    connection.sendall(head(connection) + b"\r\n")
    assert answer(connection)[0] == 200
    with ExitStack() as stack:
        more = [stack.enter_context(socket.create_connection(connection.getpeername(), timeout=4)) for _ in range(4)]
        assert hung_up(connection)
        assert hung_up(more[0])
        for other in more[1:]:
            other.sendall(head(other) + b"\r\n")
            assert answer(other)[0] == 200
    assert server_of(Safety(hello, ())).config.backlog == BACKLOG  # so few are accepted before one is closed


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),  # no Host
        ("GET", "Host: {host}\r\nHost: {host}\r\n"),
        ("G{}T", "Host: {host}\r\n"),
        ("GET /a", "Host: {host}\r\n"),
        ("GET", "Host: {host}\r\nx: " + 70_000 * "y"),
        ("POST", "Host: {host}\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n"),
        ("HEAD", "Host: {host}\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n"),
    ],
)
def test_what_is_no_http(connection: socket.socket, method: str, rest: str, caplog: pytest.LogCaptureFixture) -> None:
    host = f"127.0.0.1:{connection.getpeername()[1]}"
    connection.sendall(f"{method} / HTTP/1.1\r\n{rest.replace('{host}', host)}\r\n".encode())
    status, headers, body = answer(connection, method)
    assert status == 400
    assert {name.decode(): value.decode() for name, value in HEADERS}.items() <= headers.items()
    assert (headers["cache-control"], headers["connection"]) == ("no-store", "close")
    assert body == (b"" if method == "HEAD" else protocol.INVALID)
    assert hung_up(connection)
    assert not caplog.records  # such as asyncio's of an exception
