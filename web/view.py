"""Answers, hits and documents as what the templates show: plain values and runs of text, never HTML."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode

from index.passage import Document, Hit, Span
from index.search import Index
from index.sentences import NEWLINE, blanked, blocks
from index.tokens import tokenize, tokenize_spans
from rag.answer import Candidate, Citation
from rag.pipeline import Trace
from rag.render import file_line, percent

LONG = 4000
"""Characters from which a document is long enough for a table of contents."""
WINDOW = 200_000
"""Characters of a document on one page."""
HITS = 10
"""Passages on a results page."""
SHA256_DIGITS = 16
"""Digits of a text's checksum in a link that cites it: enough to tell it from what it was changed to."""
_WORDS = ((0.9, "very likely right"), (0.7, "likely right"), (0.5, "more likely right than not"), (0.0, "uncertain"))
_KINDS = ("", "cited", "word", "masked")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that is shown in one way; ``kind`` is "", "cited", "word" (matched) or "masked"."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A line (of a hard-wrapped file: a paragraph) as runs; ``anchor`` is set on headings."""

    runs: tuple[Run, ...]
    anchor: str = ""

    @property
    def text(self) -> str:
        """Its words, without what is masked."""
        return "".join(run.text for run in self.runs if run.kind != "masked").strip()


Marks = Sequence[tuple[int, int, str]]


def runs(text: str, start: int, end: int, marks: Marks) -> tuple[Run, ...]:
    """``text[start:end]`` as runs; of several marks over one place the first given counts. Their texts add up to it."""
    paint = bytearray(end - start)  # a colour a character: linear, however many marks there are
    for a, b, kind in reversed(marks):
        a, b = max(a, start) - start, min(b, end) - start
        if a < b:
            paint[a:b] = bytes([_KINDS.index(kind)]) * (b - a)
    found: list[Run] = []
    at = start
    for colour, stretch in groupby(paint):
        length = sum(1 for _ in stretch)
        found.append(Run(text[at : at + length], _KINDS[colour]))
        at += length
    return tuple(found)


def _paragraphs(text: str, start: int, end: int, wrapped: Sequence[Span]) -> Iterable[Span]:
    """The lines of ``text[start:end]`` that hold anything; those that stand in one of ``wrapped`` together.

    ``wrapped`` are the blocks of the document, ascending: so the page joins the lines that the index joined.
    """
    before: Span | None = None
    at = 0
    for line in _lines(text, start, end):
        if before:
            while at < len(wrapped) and wrapped[at][1] <= before[1]:
                at += 1
            if at < len(wrapped) and wrapped[at][0] < before[1]:
                before = (before[0], line[1])
                continue
            yield before
        before = line
    if before:
        yield before


def _lines(text: str, start: int, end: int) -> Iterable[Span]:
    at = start
    for newline in NEWLINE.finditer(text, start, end):
        if text[at : newline.start()].strip():
            yield at, newline.start()
        at = newline.end()
    if text[at:end].strip():
        yield at, end


def _masked(document: Document, start: int, end: int) -> Marks:
    return [(a, b, "masked") for a, b in document.masked_in(start, end)]


# A document


def document_view(document: Document, span: Span | None, at: int | None, changed: bool = False) -> dict[str, Any]:
    """A document's page: blocks, contents, and where the shown part of a very long text stands in it.

    ``changed``: the text is another than the one that was cited, so that the page says why nothing is marked.
    """
    text = document.text
    low, high = _window(len(text), span, at)
    cited = [(*span, "cited")] if span else []
    known = list(blocks(document, blanked(document)))
    found = [(b.start, b.end) for b in known if b.heading and low <= b.start and b.end <= high]
    shown: list[Block] = []
    waiting = 0  # headings before this one are behind the line: both ascend
    for a, b in _paragraphs(text, low, high, [(block.start, block.end) for block in known]):
        while waiting < len(found) and found[waiting][1] <= a:
            waiting += 1
        heads = waiting < len(found) and found[waiting][0] < b
        shown.append(
            Block(runs(text, a, b, [*cited, *_masked(document, a, b)]), f"h{found[waiting][0]}" if heads else "")
        )
    title = document.title or document.doc_id
    if len(shown) > 1 and shown[0].runs == (Run(title),):
        del shown[0]  # it stands above already, as the page's heading
    contents = [(b.anchor, b.text) for b in shown if b.anchor] if len(text) >= LONG else []
    return {
        "id": document.doc_id,
        "span": span,
        "changed": changed,
        "title": title,
        "about": [value for value in (document.source, document.date) if value],
        "blocks": shown,
        "contents": contents if len(contents) >= 3 else [],
        "low": low,
        "high": high,
        "length": len(text),
        "earlier": doc_url(document.doc_id) + f"?at={max(0, low - WINDOW)}" if low else None,
        "later": doc_url(document.doc_id) + f"?at={high}" if high < len(text) else None,
        "json": f"/api/v1/documents/{quote(document.doc_id, safe='')}",
    }


