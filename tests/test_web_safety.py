"""What may reach the search page, and what every response carries."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from starlette.testclient import TestClient

from index.search import Index
from rag.calibrate import Calibration
from rag.pipeline import Pipeline
from rag.sentences import SentenceReader
from web import safety
from web.app import create_app
from web.engine import Engine
from web.safety import HEADERS, Safety, loopback_hosts, safe_headers

HOST = "127.0.0.1:8787"
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def app(root: Path) -> Safety:
    pipeline = Pipeline(Index.open(root), SentenceReader(), Calibration({}, 0.0, 0.0))
    return create_app(Engine(root, lambda: pipeline), loopback_hosts(8787))


@pytest.fixture
def client(app: Safety) -> Iterator[TestClient]:
    with TestClient(app, f"http://{HOST}", raise_server_exceptions=False) as opened:
        yield opened


def asked(app: Callable[..., Awaitable[None]], method: str, headers: list[tuple[bytes, bytes]], **more: Any) -> int:
    """The status of one request whose headers, and whose body in pieces, are exactly these."""
    pieces: list[bytes] = list(more.pop("body", [b""]))
    scope = {
        "type": "http", "method": method, "path": "/api/v1/ask", "raw_path": b"/api/v1/ask", "query_string": b"q=mill",
        "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "", **more,
    }  # fmt: skip
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def run() -> None:
        await app(scope, receive, send)

    anyio.run(run)
    (status,) = statuses
    return status


OWN = "http://" + HOST
MATRIX: list[tuple[str, list[str], str | None, int]] = [
    # method, Host headers, Origin, status
    *(("GET", [host], None, 200) for host in (HOST, "localhost:8787", "[::1]:8787", "LOCALHOST:8787")),
    *(
        ("GET", [host], None, 421)
        for host in (
            *("127.0.0.1", "localhost", "[::1]", "127.0.0.1:80", "127.0.0.1:8788", "localhost:87870", "[::1]:8788"),
            *("evil.example", "evil.example:8787", "127.0.0.1.evil.example:8787", "localhost.:8787", "::1:8787"),
            *("[::1]:8787:8787", "[::1]evil:8787", "[::ffff:127.0.0.1]:8787", "0.0.0.0:8787", "127.1:8787"),
            *("user@127.0.0.1:8787", "127.0.0.1:8787@evil.example", "127.0.0.1:8787,evil.example", "127.0.0.1:8787 "),
        )
    ),
    ("GET", [], None, 400),
    ("GET", [""], None, 421),
    ("GET", [HOST, HOST], None, 400),
    ("GET", [HOST, "evil.example"], None, 400),
    ("POST", [HOST], None, 200),
    ("POST", [HOST], OWN, 200),
    ("POST", ["[::1]:8787"], "http://[::1]:8787", 200),
    *(
        ("POST", [HOST], origin, 403)
        for origin in (
            *("null", "http://evil.example", "https://127.0.0.1:8787", "http://127.0.0.1:8788", "http://127.0.0.1"),
            *("http://127.0.0.1:8787.evil.example", "http://localhost:8787/", ""),
        )
    ),
    ("GET", [HOST], "http://evil.example", 403),
]


def test_the_matrix_has_forty_cases() -> None:
    assert len(MATRIX) >= 40
    assert len({str(case) for case in MATRIX}) == len(MATRIX)


@pytest.mark.parametrize(("method", "hosts", "origin", "status"), MATRIX)
def test_host_and_origin(app: Safety, method: str, hosts: list[str], origin: str | None, status: int) -> None:
    headers = [(b"host", host.encode()) for host in hosts] + [(b"content-type", b"application/json")]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    body = [b'{"question": "mill"}'] if method == "POST" else [b""]
    assert asked(app, method, headers, body=body) == status


def test_whatever_can_be_got_has_a_head(client: TestClient) -> None:
    for path in ("/", "/healthz", "/api/v1/ask?q=mill", "/static/page.css"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
    assert client.head("/absent").status_code == 404


def test_the_answer_to_a_head_has_no_body(app: Safety) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "HEAD", "path": "/healthz", "raw_path": b"/healthz", "query_string": b"",
        "headers": [(b"host", HOST.encode())], "http_version": "1.1", "scheme": "http", "root_path": "",
    }  # fmt: skip
    anyio.run(app, scope, receive, send)
    assert sent[0]["status"] == 200
    assert {message.get("body", b"") for message in sent[1:]} == {b""}


def test_port_80_is_left_out_by_browsers() -> None:
    assert {"localhost", "localhost:80", "[::1]"} <= loopback_hosts(80)
    assert loopback_hosts(8787) == {"127.0.0.1:8787", "localhost:8787", "[::1]:8787"}


@pytest.mark.parametrize(
    ("site", "mode", "method", "status"),
    [
        ("same-origin", "cors", "GET", 200),
        ("none", "navigate", "GET", 200),
        ("cross-site", "navigate", "GET", 200),  # a plain link
        ("cross-site", "no-cors", "GET", 403),  # an image of a foreign page
        ("same-site", "no-cors", "GET", 403),  # another port of this machine
        ("cross-site", "navigate", "POST", 403),  # a form of a foreign page
        ("none", "no-cors", "GET", 200),  # the browser itself, for the search's description
        ("cross-site", "navigate", "HEAD", 200),
        ("cross-site", "navigate", "PUT", 403),
    ],
)
def test_what_another_site_starts(app: Safety, site: str, mode: str, method: str, status: int) -> None:
    headers = [(b"host", HOST.encode()), (b"sec-fetch-site", site.encode()), (b"sec-fetch-mode", mode.encode())]
    body = [b'{"question": "mill"}'] if method == "POST" else [b""]
    assert asked(app, method, [*headers, (b"content-type", b"application/json")], body=body) == status


def test_forwarded_hosts_count_for_nothing(app: Safety) -> None:
    assert asked(app, "GET", [(b"host", b"evil.example"), (b"x-forwarded-host", HOST.encode())]) == 421


PAGES = ("/", "/?q=mill", "/?q=%3F", "/doc/mill.txt", "/doc/none", "/none", "/static/page.css", "/static/none")


@pytest.mark.parametrize(
    "path", [*PAGES, "/api/v1/ask?q=mill", "/api/v1/ask", "/api/v1/status", "/healthz", "/opensearch.xml"]
)
def test_every_response_carries_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert not [name for name in headers if name.startswith("access-control")]
    assert headers["cache-control"] == "no-store"


def test_refusals_and_bugs_carry_them_too(root: Path, client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).headers["content-security-policy"] == CSP
    for path, kind in (("/", "text/plain; charset=utf-8"), ("/api/v1/status", "application/problem+json")):
        assert client.get(path, headers={"host": "evil.example"}).headers["content-type"] == kind
    pipeline = Pipeline(Index.open(root), SentenceReader(), Calibration({}, 0.0, 0.0))
    engine = Engine(root, lambda: pipeline)
    engine.current = None  # type: ignore[method-assign, assignment]
    broken = TestClient(create_app(engine, loopback_hosts(8787)), f"http://{HOST}", raise_server_exceptions=False)
    for path, kind in (("/", "text/html; charset=utf-8"), ("/api/v1/status", "application/problem+json")):
        response = broken.get(path)
        assert (response.status_code, response.headers["content-type"]) == (500, kind)
        assert response.headers["content-security-policy"] == CSP
        assert "NoneType" not in response.text


def test_ours_stand_in_the_place_of_others_however_spelled() -> None:
    others = [(b"X-Frame-Options", b"ALLOW"), (b"Cache-Control", b"max-age=1")]
    assert safe_headers(others) == [others[1], *HEADERS]


def test_a_preflight_is_not_answered(client: TestClient) -> None:
    asked = client.options(
        "/api/v1/ask", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
    )
    assert asked.status_code == 403


# Limits

JSON = [(b"host", HOST.encode()), (b"content-type", b"application/json")]


def test_the_body(app: Safety) -> None:
    def body(size: int) -> bytes:
        return b'{"question": "mill"' + b" " * (size - 20) + b"}"

    assert asked(app, "POST", JSON, body=[body(safety.MAX_BODY)]) == 200
    assert asked(app, "POST", JSON, body=[body(safety.MAX_BODY + 1)]) == 413
    assert asked(app, "POST", JSON, body=[b"x" * 1000] * 66) == 413
    assert asked(app, "POST", [*JSON, (b"content-length", b"65537")]) == 413
    assert asked(app, "POST", [*JSON, (b"content-length", b"1" * 5000)]) == 413
    assert asked(app, "POST", [*JSON, (b"content-length", b"-1")]) == 413
    assert asked(app, "POST", [*JSON, (b"content-length", b"3")], body=[b"x" * 40_000, b"x" * 40_000]) == 413


def test_a_body_that_does_not_come(app: Safety, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "BODY_SECONDS", 0.05)
    assert asked(app, "POST", JSON, body=[]) == 408


def test_the_head(app: Safety) -> None:
    host = (b"host", HOST.encode())
    assert asked(app, "GET", [host, (b"x", b"y" * 15_000)]) == 200
    assert asked(app, "GET", [host, (b"x", b"y" * 17_000)]) == 431
    assert asked(app, "GET", [host] + [(b"x", b"y")] * 63) == 200
    assert asked(app, "GET", [host] + [(b"x", b"y")] * 64) == 431
    assert asked(app, "GET", [host], raw_path=b"/" + b"y" * 33_000) == 414
    assert asked(app, "GET", [host], query_string=b"q=mill&x=" + b"y" * 33_000) == 414


def test_other_protocols_get_nothing(app: Safety) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    async def run() -> None:
        await app({"type": "websocket", "path": "/", "headers": []}, never, never)

    anyio.run(run)


def test_no_page_shares_a_process_with_another(client: TestClient) -> None:
    for path in ("/", "/api/v1/status"):
        headers = client.get(path).headers
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


def test_two_origins_are_refused_even_if_both_are_ours(app: Safety) -> None:
    assert asked(app, "GET", [(b"host", HOST.encode()), *[(b"origin", OWN.encode())] * 2]) == 403


def test_the_text_of_a_refusal(client: TestClient) -> None:
    why = "his host is not served: open the address that `rag serve` printed"
    problem = {"type": "about:blank", "title": "Misdirected Request", "status": 421, "detail": f"t{why}"}
    refused = client.get("/api/v1/status", headers={"host": "evil.example"})
    assert refused.json() == problem
    for path in ("/", "/apis"):
        refused = client.get(path, headers={"host": "evil.example"})
        assert refused.text == f"T{why}.\n"
        assert refused.headers["connection"] == "close"
        assert int(refused.headers["content-length"]) == len(refused.content)


def test_the_limits_of_a_head(app: Safety) -> None:
    host = (b"host", HOST.encode())
    assert asked(app, "GET", [host, (b"y" * 17_000, b"x")]) == 431
    assert asked(app, "GET", [host], raw_path=b"/" + b"y" * 17_000, query_string=b"q=mill&x=" + b"y" * 17_000) == 414
    assert asked(app, "GET", [host], query_string=b"q=" + quote("𠀀" * 2000).encode()) == 200
    assert asked(app, "POST", [*JSON, (b"content-length", b"65536")], body=[b'{"question": "mill"}']) == 200


def test_a_request_that_is_broken_off_is_not_asked() -> None:
    async def never(*_: Any) -> None:
        raise AssertionError

    pieces = [{"type": "http.request", "body": b'{"quest', "more_body": True}, {"type": "http.disconnect"}]
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("status", 0))

    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": JSON}
    anyio.run(Safety(never, [HOST]), scope, receive, send)
    assert sent == [400, 0]


@pytest.mark.parametrize(("to", "status"), [("document", 200), ("iframe", 403), ("object", 403), ("embed", 403)])
def test_a_frame_of_another_site_is_no_plain_link(app: Safety, to: str, status: int) -> None:
    said = {b"host": HOST, b"sec-fetch-site": "cross-site", b"sec-fetch-mode": "navigate", b"sec-fetch-dest": to}
    assert asked(app, "GET", [(name, value.encode()) for name, value in said.items()]) == status
