"""``rag serve``: sockets on the loopback, the server, a graceful stop."""

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import InputError
from rag.pipeline import Pipeline
from rag.render import safe_line
from web.app import create_app
from web.engine import Engine
from web.safety import Safety, loopback_hosts

if TYPE_CHECKING:
    import uvicorn

_ADDRESSES = {"127.0.0.1": ("127.0.0.1",), "::1": ("::1",), "localhost": ("127.0.0.1", "::1")}
BACKLOG = 128
"""Also how many connections asyncio accepts before it looks at any: few beside the files that may be open."""


def serve(
    root: Callable[[], Path], host: str, port: int, ready: Callable[[str], None], *, log_queries: bool = False
) -> None:
    """Serve the index that ``root`` names until SIGINT or SIGTERM; ``ready`` is called with the page's address.

    ``port`` 0 takes a free one. Raises InputError (another host, a port in use), then those of ``root`` and RagError.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(opened) for opened in listening(host, port)]
        port = sockets[0].getsockname()[1]
        place = root()
        engine = Engine(place, lambda: Pipeline.open(place))
        app = create_app(engine, loopback_hosts(port), _logged if log_queries else None)
        server = server_of(app)

        def stop(*_: object) -> None:
            server.should_exit = True

        # Until the server runs, a signal is to stop it at once; one that stopped it is passed on to whoever was asked
        # before, and is not to kill the process.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        ready(f"http://{'[::1]' if host == '::1' else host}:{port}/")
        server.run(sockets)


def server_of(app: Safety) -> "uvicorn.Server":
    """The server for ``app``, not yet running."""
    import uvicorn

    from web.protocol import Protocol

    return uvicorn.Server(
        uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="off", log_level="error", access_log=False, proxy_headers=False,
            server_header=False, backlog=BACKLOG, timeout_graceful_shutdown=15, h11_max_incomplete_event_size=64 * 1024,
        )
    )  # fmt: skip


def open_browser(address: str) -> None:
    """Show the page in the user's browser, without waiting for it."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen already, so that a second server is refused and an early browser waits."""
    if host not in _ADDRESSES:
        raise InputError(
            f"--host {host[:80]} is refused: there is no protection by password yet, so the page is served to this "
            "machine only, on 127.0.0.1, ::1 or localhost"
        )
    sockets: list[socket.socket] = []
    for address in _ADDRESSES[host]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            opened = socket.create_server((address, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # localhost on a machine without IPv6
            for other in sockets:
                other.close()
            raise InputError(
                f"port {port} on {address} cannot be used ({os.strerror(error.errno or 0)}): "
                "give another --port, or stop what uses it"
            ) from None
        sockets.append(opened)
        port = opened.getsockname()[1]
    return sockets


def _logged(question: str) -> None:
    with suppress(OSError):  # a log that nobody reads any more is no reason to answer nothing
        print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {safe_line(question)}", file=sys.stderr, flush=True)
