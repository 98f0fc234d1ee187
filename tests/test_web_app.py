"""The search page's routes: what stands on each page, and what is said where there is nothing."""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from index.build import build, build_documents
from index.passage import Document
from index.search import Index
from rag.answer import Part
from rag.pipeline import MAX_QUESTION, Pipeline, Trace
from rag.sentences import SentenceReader
from tests.web_site import ANSWERS, HERE, QUESTION, REFUSES, Firsts, served
from tests.web_site import client as client
from tests.web_site import pipeline as pipeline
from web import view
from web.app import create_app
from web.engine import Engine, T, TooSlow
from web.safety import loopback_hosts
from web.view import doc_url

STATIC = HERE / "web/static"
CHANGED = "This article has changed since it was cited; the cited words are not marked."


@pytest.fixture(scope="module")
def refusing(root: Path, pipeline: Pipeline) -> TestClient:
    return served(root, Pipeline(pipeline.index, pipeline.reader, REFUSES))


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
    place = f"start={citation.start}&amp;end={citation.end}&amp;sha256={citation.sha256[:16]}#cited"
    assert f"/doc/{quote(citation.document, safe='')}?{place}" in page
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


class Lists(Pipeline):
    """A pipeline whose answers are lists: what were the runners-up are items of them, but for the last."""

    def trace(self, question: str, k: int = 3, exclude: frozenset[int] = frozenset()) -> Trace:
        found = super().trace(question, k, exclude)
        first, *others = [Part(found.answer.citations[0].quote, found.answer.citations)] + [
            Part(candidate.answer, candidate.citations) for candidate in found.answer.alternatives[:-1]
        ]
        last = found.answer.alternatives[-1:]
        return replace(found, answer=replace(found.answer, parts=(first, *others), alternatives=last))


def test_the_items_of_a_list_each_with_its_link(root: Path, pipeline: Pipeline) -> None:
    listing = Lists(pipeline.index, pipeline.reader, ANSWERS)
    page = unescape(served(root, listing).get("/", params={"q": QUESTION}).text)
    answer = listing.ask(QUESTION)
    assert len(answer.parts) == 3
    items, others = page.split("Also on this list")[1].split("Other answers")
    for part in answer.parts[1:]:
        for citation in part.citations:
            url = view.cited_url(citation.document, citation.start, citation.end, citation.sha256)
            assert f'href="{url}"' in items
        assert f"<mark>{part.answer}</mark>" in items
        assert f"<strong>{part.answer}</strong>" not in others  # nothing is shown as both
    assert f"<strong>{answer.answer}</strong>" not in items
    assert f"<strong>{answer.alternatives[-1].answer}</strong>" in others
    assert "Also on this list" not in served(root, pipeline).get("/", params={"q": QUESTION}).text


def test_an_empty_index(tmp_path: Path) -> None:
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


def test_a_question_is_shown_as_it_can_be_asked_again(client: TestClient) -> None:
    marked = "\ufeffHow much did\nthe \u202erepair\u202c of the\x1b mill\x9b cost?"
    page = client.get("/", params={"q": marked})
    assert page.status_code == 200
    assert page.text.count(f'value="{QUESTION}"') == page.text.count(f'data-question="{QUESTION}"') == 1
    assert 'href="/api/v1/ask?q=How+much+did+the+repair+of+the+mill+cost%3F"' in page.text
    refused = client.get("/", params={"q": "mill\0\u202e?"})
    assert refused.status_code == 400
    assert 'value="mill?"' in refused.text


def test_what_is_copied_is_the_stored_text(tmp_path: Path) -> None:
    text = 'Wheel \u202e"1"\u202c stands\x9b31m & turns\x7f <b>’\u2066round\u2069.'
    build_documents([Document("a.txt", f"{text}\n")], tmp_path)
    page = served(tmp_path, Pipeline(Index.open(tmp_path), Firsts(), ANSWERS)).get("/?q=Wheel").text
    copied = re.search(r'data-copy="([^"]*)"', page)
    assert copied
    assert copied[1].isascii()
    assert copied[1].isprintable()
    assert json.loads(unescape(copied[1])) == f"“{text}” — a.txt, line 1"  # as page.js reads it


def test_an_error_page_keeps_the_question(root: Path, pipeline: Pipeline) -> None:
    class Slow(Engine):
        def run(self, work: Callable[[], T]) -> T:
            raise TooSlow

    slow = TestClient(create_app(Slow(root, lambda: pipeline), loopback_hosts(8787)), "http://127.0.0.1:8787")
    page = slow.get("/", params={"q": "The \u202emill?"})
    assert page.status_code == 503
    assert 'value="The mill?"' in page.text
    assert 'value=""' in slow.get("/doc/none").text


