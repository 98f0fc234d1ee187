"""Texts as runs and blocks, and what a very long document is cut to."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from index.build import build, build_documents
from index.passage import Document
from index.search import Index
from rag.pipeline import Pipeline
from rag.sentences import SentenceReader
from tests.web_site import ANSWERS
from tests.web_site import client as client
from tests.web_site import pipeline as pipeline
from web import view


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


def test_a_title_is_shown_once_unless_its_words_are_cited() -> None:
    document = Document("a.txt", "The mill\nIt turns.\n", "The mill")
    assert [b.text for b in view.document_view(document, None, None)["blocks"]] == ["It turns."]
    assert [b.text for b in view.document_view(document, (9, 11), None)["blocks"]] == ["It turns."]
    assert [b.text for b in view.document_view(document, (4, 8), None)["blocks"]] == ["The mill", "It turns."]
    alone = Document("a.txt", "The mill\n", "The mill")
    assert [b.text for b in view.document_view(alone, None, None)["blocks"]] == ["The mill"]


def test_the_lines_of_a_hard_wrapped_file_are_joined_as_the_index_joins_them(
    tmp_path: Path, write: Callable[[Path, Mapping[str, str | bytes]], Path]
) -> None:
    wanted, wrapped = list[str](), ""
    for part in range(4):
        lines = [f"the mill number {part} stands on the river in the old town, line {n}" for n in range(6)]
        lines[-1] += " ends."
        items = [f"- Wheel {part} turns.", f"- Stone {part} grinds."]
        wrapped += "\n".join([f"## Part {part}", *lines, *items, "", *lines, "", ""])
        wanted += [f"Part {part}", " ".join(lines), *items, " ".join(lines)]
    build([write(tmp_path / "in", {"wrapped.md": wrapped})], tmp_path / "index")
    index = Index.open(tmp_path / "index")
    document = index.document("wrapped.md")
    assert document.hard_wrapped
    page = view.document_view(document, None, None)["blocks"]
    shown = [block.text.replace("\n", " ") for block in page]
    words = [text.removeprefix("- ") for text in shown]  # a bullet may be masked
    assert words == [text.removeprefix("- ") for text in wanted]
    assert [bool(block.anchor) for block in page] == [True, False, False, False, False] * 4
    hits = view.results_view(Pipeline(index, SentenceReader(), ANSWERS).trace("Where does the mill stand?"), index)
    found = [block.text.replace("\n", " ") for hit in hits["hits"] for block in hit["blocks"]]
    assert len(found) > 1
    assert set(found) <= set(shown)


def test_runs_add_up_and_the_first_mark_counts() -> None:
    text = "abcdefghij"
    found = view.runs(text, 1, 9, [(3, 5, "cited"), (2, 8, "masked"), (7, 99, "word")])
    assert [(run.text, run.kind) for run in found] == [
        ("b", ""), ("c", "masked"), ("de", "cited"), ("fgh", "masked"), ("i", "word"),
    ]  # fmt: skip


def test_what_is_copied_names_a_line_where_the_text_is_the_file(pipeline: Pipeline) -> None:
    copied: dict[str, str] = {}
    for question in ("How much did the repair of the mill cost?", "How many cars does the ferry carry?"):
        shown = view.results_view(pipeline.trace(question, 8), pipeline.index)
        for citation in [*shown["citations"], *(other["citation"] for other in shown["others"])]:
            copied.setdefault(citation["document"], citation["copied"].partition("” — ")[2])
    assert re.fullmatch(r"The old mill \(mill\.txt, line [345]\)", copied["mill.txt"])
    assert copied["ferry.html"] == "The ferry (ferry.html)"
    assert copied["wire.jsonl#2"] == "wire.jsonl#2"


def test_age() -> None:
    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    assert view.age("2026-01-02T11:59:50+00:00", now) == "just now"
    assert view.age("2026-01-02T09:59:50+00:00", now) == "2 hours ago"
    assert view.age("2026-01-02T11:58:50+00:00", now) == "1 minute ago"
    assert view.age("2025-12-30T12:00:00+00:00", now) == "3 days ago"


SENTENCE = "A sentence of some length stands here, and another one. "


def results(place: Path, question: str, *documents: Document) -> dict[str, Any]:
    build_documents(list(documents), place)
    index = Index.open(place)
    return view.results_view(Pipeline(index, SentenceReader(), ANSWERS).trace(question), index)


def test_marks_that_reach_past_what_is_shown() -> None:
    found = view.runs("abcdef", 2, 4, [(0, 2, "masked"), (0, 3, "cited"), (3, 9, "word"), (4, 6, "masked")])
    assert [(run.text, run.kind) for run in found] == [("c", "cited"), ("d", "word")]


def test_a_place_over_two_lines_is_marked_in_both_and_blank_lines_are_none() -> None:
    shown = view.document_view(Document("a.txt", "The mill\n\n \t\nIt turns.\n  "), (4, 15), None)
    assert [[(run.text, run.kind) for run in block.runs] for block in shown["blocks"]] == [
        [("The ", ""), ("mill", "cited")], [("It", "cited"), (" turns.", "")],
    ]  # fmt: skip


def headed(count: int, sentences: int) -> dict[str, Any]:
    return view.document_view(
        Document("a.txt", "".join(f"Heading {n}\n{SENTENCE * sentences}\n" for n in range(count))), None, None
    )


def test_contents_are_of_long_articles_with_three_headings() -> None:
    assert headed(3, 30)["contents"] == [(f"h{n * (11 + 30 * len(SENTENCE))}", f"Heading {n}") for n in range(3)]
    assert headed(2, 60)["contents"] == []
    assert headed(3, 9)["contents"] == []


def test_the_parts_of_a_very_long_article_are_all_of_it() -> None:
    text = (SENTENCE + "\n") * 9000
    document = Document("../a b.txt", text)
    at, said = None, ""
    while True:
        part = view.document_view(document, None, at)
        said += text[part["low"] : part["high"]]
        if not part["later"]:
            break
        at = int(part["later"].rpartition("=")[2])
    assert said == text
    assert view.document_view(document, (300_000, 300_010), 0)["low"] == 0
    assert view.document_view(document, (300_000, 300_010), None)["low"] == 200_000
    assert view.document_view(document, None, len(text) + 9)["high"] == len(text)
    assert part["json"] == "/api/v1/documents/..%2Fa%20b.txt"
    short = view.document_view(Document("a.txt", "The mill\nIt turns.\n"), None, 9)
    assert (short["low"], len(short["blocks"])) == (0, 2)


def test_source_and_date_are_shown(client: TestClient) -> None:
    page = client.get("/doc/bridge.md").text
    assert '<span class="fact">Example Gazette</span> <span class="fact">2021-05-03</span>' in page


def test_masked_characters_inside_what_is_cited_are_cited(tmp_path: Path) -> None:
    text = "The *iron* bridge is closed.\n"
    (cited,) = results(tmp_path, "Which bridge?", Document("a.md", text, masked=((4, 5), (9, 10))))["citations"]
    assert [(run.text, run.kind) for run in cited["runs"]] == [(text.strip(), "cited")]
    assert cited["title"] == "a.md"


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (1.0, "very likely right"), (0.9, "very likely right"), (0.89, "likely right"), (0.7, "likely right"),
        (0.69, "more likely right than not"), (0.5, "more likely right than not"), (0.49, "uncertain"),
    ],
)  # fmt: skip
def test_how_sure_in_words(confidence: float, words: str) -> None:
    assert view._sure(confidence)["words"] == words


def test_the_passages_with_their_words_and_why(tmp_path: Path) -> None:
    mill = "The mill\nIt was built here. The old mill turns by day, the mill rests by night.\n"
    documents = [
        Document("mill", mill, "The mill"),
        Document("gate", "The gate"),
        *(Document(f"{n:02}", f"Nobody built gate number {n} here.\n") for n in range(20)),
    ]
    hits = results(tmp_path, "Who built the mill that turns?", *documents)["hits"]
    assert len(hits) == view.HITS == 10
    first = hits[0]
    assert [block.text for block in first["blocks"]] == [mill.splitlines()[1]]
    assert [run.text for run in first["blocks"][0].runs if run.kind == "word"] == ["built", "mill", "turns", "mill"]
    assert [bar["name"] for bar in first["why"]] == ["Words (BM25)", "Meaning (cosine)", "Both, fused", "Reader"]
    lengths = [[float(bar["length"]) for bar in hit["why"]] for hit in hits]
    assert [lengths[0][n] for n in (0, 2, 3)] == [1, 1, 1]
    assert all(0 <= length < 1 for hit in lengths[1:] for length in hit[2:])
    words = [float(hit["why"][0]["value"]) for hit in hits]
    assert [hit[0] for hit in lengths] == pytest.approx([value / words[0] for value in words], abs=0.01)
    assert 0 < words[-1] < words[0]
    assert view._bar("x", -0.25, -0.25) == {"name": "x", "value": "-0.25", "length": "0.00"}
    assert view._bar("x", 1.25, 1.25)["length"] == "1.00"


def test_words_are_matched_where_they_stand_in_the_article(tmp_path: Path) -> None:
    text = f"The mill\n{SENTENCE * 40}\nIt grinds here.\n"
    hits = results(tmp_path, "What grinds?", Document("a.txt", text, "The mill"))["hits"]
    matched = [run.text for hit in hits for block in hit["blocks"] for run in block.runs if run.kind == "word"]
    assert matched == ["grinds"]
    assert len(hits) > 1


def test_a_passage_that_is_all_title_is_shown(tmp_path: Path) -> None:
    (hit,) = results(tmp_path, "Which gate?", Document("gate", "The gate\n", "The gate"))["hits"]
    assert [block.text for block in hit["blocks"]] == ["The gate"]
    assert view.Block((view.Run("# ", "masked"), view.Run(" The gate "))).text == "The gate"


def test_a_wrapped_paragraph_of_another_file_is_joined_on_both_pages(
    tmp_path: Path, write: Callable[[Path, Mapping[str, str | bytes]], Path]
) -> None:
    wrapped = (
        "The mill on the river was built of stone and of oak by the people who lived in\n"
        "the town below it, and it has turned ever since."
    )
    text = f"# Notes\n\n{wrapped}\n\n" + "".join(f"- Item {n} is short.\n" for n in range(30))
    build([write(tmp_path / "in", {"a.md": text})], tmp_path / "index")
    index = Index.open(tmp_path / "index")
    document = index.document("a.md")
    assert not document.hard_wrapped
    assert wrapped in [block.text for block in view.document_view(document, None, None)["blocks"]]
    hits = view.results_view(Pipeline(index, SentenceReader(), ANSWERS).trace("What was the mill built of?"), index)
    assert wrapped in [block.text for hit in hits["hits"] for block in hit["blocks"]]