def _window(length: int, span: Span | None, at: int | None) -> Span:
    low = at if at is not None else max(0, span[0] - WINDOW // 2) if span else 0
    low = max(0, min(low, length - 1))
    return (low, min(length, low + WINDOW)) if length > WINDOW else (0, length)


def doc_url(doc_id: str) -> str:
    """The page of a document; the whole id is one segment of the path, so that no "/.." in it climbs."""
    return f"/doc/{quote(doc_id, safe='')}"


def cited_url(doc_id: str, start: int, end: int, sha256: str) -> str:
    """The page of a document with a place marked, as long as the document's text is the one of ``sha256``."""
    return f"{doc_url(doc_id)}?start={start}&end={end}&sha256={sha256[:SHA256_DIGITS]}#cited"


# Results


def results_view(asked: Trace, index: Index) -> dict[str, Any]:
    """A results page: the answer or the refusal, its proof, the runners-up, the passages."""
    answer = asked.answer
    return {
        "question": answer.question,
        "answered": answer.answered,
        "answer": answer.answer,
        "reason": answer.reason,
        "sure": _sure(answer.confidence),
        "articles": len(index.doc_ids),
        "support": answer.support,
        "citations": [_citation(c, index) for c in answer.citations],
        "items": [
            {"answer": part.answer, "citations": [_citation(c, index) for c in part.citations]}
            for part in answer.parts[1:]
        ],
        "others": [_candidate(c, index) for c in answer.alternatives],
        "hits": _hits(asked, index),
        "total_ms": answer.timings_ms.get("total", 0.0),
        "json": "/api/v1/ask?" + urlencode({"q": answer.question}, errors="replace"),
    }


def _sure(confidence: float) -> dict[str, Any]:
    words = next(words for least, words in _WORDS if confidence >= least)
    return {"number": confidence, "percent": f"{percent(confidence)}%", "words": words}


def _candidate(candidate: Candidate, index: Index) -> dict[str, Any]:
    return {
        "answer": candidate.answer,
        "sure": _sure(candidate.confidence),
        "support": candidate.support,
        "citation": _citation(candidate.citations[0], index),
    }


def _citation(citation: Citation, index: Index) -> dict[str, Any]:
    document = index.document(citation.document)
    first, last = citation.sentence_start, citation.sentence_end
    about = [value for value in (citation.source, citation.date) if value]
    # Where nobody gave a title, it is the end of the id.
    titled = [citation.title] if citation.title and not citation.document.endswith(citation.title) else []
    known = ", ".join([*titled, *about])
    marks = [(citation.start, citation.end, "cited"), *_masked(document, first, last)]
    line = file_line(index.path(citation.document), citation.line)
    place = citation.document + ("" if line is None else f", line {line}")
    return {
        "runs": runs(document.text, first, last, marks),
        "title": citation.title or citation.document,
        "about": about,
        "document": citation.document,
        "line": line,
        "url": cited_url(citation.document, citation.start, citation.end, citation.sha256),
        "copied": f"“{citation.sentence}” — " + (f"{known} ({place})" if known else place),
    }


def _hits(asked: Trace, index: Index) -> list[dict[str, Any]]:
    question = asked.answer.question
    tokens = tokenize(question)
    written = {token: question[start:end] for token, start, end in reversed(tokenize_spans(question))}
    read: dict[int, float] = {}
    for span in asked.spans:
        read.setdefault(span.hit.passage.passage_id, span.score)
    most = {
        "bm25": max((hit.parts["bm25"] for hit in asked.hits), default=0.0),
        "score": max((hit.score for hit in asked.hits), default=0.0),
    }
    best = max(read.values(), default=0.0)
    wrapped: dict[str, list[Span]] = {}  # once a document: a long one takes a moment
    found = []
    for hit in asked.hits[:HITS]:
        passage = hit.passage
        row = passage.passage_id
        parts = index.sparse.term_parts(tokens, row)
        document = index.document(passage.doc_id)
        title = document.title or document.doc_id
        if document.doc_id not in wrapped:
            known = blocks(document, blanked(document))
            wrapped[document.doc_id] = [(block.start, block.end) for block in known]
        marks = _matched(hit, set(tokens))
        places = _paragraphs(document.text, passage.start, passage.end, wrapped[document.doc_id])
        body = [Block(runs(document.text, a, b, marks)) for a, b in places]
        why = [
            _bar("Words (BM25)", hit.parts["bm25"], hit.parts["bm25"] / most["bm25"] if most["bm25"] > 0 else 0.0),
            _bar("Meaning (cosine)", hit.parts["cosine"], hit.parts["cosine"]),
            _bar("Both, fused", hit.score, hit.score / most["score"] if most["score"] > 0 else 0.0),
        ]
        if row in read:
            # The bar of logits is the odds against the best passage: their difference is what means something.
            why.append(_bar("Reader", read[row], math.exp(read[row] - best)))
        found.append(
            {
                # Above the passage stands its article's title: an article that begins with it is not shown it twice.
                "blocks": body[1:] if len(body) > 1 and body[0].text == title else body,
                "title": title,
                "about": [value for value in (document.source, document.date) if value],
                "document": document.doc_id,
                "url": cited_url(document.doc_id, passage.start, passage.end, document.sha256),
                "terms": [(written[token], f"{value:.2f}") for token, value in parts.items()],
                "why": why,
            }
        )
    return found


def _matched(hit: Hit, tokens: set[str]) -> Marks:
    passage = hit.passage
    masked = [(a, b, "masked") for a, b in passage.masked]
    words = [(a, b) for token, a, b in tokenize_spans(passage.text) if token in tokens]
    return [*masked, *((passage.start + a, passage.start + b, "word") for a, b in words)]


def _bar(name: str, value: float, length: float) -> dict[str, Any]:
    return {"name": name, "value": f"{value:.2f}", "length": f"{min(1.0, max(0.0, length)):.2f}"}


# What is indexed


def age(created: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time was, in the largest whole unit."""
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(created)).total_seconds())
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' * (count > 1)} ago"
    return "just now"
