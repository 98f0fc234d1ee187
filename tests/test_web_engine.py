"""Many at once: places, time limits, a new generation while questions run."""

import inspect
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from index.build import build
from index.errors import ModelError
from index.passage import Hit
from index.search import Index
from rag.pipeline import Pipeline
from rag.reader import ScoredSpan
from rag.sentences import SentenceReader
from tests.web_site import ANSWERS, fetch, listening, served
from tests.web_site import pipeline as pipeline
from web.app import create_app
from web.engine import REOPEN_AFTER, Busy, Engine, TooSlow
from web.safety import loopback_hosts

Write = Callable[[Path, Mapping[str, str | bytes]], Path]


def built(tmp_path: Path, write: Write) -> tuple[Path, Path]:
    """A folder of one article, and where its index stands."""
    folder, root = write(tmp_path / "in", {"a.txt": "The mill was built in 1862.\n"}), tmp_path / "index"
    build([folder], root)
    return folder, root


def engine_at(root: Path) -> Engine:
    return Engine(root, lambda: Pipeline(Index.open(root), SentenceReader(), ANSWERS))


class Waits:
    """A reader that waits for a sign."""

    name = identity = "waits"

    def __init__(self) -> None:
        self.sign = threading.Event()
        self.reading = threading.Semaphore(0)

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        self.reading.release()
        self.sign.wait(20)
        return SentenceReader().read(question, hits)


def test_four_places_and_health_besides(root: Path, pipeline: Pipeline) -> None:
    reader = Waits()
    client = served(root, Pipeline(pipeline.index, reader, ANSWERS))
    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(client.get, "/api/v1/ask?q=mill") for _ in range(4)]
        assert all(reader.reading.acquire(timeout=20) for _ in range(4))
        for path, kind in (
            ("/?q=mill", "text/html; charset=utf-8"),
            ("/api/v1/search?q=mill", "application/problem+json"),
        ):
            turned = client.get(path)
            assert (turned.status_code, turned.headers["content-type"]) == (503, kind)
            assert int(turned.headers["retry-after"]) > 0
            assert "too many" in turned.text.lower()
        assert client.get("/healthz").status_code == 200
        # On the event loop itself: it needs no thread either, and all of those may be waiting.
        (health,) = (route for route in client.app.app.routes if getattr(route, "path", "") == "/healthz")
        assert inspect.iscoroutinefunction(health.endpoint)
        assert client.get("/doc/mill.txt").status_code == 200
        reader.sign.set()
        assert [response.result().status_code for response in first] == [200] * 4
    assert client.get("/api/v1/search?q=mill").status_code == 200


def test_a_question_that_takes_too_long_keeps_its_place_until_it_ends(root: Path, pipeline: Pipeline) -> None:
    reader = Waits()
    engine = Engine(root, lambda: Pipeline(pipeline.index, reader, ANSWERS), seconds=0.05)
    client = TestClient(create_app(engine, loopback_hosts(8787)), "http://127.0.0.1:8787")
    for _ in range(4):
        slow = client.get("/api/v1/ask?q=mill")
        assert slow.status_code == 503
        assert "too long" in slow.json()["detail"]
    with pytest.raises(Busy):
        engine.run(lambda: None)
    reader.sign.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            engine.run(lambda: None)
            break
        except (Busy, TooSlow):
            time.sleep(0.02)
    else:
        pytest.fail("the places were not given back")


