"""What a report shows of a question: the passages found, cut where the gold answer and the best candidate stand."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eval.questions import Question
from index.passage import Hit, Passage, Span
from rag.answer import Citation

PASSAGES = 5
"""Passages shown of a question; the first one behind them that holds a gold answer is shown as well."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as found at ``rank`` (from 1).

    ``pieces`` are its text in order, each with what it is: "" (nothing), "gold" (an accepted answer in a gold
    document), "best" (the best candidate) or "gold best" (both).
    """

    rank: int
    document: str
    start: int
    score: float
    parts: Mapping[str, float]
    pieces: tuple[tuple[str, str], ...]


def shown(question: Question, hits: Sequence[Hit], best: Citation | None) -> tuple[Shown, ...]:
    """The first ``PASSAGES`` hits, best first, and the first one behind them that holds a gold answer."""
    found: list[Shown] = []
    for rank, hit in enumerate(hits, 1):
        if rank > PASSAGES and any("gold" in kind for one in found for _, kind in one.pieces):
            break
        one = _shown(question, hit, rank, best)
        if rank <= PASSAGES or any("gold" in kind for _, kind in one.pieces):
            found.append(one)
    return tuple(found)


def _shown(question: Question, hit: Hit, rank: int, best: Citation | None) -> Shown:
    passage = hit.passage
    gold = _gold(question, passage) if passage.doc_id in question.documents else []
    taken = []
    if best and best.document == passage.doc_id and passage.start <= best.start and best.end <= passage.end:
        taken = [(best.start - passage.start, best.end - passage.start)]
    pieces = _pieces(passage.text, gold, taken)
    return Shown(rank, passage.doc_id, passage.start, hit.score, hit.parts, pieces)


def _gold(question: Question, passage: Passage) -> list[Span]:
    text = passage.text
    placed = [
        (start - passage.start, start - passage.start + len(answer))
        for answer, (doc_id, start) in zip(question.answers, question.places, strict=False)
        if doc_id == passage.doc_id and start >= 0
    ]
    if placed:
        return [(start, end) for start, end in placed if start >= 0 and end <= len(text)]
    patterns = [rf"(?<!\w){re.escape(answer)}(?!\w)" for answer in question.answers if answer.strip()]
    return [found.span() for pattern in patterns for found in re.finditer(pattern, text, re.IGNORECASE)]


def _pieces(text: str, gold: Sequence[Span], best: Sequence[Span]) -> tuple[tuple[str, str], ...]:
    edges = sorted({0, len(text), *(edge for span in (*gold, *best) for edge in span)})
    pieces = []
    for start, end in pairwise(edges):
        marks = (("gold", gold), ("best", best))
        kinds = [name for name, spans in marks if any(a <= start and end <= b for a, b in spans)]
        pieces.append((text[start:end], " ".join(kinds)))
    return tuple(pieces)
