"""The search page: its routes, its answers, many at once, and the command that serves it."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import uvicorn
from starlette.testclient import TestClient

from index.build import build
from index.passage import Document, Hit
from index.search import Index
from rag.calibrate import Calibration
from rag.pipeline import Pipeline
from rag.reader import ScoredSpan
from rag.render import answer_json, document_json, hits_json
from rag.sentences import SentenceReader
from web import view
from web.app import create_app
from web.engine import Busy, Engine, TooSlow
from web.examples import example_questions
from web.safety import Safety, loopback_hosts

HERE = Path(__file__).resolve().parent.parent
STATIC = HERE / "web/static"
QUESTION = "How much did the repair of the mill cost?"
Write = Callable[[Path, Mapping[str, str | bytes]], Path]
ANSWERS, REFUSES = Calibration({}, 0.0, 0.0), Calibration({}, 0.0, 1.0)


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Pipeline:
    return Pipeline(Index.open(root), SentenceReader(), ANSWERS)


def served(root: Path, pipeline: Pipeline, **more: Callable[[str], None]) -> TestClient:
    app = create_app(Engine(root, lambda: pipeline, seconds=60), loopback_hosts(8787), **more)
    return TestClient(app, "http://127.0.0.1:8787")


@pytest.fixture(scope="module")
def client(root: Path, pipeline: Pipeline) -> TestClient:
    return served(root, pipeline)


@pytest.fixture(scope="module")
def refusing(root: Path, pipeline: Pipeline) -> TestClient:
    return served(root, Pipeline(pipeline.index, pipeline.reader, REFUSES))


# Pages


def test_home(client: TestClient) -> None:
    page = client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "6 articles in" in page.text
    assert "dated 2020 to 2021-05-03" in page.text
    assert '<form class="box big" action="/" method="get"' in page.text
    assert client.get("/?q=%20").text == page.text


def test_an_answer(client: TestClient, pipeline: Pipeline) -> None:
    answer = pipeline.ask(QUESTION)
    page = client.get("/", params={"q": QUESTION}).text
    citation = answer.citations[0]
    assert f"<mark>{citation.quote}</mark>" in page.replace("&#39;", "'")
    assert f"/doc/{quote(citation.document, safe='')}?start={citation.start}&amp;end={citation.end}#cited" in page
    assert "stands in" in page
    assert "Other answers" in page
    assert page.count("<summary>Why this result</summary>") == len(pipeline.search(QUESTION, 10))
    for word in ("repair", "mill", "cost"):
        assert re.search(rf"<b>{word}</b> \d", page, re.IGNORECASE), word
    assert "/api/v1/ask?q=How+much" in page


def test_a_refusal_is_a_result_with_its_reason(refusing: TestClient) -> None:
    page = refusing.get("/", params={"q": QUESTION})
    assert page.status_code == 200
    assert "No answer found in 6 articles" in page.text
    assert "none answers surely enough" in page.text
    assert "Closest candidates" in page.text
    far = refusing.get("/", params={"q": "xylophone quasar"}).text
    assert "No passage comes near" in far


def test_an_empty_index(tmp_path: Path) -> None:
    from index.build import build_documents

    build_documents([], tmp_path)
    client = served(tmp_path, Pipeline(Index.open(tmp_path), SentenceReader(), ANSWERS))
    assert "0 articles" in client.get("/").text
    assert "The index holds no passages yet" in client.get("/?q=mill").text


@pytest.mark.parametrize("question", ["?!", "x" * 2001, "mill\0"])
def test_a_question_that_cannot_be_asked(client: TestClient, question: str) -> None:
    page = client.get("/", params={"q": question})
    assert page.status_code == 400
    assert "cannot be asked" in page.text
    assert client.get("/api/v1/ask", params={"q": question}).status_code in (400, 422)


def test_a_document_with_its_words_marked(client: TestClient, pipeline: Pipeline) -> None:
    for doc_id in pipeline.index.doc_ids:
        document = pipeline.index.document(doc_id)
        start = document.text.index("r")
        page = client.get(view.doc_url(doc_id, start, start + 9).split("#")[0])
        assert page.status_code == 200
        assert page.text.count('<mark id="cited">') == 1
        assert "noindex" not in page.text
    assert '<span class="masked"># </span>' in client.get("/doc/bridge.md").text
    assert '<mark id="cited">' not in client.get("/doc/bridge.md").text


@pytest.mark.parametrize("place", ["start=5&end=4", "start=0&end=99999", "start=3", "end=3"])
def test_a_place_that_the_article_does_not_have(client: TestClient, place: str) -> None:
    page = client.get(f"/doc/mill.txt?{place}")
    assert page.status_code == 404
    assert "no such place" in page.text
    assert client.get("/doc/mill.txt?start=x").status_code == 422


def test_nothing_there(client: TestClient) -> None:
    for path in ("/doc/none.txt", "/doc/", "/none", "/doc/../mill.txt", "/static/../app.py", "/static/%2e%2e/app.py"):
        page = client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    problem = client.get("/api/v1/none")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == problem.status_code == 404


def test_long_articles_have_contents_and_very_long_ones_parts() -> None:
    body = "A sentence of some length stands here, and another one. " * 8
    text = "".join(f"Heading {i}\n{body}\n" for i in range(500))
    document = Document("long.txt", text)
    shown = view.document_view(document, (len(text) - 50, len(text) - 40), None)
    assert shown["high"] == len(text)
    assert shown["low"] > 0
    assert shown["earlier"].endswith(f"at={max(0, shown['low'] - view.WINDOW)}")
    assert len(shown["contents"]) > 100
    first = view.document_view(document, None, None)
    assert (first["low"], first["high"], first["earlier"]) == (0, view.WINDOW, None)
    assert view.document_view(Document("a", ""), None, None)["blocks"] == []


def test_runs_add_up_and_the_first_mark_counts() -> None:
    text = "abcdefghij"
    found = view.runs(text, 1, 9, [(3, 5, "cited"), (2, 8, "masked"), (7, 99, "word")])
    assert [(run.text, run.kind) for run in found] == [
        ("b", ""), ("c", "masked"), ("de", "cited"), ("fgh", "masked"), ("i", "word"),
    ]  # fmt: skip


def test_opensearch_and_health(client: TestClient) -> None:
    page = client.get("/opensearch.xml", headers={"host": "localhost:8787"})
    assert page.headers["content-type"].startswith("application/opensearchdescription+xml")
    assert 'template="http://localhost:8787/?q={searchTerms}"' in page.text
    assert client.get("/healthz").json() == {"status": "ok", "generation": "gen-000001"}


def test_example_questions_stand_in_the_corpus(tmp_path: Path, write: Write) -> None:
    text = (
        "The new lock lasts ten years.\nMaria Example, who runs Lock Works, is glad.\n"
        "Lock Works expects more orders.\nIt lasts long.\nWork begins in May.\nThe lock costs $5 million to build.\n"
    )
    build([write(tmp_path / "in", {"a.txt": text})], tmp_path / "index")
    assert example_questions(Index.open(tmp_path / "index"), 9) == [
        "How much does the lock cost?", "How long does the new lock last?", "Who is Maria Example?",
        "What does Lock Works expect?",
    ]  # fmt: skip


def test_age() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    assert view.age("2026-01-02T11:59:50+00:00", now) == "just now"
    assert view.age("2026-01-02T11:58:50+00:00", now) == "1 minute ago"
    assert view.age("2025-12-30T12:00:00+00:00", now) == "3 days ago"


def test_a_results_page_is_light(tmp_path: Path) -> None:
    """With the articles that ship: HTML, CSS and JavaScript together, as sent."""
    build([HERE / "rag/sample"], tmp_path)
    client = served(tmp_path, Pipeline(Index.open(tmp_path), SentenceReader(), ANSWERS))
    page = client.get("/", params={"q": "How much is the deal worth?"}).content
    parts = [page, *(path.read_bytes() for path in STATIC.iterdir() if path.suffix in (".css", ".js"))]
    assert len(parts) == 3
    assert sum(map(len, parts)) <= 60 * 1024
    assert len(gzip.compress(page)) > 1000


def test_nothing_foreign_is_named_in_pages_styles_or_scripts() -> None:
    for path in [*STATIC.iterdir(), *(HERE / "web/templates").iterdir()]:
        text = path.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        text = text.replace('xmlns="http://a9.com/-/spec/opensearch/1.1/"', "")
        assert not re.search(r"https?:|//[a-z]|@import|url\(|\|\s*safe|autoescape|style=|\son\w+=|innerHTML", text), (
            path
        )


# The API


def without_times(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != "timings_ms"}


def test_ask_and_search_give_the_contract_s_objects(client: TestClient, pipeline: Pipeline) -> None:
    wanted = without_times(answer_json(pipeline.ask(QUESTION, 2)))
    assert without_times(client.get("/api/v1/ask", params={"q": QUESTION, "k": 2}).json()) == wanted
    assert without_times(client.post("/api/v1/ask", json={"question": QUESTION, "k": 2}).json()) == wanted
    ranked = hits_json(QUESTION, pipeline.search(QUESTION, 4), pipeline.index)
    assert client.get("/api/v1/search", params={"q": QUESTION, "k": 4}).json() == ranked
    assert client.post("/api/v1/search", json={"question": QUESTION, "k": 4, "unknown": 1}).json() == ranked
    assert len(client.post("/api/v1/ask", json={"question": QUESTION}).json()["alternatives"]) == 3


def test_documents_and_status(client: TestClient, pipeline: Pipeline) -> None:
    listed = client.get("/api/v1/documents", params={"offset": 1, "limit": 2}).json()
    assert listed["total"] == 6
    assert [d["document"] for d in listed["documents"]] == pipeline.index.doc_ids[1:3]
    for doc_id in pipeline.index.doc_ids:
        got = client.get(f"/api/v1/documents/{quote(doc_id, safe='')}").json()
        assert got == json.loads(json.dumps(document_json(pipeline.index.document(doc_id))))
    assert client.get("/api/v1/documents/none").status_code == 404
    status = client.get("/api/v1/status").json()
    assert list(status) == [
        "generation", "created", "documents", "passages", "encoder", "reader", "bytes", "stale", "trouble",
    ]  # fmt: skip
    assert (status["stale"], status["trouble"], status["reader"]) == (False, None, "sentences@1")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422), (b"[]", 422), (b"", 422), (b"{", 422), (b"\xff", 400), (b'{"question": ""}', 422),
        (b'{"question": "?"}', 400), (b'{"question": "a", "k": 0}', 422), (b'{"question": "a", "k": 1e999}', 422),
        (b"[" * 60_000, 400), (b'{"question": "mill \\ud800"}', 422),
        (b'{"question": "a", "k": ' + b"9" * 5000 + b"}", 400),
        (b'{"question": 5}', 422), (b'{"question": "a\\u0000"}', 400), (b'{"question": NaN}', 422),
    ],
)  # fmt: skip
def test_bodies(client: TestClient, body: bytes, status: int) -> None:
    response = client.post("/api/v1/ask", content=body, headers={"content-type": "application/json"})
    assert response.status_code == status, response.text
    if status != 200:
        assert response.headers["content-type"] == "application/problem+json"
        assert set(response.json()) == {"type", "title", "status", "detail"}


def test_json_cannot_steer_a_terminal(client: TestClient) -> None:
    raw = client.get("/api/v1/ask", params={"q": "mill \x1b[31m\u202e\x9b"}).content
    assert not re.search(b"[\x00-\x1f\x7f]|\xe2\x80\xae|\xc2\x9b", raw)
    assert json.loads(raw)["question"] == "mill \x1b[31m\u202e\x9b"


def test_openapi(client: TestClient) -> None:
    described = client.get("/api/v1/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/v1/ask", "/api/v1/search", "/api/v1/documents", "/api/v1/documents/{document}", "/api/v1/status",
    }  # fmt: skip
    answered = described["paths"]["/api/v1/ask"]["get"]["responses"]
    assert answered["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Answer")
    assert list(answered["503"]["content"]) == ["application/problem+json"]
    assert client.get("/docs").status_code == 404


def test_questions_are_heard_only_by_who_asks_to(root: Path, pipeline: Pipeline) -> None:
    heard: list[str] = []
    client = served(root, pipeline, heard=heard.append)
    client.get("/", params={"q": "mill one"})
    client.get("/api/v1/ask", params={"q": " mill two "})
    client.post("/api/v1/search", json={"question": "mill three"})
    assert heard == ["mill one", "mill two", "mill three"]


# Many at once


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
    folder, root = write(tmp_path / "in", {"a.txt": "The mill was built in 1862.\n"}), tmp_path / "index"
    build([folder], root)
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
    assert "could not be opened" in client.get("/").text
    assert client.get("/api/v1/status").json()["trouble"]
    (root / "CURRENT").write_text("nonsense")
    assert "1901" in client.get("/?q=mill").text
    build([folder], root)
    assert "could not be opened" not in client.get("/").text
    assert opened[-1] == client.get("/healthz").json()["generation"]


@contextmanager
def running(app: Safety, listening: socket.socket) -> Iterator[str]:
    """The application on a loopback port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def fetch(address: str) -> tuple[int, bytes, float]:
    started = time.monotonic()
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            return response.status, response.read(), time.monotonic() - started
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), time.monotonic() - started