def test_a_new_generation_is_noticed_and_a_damaged_one_is_not_taken(
    tmp_path: Path, write: Write, resign: Callable[[Path, Callable[[dict[str, object]], object]], None]
) -> None:
    folder, root = built(tmp_path, write)
    opened: list[str] = []

    def opener() -> Pipeline:
        index = Index.open(root)
        opened.append(index.generation.name)
        return Pipeline(index, SentenceReader(), ANSWERS)

    engine = Engine(root, opener)
    client = TestClient(create_app(engine, loopback_hosts(8787)), "http://127.0.0.1:8787")
    assert "1862" in client.get("/?q=mill").text
    write(folder, {"a.txt": "The mill was built in 1901.\n"})
    build([folder], root)
    page = client.get("/?q=mill").text
    assert "1901" in page
    assert "1862" not in page
    client.get("/?q=mill")
    assert opened == ["gen-000001", "gen-000002"]
    build([folder], root)
    resign(root, lambda manifest: manifest.update(format=99))
    assert "1901" in client.get("/?q=mill").text  # the generation before still answers
    for path in ("/", "/?q=mill", "/doc/a.txt"):
        assert client.get(path).text.count("could not be opened") == 1, path
    assert client.get("/api/v1/status").json()["trouble"]
    root.rename(tmp_path / "away")
    assert "is gone" in client.get("/?q=mill").text
    (tmp_path / "away").rename(root)
    assert client.get("/?q=mill").text.count("could not be opened") == 1
    build([folder], root)
    assert "could not be opened" not in client.get("/").text
    good = (root / "CURRENT").read_bytes()
    (root / "CURRENT").write_text("nonsense")
    assert "1901" in client.get("/?q=mill").text
    assert client.get("/api/v1/status").json()["trouble"]
    (root / "CURRENT").write_bytes(good)  # the generation that is open is the current one again
    assert client.get("/api/v1/status").json()["trouble"] is None
    build([folder], root)
    assert "could not be opened" not in client.get("/").text
    assert opened[-1] == client.get("/healthz").json()["generation"]


