"""Texts as runs and blocks, and what a very long document is cut to."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from index.build import build
from index.passage import Document
from index.search import Index
from rag.pipeline import Pipeline
from rag.sentences import SentenceReader
from tests.web_site import ANSWERS
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
    assert view.age("2026-01-02T11:58:50+00:00", now) == "1 minute ago"
    assert view.age("2025-12-30T12:00:00+00:00", now) == "3 days ago"
