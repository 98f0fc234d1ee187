"""Where uvicorn's HTTP falls short: it waits for heads for ever, and its refusals lack the headers of ``safety``."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from web.safety import BODY_SECONDS, safe_headers

HEAD_SECONDS = BODY_SECONDS
MAX_CONNECTIONS = 256
"""Well below the 1,024 files that a process may often have open: beyond, asyncio floods stderr with tracebacks."""
INVALID = b"The request is not valid HTTP/1.1, or its head is too long.\n"


class Protocol(H11Protocol):
    """One connection, closed when no whole head comes within ``HEAD_SECONDS`` of its start or of the last response.

    One that idles between requests is closed sooner, by uvicorn. Above ``MAX_CONNECTIONS``, each new one takes the
    place of the one that has waited longest.
    """

    _since = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first head."""
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > MAX_CONNECTIONS:
            waiting = [other for other in self.connections if isinstance(other, Protocol) and other._waits()]
            min(waiting, key=lambda other: other._since).timeout_keep_alive_handler()

    def on_response_complete(self) -> None:
        """Await the next head, of which some may have come already."""
        self._await_head()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Await nothing more."""
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._since = self.loop.time()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _waits(self) -> bool:
        # To h11 the server is idle until a head is complete, however much of it has come.
        return self.conn.our_state is h11.IDLE

    def _hang_up(self) -> None:
        if self._waits():
            self.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Refuse what h11 cannot parse, in place of the application and so of ``Safety``."""
        # When the head was good and the body is not, this is the response to that head: HEAD's has no body.
        head_only = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"
        headers = safe_headers(
            [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(INVALID)).encode()),
                (b"connection", b"close"),
            ]
        )
        self.transport.write(self.conn.send(h11.Response(status_code=400, headers=headers, reason=b"Bad Request")))
        self.transport.write(self.conn.send(h11.Data(data=b"" if head_only else INVALID)))
        self.transport.write(self.conn.send(h11.EndOfMessage()))
        self.transport.close()
