"""What the tests of the search page share: a pipeline that answers or refuses at will, a site, a browser."""

import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from index.passage import Hit
from index.search import Index
from rag.calibrate import Calibration
from rag.pipeline import Pipeline
from rag.reader import Reader, ScoredSpan
from rag.sentences import SentenceReader
from web.app import create_app
from web.engine import Engine
from web.safety import loopback_hosts

HERE = Path(__file__).resolve().parent.parent
QUESTION = "How much did the repair of the mill cost?"
ANSWERS, REFUSES = Calibration({}, 0.0, 0.0), Calibration({}, 0.0, 1.0)
CHROMIUM = shutil.which("chromium")


class Firsts:
    """A reader that finds the first sentence of every passage, whatever is asked."""

    name = identity = "firsts"

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        found = [(hit, hit.passage.sentences[0]) for hit in hits]
        return [ScoredSpan(hit, *sentence, sentence, -at) for at, (hit, sentence) in enumerate(found)]


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Pipeline:
    """The shared corpus, read sentence by sentence; whatever is found is an answer."""
    return Pipeline(Index.open(root), SentenceReader(), ANSWERS)


def served(root: Path, pipeline: Pipeline, **more: Callable[[str], None]) -> TestClient:
    """A client of the application in this process."""
    app = create_app(Engine(root, lambda: pipeline, seconds=60), loopback_hosts(8787), **more)
    return TestClient(app, "http://127.0.0.1:8787")


@pytest.fixture(scope="module")
def client(root: Path, pipeline: Pipeline) -> TestClient:
    return served(root, pipeline)


@contextmanager
def listening(engine: Engine) -> Iterator[str]:
    """The application on a loopback port, in a thread; its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as opened:
        port = opened.getsockname()[1]
        app = create_app(engine, loopback_hosts(port))
        server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, args=([opened],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def site(root: Path, calibration: Calibration, reader: Reader | None = None) -> Iterator[str]:
    """The index at ``root`` on a loopback port; answers with each passage's first sentence unless told otherwise."""
    pipeline = Pipeline(Index.open(root), reader or Firsts(), calibration)
    with listening(Engine(root, lambda: pipeline, seconds=60)) as address:
        yield address


def fetch(address: str) -> tuple[int, bytes, float]:
    """Status, body and seconds."""
    started = time.monotonic()
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            return response.status, response.read(), time.monotonic() - started
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), time.monotonic() - started


class Browser:
    """Chromium, from which nothing but loopback is reached; what it tried, said and ran is kept.

    ``strays`` are addresses on other machines, ``dialogs`` what alert() and the like said, ``errors`` exceptions and
    breaches of the content security policy that its pages reported.
    """

    def __init__(self, launched: Any) -> None:
        self._launched = launched
        self.strays: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []

    @contextmanager
    def page(self, **settings: Any) -> Iterator[Any]:
        """A page in a profile of its own; fails when it called another machine, showed a dialog or threw."""
        self.strays, self.dialogs, self.errors = [], [], []
        context = self._launched.new_context(**settings)
        context.set_default_timeout(60_000)
        context.route("**/*", self._routed)
        page = context.new_page()
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if _breach(said) else None)
        try:
            yield page
            assert (self.strays, self.dialogs, self.errors) == ([], [], [])
        finally:
            context.close()

    def _routed(self, route: Any) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            self.strays.append(route.request.url)
            route.abort()

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


def _breach(said: Any) -> bool:
    return said.type == "error" and "Content Security Policy" in said.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped, visibly, where it or Playwright is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install --no-install-recommends chromium")
    with sync_api.sync_playwright() as playwright:
        # A foreign name is not even looked up: "~NOTFOUND" for every host but this machine.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield Browser(launched)
        launched.close()