def test_a_document_with_its_words_marked(client: TestClient, pipeline: Pipeline) -> None:
    for doc_id in pipeline.index.doc_ids:
        document = pipeline.index.document(doc_id)
        start = document.text.index("r")
        page = client.get(view.cited_url(doc_id, start, start + 9, document.sha256).split("#")[0])
        assert page.status_code == 200
        assert page.text == client.get(f"{view.doc_url(doc_id)}?start={start}&end={start + 9}").text
        assert CHANGED not in page.text
        assert page.text.count('<mark id="cited">') == 1
        assert "noindex" not in page.text
    assert '<span class="masked"># </span>' in client.get("/doc/bridge.md").text
    assert '<mark id="cited">' not in client.get("/doc/bridge.md").text


def test_a_document_that_has_changed_since_it_was_cited(client: TestClient) -> None:
    other = Document("mill.txt", "It was another text.").sha256
    for start, end in ((3, 9), (99998, 99999)):  # the text that was cited may have been longer
        page = client.get(view.cited_url("mill.txt", start, end, other).split("#")[0])
        assert page.status_code == 200
        assert CHANGED in page.text
        assert "1862" in page.text
        assert "<mark" not in page.text
        assert "To the cited words" not in page.text
    for sha256 in ("", other[:15], other, "x" * 16, "A" * 16, f"{other[:15]}%0a"):
        assert client.get(f"/doc/mill.txt?start=3&end=9&sha256={sha256}").status_code == 422


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


def test_opensearch_and_health(client: TestClient) -> None:
    page = client.get("/opensearch.xml", headers={"host": "localhost:8787"})
    assert page.headers["content-type"].startswith("application/opensearchdescription+xml")
    assert 'template="http://localhost:8787/?q={searchTerms}"' in page.text
    assert client.get("/healthz").json() == {"status": "ok", "generation": "gen-000001"}


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


def test_home_has_examples_and_the_age(client: TestClient) -> None:
    page = client.get("/").text
    assert re.search(r'<a href="/[?]q=When\S*water\S*built\S*">When was the water mill on the river built[?]</a>', page)
    assert re.search(r'indexed <time datetime="\d{4}-[^"]*">(just now|\d+ \w+ ago)</time>', page)


@pytest.mark.parametrize(
    ("question", "says"), [("?!", "has no words"), ("x" * 2001, "2,001 characters"), ("a\0", "NUL")]
)
def test_why_it_cannot_be_asked(client: TestClient, question: str, says: str) -> None:
    page = client.get("/", params={"q": question}).text
    assert says in page
    assert f'value="{question.strip(chr(0))[:MAX_QUESTION]}"' in page
    assert f'value="{question.strip(chr(0))[:MAX_QUESTION]}"' in client.get("/none", params={"q": question}).text
    problem = client.post("/api/v1/ask", json={"question": question}).json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == 422 or says in problem["detail"]


def test_every_value_that_is_wrong_is_named(client: TestClient) -> None:
    detail = client.get("/api/v1/documents?offset=-1&limit=0").json()["detail"]
    assert re.fullmatch(r"offset: Input [^;]*; limit: Input [^;]*", detail)


def test_a_place_begins_before_its_end_which_may_be_the_article_s(client: TestClient, pipeline: Pipeline) -> None:
    length = len(pipeline.index.document("mill.txt").text)
    assert client.get(f"/doc/mill.txt?start=0&end={length}").status_code == 200
    assert client.get(f"/doc/mill.txt?start=0&end={length + 1}").status_code == 404
    assert client.get("/doc/mill.txt?start=5&end=5").status_code == 404


def test_an_article_whose_name_holds_a_newline(tmp_path: Path) -> None:
    build_documents([Document("a\nb/../c.txt", "The mill turns.\n")], tmp_path)
    client = served(tmp_path, Pipeline(Index.open(tmp_path), SentenceReader(), ANSWERS))
    for path in (doc_url("a\nb/../c.txt"), "/api/v1/documents/a%0Ab%2F..%2Fc.txt"):
        assert "The mill turns." in client.get(path).text


def test_health_opens_nothing(tmp_path: Path, write: Callable[[Path, Mapping[str, str]], Path]) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": "The mill turns.\n"}), tmp_path / "index"
    build([folder], root)
    engine = Engine(root, lambda: Pipeline(Index.open(root), SentenceReader(), ANSWERS))
    client = TestClient(create_app(engine, loopback_hosts(8787)), "http://127.0.0.1:8787")
    build([folder], root)
    for generation in ("gen-000001", "gen-000002"):
        assert client.get("/healthz").json()["generation"] == generation
        client.get("/")


def test_there_is_one_description(client: TestClient) -> None:
    assert client.get("/redoc").status_code == 404


class Late(Engine):
    def run(self, work: Callable[[], T]) -> T:
        raise TooSlow


def test_who_was_too_slow_is_told_when_to_come_back(root: Path, pipeline: Pipeline) -> None:
    slow = TestClient(create_app(Late(root, lambda: pipeline), loopback_hosts(8787)), "http://127.0.0.1:8787")
    assert [int(slow.get(path).headers["retry-after"]) for path in ("/?q=mill", "/api/v1/ask?q=mill")] == [2, 2]