def test_fifty_at_once_while_a_new_generation_is_published(tmp_path: Path, write: Write) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": "The mill was built in 1862.\n"}), tmp_path / "index"
    build([folder], root)
    engine = Engine(root, lambda: Pipeline(Index.open(root), SentenceReader(), ANSWERS))
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    app = create_app(engine, loopback_hosts(listening.getsockname()[1]))
    health: list[tuple[int, float]] = []
    over = threading.Event()
    with running(app, listening) as base, ThreadPoolExecutor(51) as pool:

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
    assert {status for status, _, _ in results} <= {200, 503}
    assert sum(status == 200 for status, _, _ in results) >= 4
    for status, body, _ in results:
        if status == 200:  # one generation a request: never a mixture, never nothing
            assert (b"1862" in body) != (b"1901" in body)
    assert b"1901" in last[1]
    assert {status for status, _ in health} == {200}
    assert max(seconds for _, seconds in health) < 1


# The command


@contextmanager
def command(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "serve", *map(str, arguments)],
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "host"), [(signal.SIGTERM, "127.0.0.1"), (signal.SIGINT, "localhost")])
def test_serve_and_stop(root: Path, number: int, host: str) -> None:
    with command("--index", root, "--port", 0, "--host", host, "--log-queries", "--json") as process:
        assert process.stdout
        address = json.loads(process.stdout.readline())["url"]
        assert re.fullmatch(rf"http://{re.escape(host)}:\d+/", address)
        assert fetch(f"{address}healthz")[0] == 200
        assert fetch(f"{address}?{urlencode({'q': 'the mill'})}")[0] == 200
        port = address.rstrip("/").rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "rag", "serve", "--index", str(root), "--port", port],
            cwd=HERE, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith(f"rag: port {port} on 127.0.0.1 cannot be used")
        assert second.stderr.count("\n") == 1
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert re.fullmatch(r"[\d-]+ [\d:]+ the mill\n", err)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0 is refused"),
        (("--host", "example.org"), "this machine only"),
        (("--port", "65536"), "is no port"),
        (("--port", "-1"), "port"),
    ],
)
def test_what_is_refused(root: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rag.cli import main

    assert main(["serve", "--index", str(root), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_no_index_to_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rag.cli import main

    assert main(["serve", "--index", str(tmp_path / "none"), "--port", "0"]) == 2
    assert "there is no index" in capsys.readouterr().err
