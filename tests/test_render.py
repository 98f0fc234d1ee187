"""What is printed: the contract's JSON, and text that no document can turn into terminal commands."""

import dataclasses
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.build import build_documents
from index.passage import Document
from index.search import Index
from rag.answer import Answer, Candidate, Part, Support, cite, line_of, refusal
from rag.render import (
    Style,
    answer_json,
    answer_text,
    citation_text,
    document_text,
    hits_json,
    hits_text,
    json_line,
    percent,
    safe_line,
    shown_path,
)

EVIL = "A \x1b[31mred\x1b[0m \x9b1mmill\x07 cost \u202e$3 million\u202c.\r\nNext \x1b]0;title\x07line.\n"
SGR = re.compile(r"\x1b\[[0-9;]*m")
PLAIN, COLOUR = Style(False), Style(True)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    place = tmp_path_factory.mktemp("render")
    build_documents(
        [Document("evil\x1b[2J\n.txt", EVIL, "Ti\x1btle", "Sou\u202erce", "2020-01-01"), Document("b", EVIL)], place
    )
    return Index.open(place)


def answered(index: Index) -> Answer:
    document = index.document("evil\x1b[2J\n.txt")
    start = EVIL.index("$3 million")
    end = EVIL.index("\r")
    citation = cite(document, (start, start + 10), (0, end))
    other = Candidate(
        "red", 0.25, (cite(document, (EVIL.index("red"), EVIL.index("red") + 3), (0, end)),), Support(1, 1)
    )
    return Answer(
        "How \x1bmuch?", True, "$3 million", 0.75, None, (citation,), support=Support(3, 2), alternatives=(other,)
    )


def harmless(text: str) -> bool:
    """No control characters but newlines, nothing that turns the reading direction."""
    return not any(
        (unicodedata.category(c) in ("Cc", "Cs") and c != "\n")
        or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2069\ufeff"
        for c in text
    )


def test_a_safe_line() -> None:
    assert safe_line("a\x1b[31mb\x9bc\x7f\0") == "a\\x1b[31mb\\x9bc\\x7f\\x00"
    assert safe_line("a\r\nb\tc\u2028d") == "a  b c d"
    assert safe_line("a\u202eb\ufeff") == "a\\x202eb\\xfeff"
    assert safe_line("é 👨\u200d👩\u200d👧 مرحبا e\u0301") == "é 👨\u200d👩\u200d👧 مرحبا e\u0301"
    assert safe_line("\ud800") == "\\xd800"
    assert safe_line("caf\udce9 \udc80\udcff") == "caf\\xe9 \\x80\\xff"


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    assert harmless(safe_line(text))
    assert "\n" not in safe_line(text)
    line = json_line({text: [text]})
    assert harmless(line.encode("utf-8", "backslashreplace").decode())
    assert "\n" not in line
    assert json.loads(line) == {text: [text]}


def test_answers_as_text(index: Index) -> None:
    answer = answered(index)
    shown = answer_text(answer, index, PLAIN)
    assert harmless(shown)
    assert shown.startswith("$3 million   (confidence 0.75, stands in 3 articles, 2 of them independent)")
    assert "[$3 million]" in shown
    assert "Ti\\x1btle · Sou\\x202erce · 2020-01-01 · " in shown
    assert re.search(r"evil\\x1b\[2J \.txt:1$", shown, re.MULTILINE)
    assert "Other answers:\n  0.25\n" in shown
    coloured = answer_text(answer, index, COLOUR)
    assert "\x1b[1;7m$3 million\x1b[0m" in coloured
    assert harmless(SGR.sub("", coloured))
    for reason, says in (
        ("weak", "not sure enough"),
        ("not_found", "nothing in 2 articles"),
        ("empty_index", "no passages"),
    ):
        refused = answer_text(refusal("q", reason), index, PLAIN)
        assert refused.startswith("No answer found: ")
        assert says in refused
        assert "Closest" not in refused
    refused = answer_text(Answer("q", False, None, 0.2, "weak", alternatives=answer.alternatives), index, PLAIN)
    assert "Closest:\n  0.25\n" in refused
    several = dataclasses.replace(answer.alternatives[0], support=Support(5, 2))
    shown = answer_text(dataclasses.replace(answer, alternatives=(several,)), index, PLAIN)
    assert "Other answers:\n  0.25   (stands in 5 articles, 2 of them independent)\n" in shown


def test_a_sentence_of_several_documents_stands_once(index: Index) -> None:
    answer = answered(index)
    (first,) = answer.citations
    copy = cite(index.document("b"), (first.start, first.end), (first.sentence_start, first.sentence_end))
    shown = answer_text(dataclasses.replace(answer, citations=(first, copy), alternatives=()), index, PLAIN)
    assert f"\n{citation_text(first, index, PLAIN)}\n{citation_text(copy, index, PLAIN).splitlines()[1]}" in shown
    assert shown.count("[$3 million]") == 1