def test_an_index_of_another_recipe_and_a_rotten_one_are_not_taken(
    tmp_path: Path, write: Write, resign: Callable[[Path, Callable[[dict[str, object]], object]], None]
) -> None:
    folder, root = built(tmp_path, write)
    engine = engine_at(root)
    build([folder], root)
    resign(root, lambda manifest: manifest.update(recipe="0"))
    assert engine.current().pipeline.index.generation.name == "gen-000001"
    assert "built by another version of Citespan" in (engine.trouble or "")
    build([folder], root)
    assert engine.current().pipeline.index.generation.name == "gen-000003"
    assert engine.trouble is None
    build([folder], root)
    keys = root / "gen-000004" / "keys.npy"
    keys.write_bytes(b"\x93NUMPY\1\0\x84\3" + b"(" * 900 + keys.read_bytes()[128:])
    resign(root, lambda manifest: None)
    assert engine.current().pipeline.index.generation.name == "gen-000003"
    assert "keys.npy" in (engine.trouble or "")
    (root / "CURRENT").unlink()
    os.mkfifo(root / "CURRENT")
    assert engine.current().pipeline.index.generation.name == "gen-000003"
    assert "CURRENT is no file" in (engine.trouble or "")


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_generation_that_was_there_but_half_is_tried_again(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, root = built(tmp_path, write)
    engine = engine_at(root)
    write(folder, {"a.txt": "The mill was built in 1901.\n"})
    build([folder], root)
    (root / "gen-000002").rename(tmp_path / "late")
    clock = Clock()
    monkeypatch.setattr("web.engine.time", clock)
    assert engine.current().pipeline.index.generation.name == "gen-000001"
    (tmp_path / "late").rename(root / "gen-000002")
    assert engine.current().pipeline.index.generation.name == "gen-000001"  # not at every request
    clock.now += REOPEN_AFTER
    assert engine.current().pipeline.index.generation.name == "gen-000002"
    assert engine.trouble is None


def test_an_index_that_is_removed_and_built_anew_is_opened(tmp_path: Path, write: Write) -> None:
    folder, root = built(tmp_path, write)
    engine = engine_at(root)
    client = TestClient(create_app(engine, loopback_hosts(8787)), "http://127.0.0.1:8787")
    root.rename(tmp_path / "away")
    for path in ("/", "/?q=mill", "/doc/a.txt"):
        page = client.get(path)
        assert page.status_code == 200
        assert f"The index at {root} is gone; what was open is still asked." in page.text, path
    assert "is gone" in client.get("/api/v1/status").json()["trouble"]
    (tmp_path / "away").rename(root)
    assert "is gone" not in client.get("/?q=mill").text
    assert client.get("/api/v1/status").json()["trouble"] is None
    shutil.rmtree(root)
    assert engine.current().pipeline.index.document("a.txt").text == "The mill was built in 1862.\n"
    write(folder, {"a.txt": "The mill was built in 1901.\n"})
    build([folder], root)  # gen-000001 once more
    assert engine.current().pipeline.index.document("a.txt").text == "The mill was built in 1901.\n"
    assert engine.trouble is None


def test_fifty_at_once_while_a_new_generation_is_published(tmp_path: Path, write: Write) -> None:
    folder, root = built(tmp_path, write)
    engine = engine_at(root)
    health: list[tuple[int, float]] = []
    over = threading.Event()
    with listening(engine) as base, ThreadPoolExecutor(51) as pool:

        def watch() -> None:
            while not over.is_set():
                status, _, seconds = fetch(f"{base}/healthz")
                health.append((status, seconds))
                time.sleep(0.02)

        watching = pool.submit(watch)
        asked = [pool.submit(fetch, f"{base}/api/v1/ask?q=When+was+the+mill+built") for _ in range(50)]
        write(folder, {"a.txt": "The mill was built in 1901.\n"})
        build([folder], root)
        asked += [pool.submit(fetch, f"{base}/?q=mill") for _ in range(50)]
        results = [future.result() for future in asked]
        over.set()
        watching.result()
        last = fetch(f"{base}/api/v1/ask?q=mill")
    slowest = max(seconds for _, seconds in health)
    print(f"{Counter(status for status, _, _ in results)}, health {len(health)} times, slowest {1000 * slowest:.0f} ms")
    assert {status for status, _, _ in results} <= {200, 503}
    assert sum(status == 200 for status, _, _ in results) >= 4
    for status, body, _ in results:
        if status == 200:  # one generation a request: never a mixture, never nothing
            assert (b"1862" in body) != (b"1901" in body)
    assert b"1901" in last[1]
    assert {status for status, _ in health} == {200}


def test_who_asks_while_a_new_generation_is_opened_does_not_wait_for_it(tmp_path: Path, write: Write) -> None:
    folder, root = built(tmp_path, write)
    opening, sign = threading.Event(), threading.Event()
    sign.set()

    def opener() -> Pipeline:
        opening.set()
        assert sign.wait(20)
        return Pipeline(Index.open(root), SentenceReader(), ANSWERS)

    engine = Engine(root, opener)
    build([folder], root)
    opening.clear()
    sign.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.current)
        assert opening.wait(20)
        second = pool.submit(engine.current)
        try:
            assert second.result(5).pipeline.index.generation.name == "gen-000001"
        finally:
            sign.set()
        assert first.result().pipeline.index.generation.name == "gen-000002"


def test_the_trouble_is_the_one_of_now(
    tmp_path: Path, write: Write, resign: Callable[[Path, Callable[[dict[str, object]], object]], None]
) -> None:
    folder, root = built(tmp_path, write)
    engine = engine_at(root)
    build([folder], root)
    resign(root, lambda manifest: manifest.update(recipe="0"))
    engine.current()
    assert "another version" in (engine.trouble or "")
    good = (root / "CURRENT").read_bytes()
    (root / "CURRENT").write_text("nonsense")
    engine.current()
    assert "another version" not in (engine.trouble or "")
    (root / "CURRENT").write_bytes(good)
    engine.current()
    assert "another version" in (engine.trouble or "")


def test_trouble_has_no_full_stop_as_the_page_sets_one(tmp_path: Path, write: Write) -> None:
    folder, root = built(tmp_path, write)
    found = iter([Pipeline(Index.open(root), SentenceReader(), ANSWERS)])

    def opener() -> Pipeline:
        for one in found:
            return one
        raise ModelError("The model is gone.")

    engine = Engine(root, opener)
    build([folder], root)
    engine.current()
    assert (engine.trouble or "").endswith(": The model is gone")
