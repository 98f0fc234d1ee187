"""What every request and every response passes: hosts, origins, limits and headers.

A page on the user's own machine is still reached by every web site that the user's browser shows, through DNS
rebinding (a foreign name that points to 127.0.0.1) and through cross-site requests. So the Host must be, byte for byte,
one of those that are served (Starlette's own check splits ``[::1]:8000`` at its first colon), a request that another
site started is refused unless it is a plain link, and no response may run, load or be framed by anything foreign.
"""

import asyncio
import json
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 1024
MAX_HEADERS = 16 * 1024
MAX_HEADER_LINES = 64
MAX_TARGET = 32 * 1024
"""Bytes of path and query: 2,000 characters are at most 24,000 bytes when they are percent-encoded."""
BODY_SECONDS = 10.0

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def loopback_hosts(port: int) -> frozenset[str]:
    """The values of Host that mean this machine and ``port``; http leaves port 80 out."""
    names = ("127.0.0.1", "localhost", "[::1]")
    return frozenset([f"{name}:{port}" for name in names] + (list(names) if port == 80 else []))


def safe_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A response's headers with ``HEADERS``, and not to be stored unless they say otherwise."""
    ours = {name for name, _ in HEADERS}
    kept = [(name, value) for name, value in headers if name.lower() not in ours]
    if all(name.lower() != b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-store"))
    return [*kept, *HEADERS]


class Safety:
    """ASGI middleware around the whole application, its error pages included.

    ``hosts`` are the values of Host that are served, in lower case, with their ports. Refusals: 400 (no single Host),
    421 (another Host), 403 (another site's request), 408, 413, 414 and 431 (limits).
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        """Guard ``app``."""
        self.app = app
        self.hosts = frozenset(host.encode("ascii") for host in hosts)
        self.origins = frozenset(b"http://" + host for host in self.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it before the application sees any of it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websocket is served; the server closes the connection

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": safe_headers(message.get("headers", []))}
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        refusal = self._refusal(scope)
        body = b""
        if refusal is None:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body, refusal = await _body(receive)
            except TimeoutError:
                refusal = 408, f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
        if refusal is not None:
            await _refuse(scope, guarded, *refusal)
            return
        # Whatever can be got has a head (RFC 9110, section 9.3.2).
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self.app({**scope, "method": method}, _replayed(body, receive), guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence when the request's head alone is reason enough."""
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        if len(headers) > MAX_HEADER_LINES or sum(len(n) + len(v) for n, v in headers) > MAX_HEADERS:
            return 431, f"the headers are more than {MAX_HEADER_LINES} lines or {MAX_HEADERS // 1024} KB"
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return 414, f"the address is longer than {MAX_TARGET // 1024} KB"
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1:
            return 400, "a request needs exactly one Host header"
        if hosts[0].lower() not in self.hosts:
            return 421, "this host is not served: open the address that `rag serve` printed"
        origins = [value for name, value in headers if name == b"origin"]
        if any(origin not in self.origins for origin in origins) or len(origins) > 1:
            return 403, "the request comes from another origin"
        sites = {value for name, value in headers if name == b"sec-fetch-site"}
        link = (
            scope["method"] in ("GET", "HEAD")
            and (b"sec-fetch-mode", b"navigate") in headers
            and all(value == b"document" for name, value in headers if name == b"sec-fetch-dest")  # in no frame
        )
        if not sites <= {b"same-origin", b"none"} and not link:
            return 403, "the request was started by another site"
        lengths = [value for name, value in headers if name == b"content-length"]
        if any(not value.isdigit() or len(value) > 9 or int(value) > MAX_BODY for value in lengths):
            return 413, f"the body is larger than {MAX_BODY // 1024} KB"
        return None


async def _body(receive: Receive) -> tuple[bytes, tuple[int, str] | None]:
    """The whole body, or the refusal of one that is too large, whatever length it claimed."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body), (400, "the request was broken off")
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return b"", (413, f"the body is larger than {MAX_BODY // 1024} KB")
        if not message.get("more_body", False):
            return bytes(body), None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """``receive`` as if the body had not been read."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(scope: Scope, send: Send, status: int, why: str) -> None:
    """A refusal in plain text or, below ``/api/``, as a problem (RFC 9457)."""
    if scope["path"].startswith("/api/"):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": why}
        kind, data = b"application/problem+json", json.dumps(problem).encode()
    else:
        kind, data = b"text/plain; charset=utf-8", f"{why[0].upper()}{why[1:]}.\n".encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(data)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
