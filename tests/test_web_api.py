"""The JSON API: the contract's objects, problems for errors, nothing that a generated request could break."""

import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from starlette.testclient import TestClient

from index.build import build_documents
from index.passage import Document
from index.search import Index
from rag.pipeline import Pipeline
from rag.render import answer_json, document_json, hits_json
from rag.sentences import SentenceReader
from tests.web_site import ANSWERS, QUESTION, served, site
from tests.web_site import client as client
from tests.web_site import pipeline as pipeline


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
    assert (status["stale"], status["trouble"], status["reader"]) == (False, None, "sentences@2")


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


def test_a_body_of_another_type_is_told_what_to_be(client: TestClient) -> None:
    typed = {"content-type": "application/json"}
    for sent, status in (
        ({"data": {"question": "mill"}}, 422),
        ({"content": b"{", "headers": typed}, 422),
        ({"content": '{"question": "Mühle"}'.encode("latin-1"), "headers": typed}, 400),
    ):
        answer = client.post("/api/v1/ask", **sent)
        assert answer.status_code == status
        assert answer.json()["detail"].endswith("with the header Content-Type: application/json")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/v1/ask", "GET, HEAD, POST"), ("/api/v1/status", "GET, HEAD"), ("/?q=mill", "GET, HEAD")],
)
def test_another_method_is_told_which_there_are(client: TestClient, path: str, allowed: str) -> None:
    answer = client.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


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


@pytest.mark.parametrize("cases", [200, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_generated_requests_find_no_fault(root: Path, cases: int) -> None:
    """Right and wrong requests drawn from the OpenAPI description, over HTTP."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install '.[test]'")
    from schemathesis import checks

    seen: Counter[int] = Counter()

    def one(case: Any) -> None:
        response = case.call()
        seen[response.status_code] += 1
        if response.status_code != 503:
            kinds = [checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance]
            case.validate_response(response, checks=[*kinds, checks.response_schema_conformance])

    with site(root, ANSWERS) as address:
        described = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
        operations = [result.ok() for result in described.get_all_operations()]
        assert len(operations) == 7
        drawn = [(operation, mode) for operation in operations for mode in schemathesis.GenerationMode]
        rules = settings(
            max_examples=-(-cases // len(drawn)), deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        for number in range(9):  # some operations have few different requests, one has no wrong ones
            for operation, mode in drawn:
                if seen.total() < cases:
                    with suppress(Unsatisfiable):
                        seed(number)(rules(given(case=operation.as_strategy(generation_mode=mode))(one)))()
    print(f"{seen.total()} generated requests: {dict(sorted(seen.items()))}")
    assert seen.total() >= cases
    assert seen[200] > cases / 10
    assert sum(count for status, count in seen.items() if 400 <= status < 500) > cases / 10


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("ask", {"q": "mill", "k": 0}), ("ask", {"q": "mill", "k": 101}), ("search", {"q": "mill", "k": 0}),
        ("search", {"q": "mill", "k": 101}), ("documents", {"limit": 0}), ("documents", {"limit": 101}),
        ("documents", {"offset": -1}), ("documents", {"offset": 10**9 + 1}),
    ],
)  # fmt: skip
def test_numbers_out_of_bounds(client: TestClient, path: str, values: dict[str, Any]) -> None:
    assert client.get(f"/api/v1/{path}", params=values).status_code == 422
    if "q" in values:
        body = {"question": values["q"], "k": values["k"]}
        assert client.post(f"/api/v1/{path}", json=body).status_code == 422


def test_how_many_there_are_unless_told_otherwise(tmp_path: Path) -> None:
    build_documents([Document(f"{n:03}", f"Mill number {n} turns here.\n") for n in range(101)], tmp_path)
    client = served(tmp_path, Pipeline(Index.open(tmp_path), SentenceReader(), ANSWERS))
    assert len(client.get("/api/v1/documents").json()["documents"]) == 100
    for found in (client.get("/api/v1/search?q=mill"), client.post("/api/v1/search", json={"question": " mill "})):
        assert (found.json()["query"], len(found.json()["hits"])) == ("mill", 10)


def test_trouble_with_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    root = tmp_path / "\udcff"
    build_documents([Document("a", "The mill turns.\n")], root)
    client = served(root, Pipeline(Index.open(root), SentenceReader(), ANSWERS))
    root.rename(tmp_path / "away")
    assert client.get("/api/v1/status").json()["trouble"].startswith(f"The index at {root} is gone")
    assert "\\xff is gone" in client.get("/").text


@pytest.mark.parametrize("question", ["", "x" * 2001])
def test_the_length_of_a_question(client: TestClient, question: str) -> None:
    assert client.get("/api/v1/ask", params={"q": question}).status_code == 422
    assert client.post("/api/v1/ask", json={"question": question}).status_code == 422