def test_a_list_shows_its_parts_once(index: Index) -> None:
    answer = answered(index)
    (other,) = answer.alternatives
    parts = (Part(answer.citations[0].quote, answer.citations), Part(other.answer, other.citations))
    shown = answer_text(dataclasses.replace(answer, parts=parts, alternatives=()), index, PLAIN)
    assert f"Also on this list:\n{citation_text(other.citations[0], index, PLAIN)}" in shown
    assert "Other answers" not in shown
    assert [part["answer"] for part in answer_json(dataclasses.replace(answer, parts=parts))["parts"]] == [
        answer.answer,
        other.answer,
    ]


def test_answers_as_json(index: Index) -> None:
    made = json.loads(json_line(answer_json(answered(index))))
    assert list(made) == [
        *("question", "answered", "answer", "confidence", "reason", "citations", "parts", "support", "alternatives"),
        "timings_ms",
    ]
    (citation,) = made["citations"]
    assert list(citation) == [
        *("document", "title", "date", "source", "start", "end", "quote", "line"),
        *("sentence_start", "sentence_end", "sentence", "sha256"),
    ]
    assert EVIL[citation["start"] : citation["end"]] == citation["quote"]
    assert EVIL[citation["sentence_start"] : citation["sentence_end"]] == citation["sentence"]
    assert made["support"] == {"documents": 3, "distinct": 2}
    assert list(made["alternatives"][0]) == ["answer", "confidence", "citations", "support"]
    assert dataclasses.asdict(answered(index))["citations"][0] == citation


def test_hits(index: Index) -> None:
    hits = index.search("red mill")
    made = hits_json("red mill", hits, index)
    assert list(made) == ["query", "hits"]
    for hit in made["hits"]:
        assert list(hit) == ["passage_id", "document", "title", "start", "end", "text", "score", "parts"]
        assert EVIL[hit["start"] : hit["end"]] == hit["text"]
    shown = hits_text(hits, index, PLAIN)
    assert harmless(shown)
    assert shown.startswith(" 1. ")
    assert harmless(SGR.sub("", hits_text(hits, index, COLOUR)))
    assert hits_text([], index, PLAIN) == "No passage matches."


def test_lines_of_hits_count_every_line_end(tmp_path: Path) -> None:
    long = "word " * 150
    build_documents([Document("a", f"One.\r{long}.\rThe mill stands here.\r")], tmp_path)
    index = Index.open(tmp_path)
    hit = next(h for h in index.search("mill") if "mill" in h.passage.text)
    line = index.document("a").text[: hit.passage.start].count("\r") + 1
    assert f"a:{line}" in hits_text([hit], index, PLAIN)
    assert line >= 2


def test_lines_of_jsonl_are_named_by_their_id(root: Path) -> None:
    index = Index.open(root)
    hits = [hit for hit in index.search("harvest") if hit.passage.doc_id == "wire.jsonl#1"]
    assert " 1. wire.jsonl#1   " in hits_text(hits, index, PLAIN)


def test_a_page_is_cited_without_a_line_of_its_text(root: Path) -> None:
    index = Index.open(root)
    found = {hit.passage.doc_id: hit for hit in index.search("ferry boat mill", 50)}
    assert "ferry.html   " in hits_text([found["ferry.html"]], index, PLAIN)
    assert "mill.txt:1   " in hits_text([found["mill.txt"]], index, PLAIN)


def test_a_shown_document_has_the_lines_that_citations_count() -> None:
    text = "one\ftwo\u2028three\r\nfour\rfive\n"
    document = Document("a.txt", text)
    shown = document_text(document, (0, len(text)), PLAIN).split("\n")
    assert shown == ["one two three", "four", "five", ""]
    assert [line_of(document, text.index(word)) for word in ("three", "four", "five")] == [1, 2, 3]


def test_documents_as_text() -> None:
    document = Document("d", EVIL, masked=((2, 7), (len(EVIL) - 3, len(EVIL))))
    shown = document_text(document, (0, len(EVIL)), PLAIN)
    assert harmless(shown)
    assert shown.count("\n") == 2
    assert document_text(document, (2, 5), PLAIN) == safe_line(EVIL[2:5])
    assert document_text(document, (9, 14), PLAIN) == safe_line(EVIL[9:14])
    assert document_text(document, (4, 9), COLOUR) == f"\x1b[2m{safe_line(EVIL[4:7])}\x1b[0m{safe_line(EVIL[7:9])}"


def test_paths_are_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "b.txt")) == str(Path("a/b.txt"))
    assert shown_path("/elsewhere/b.txt") == "/elsewhere/b.txt"
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert shown_path("/elsewhere/b.txt") == "/elsewhere/b.txt"


def test_no_confidence_is_shown_as_certainty() -> None:
    assert [percent(hundredth / 100) for hundredth in range(1, 100)] == list(range(1, 100))
    assert [percent(value) for value in (0.0, 0.0049, 0.9951, 1.0)] == [1, 1, 99, 99]
