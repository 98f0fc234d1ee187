"""Spans that say the same -> one candidate answer, with every document that supports it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.duplicates import sources
from index.search import Index
from rag.answer import Candidate, Citation, Part, Support, cite
from rag.normal import wording
from rag.reader import ScoredSpan


@dataclass(frozen=True, slots=True)
class Group:
    """The spans of one wording, best first; ``documents`` are theirs, in the order of their best spans.

    ``distinct`` counts independent documents (near-copies once). ``mass`` is the logarithm of the sum of exp(score)
    over the spans, of near-copies the best document's alone: what several passages say adds up.
    """

    spans: tuple[ScoredSpan, ...]
    documents: tuple[str, ...]
    distinct: int
    mass: float


def grouped(spans: Sequence[ScoredSpan], index: Index) -> list[Group]:
    """Group spans of one wording (``rag.normal.wording``); the groups by descending mass, ties by their best span."""
    wordings: dict[str, list[ScoredSpan]] = {}
    for span in spans:
        wordings.setdefault(wording(span.text), []).append(span)
    groups = [_group(members, index) for members in wordings.values()]
    return sorted(groups, key=lambda group: -group.mass)


def _group(spans: Sequence[ScoredSpan], index: Index) -> Group:
    documents = list(dict.fromkeys(span.hit.passage.doc_id for span in spans))
    source = dict(zip(documents, sources(index.sketches(documents)), strict=True))
    leading = {place: documents[place] for place in source.values()}
    scores = np.array([s.score for s in spans if leading[source[s.hit.passage.doc_id]] == s.hit.passage.doc_id])
    top = scores.max()
    mass = float(top + np.log(np.exp(scores - top).sum()))
    return Group(tuple(spans), tuple(documents), len(leading), mass)


def candidate(group: Group, index: Index, confidence: float) -> Candidate:
    """The group as an answer: its best span's citation first, then the best of each other document that says it."""
    citations = _citations(group, index)
    return Candidate(citations[0].quote, confidence, citations, Support(len(citations), group.distinct))


def part(group: Group, index: Index) -> Part:
    """The group as one item of a list."""
    citations = _citations(group, index)
    return Part(citations[0].quote, citations)


def _citations(group: Group, index: Index) -> tuple[Citation, ...]:
    citations: dict[str, Citation] = {}
    for span in group.spans:
        doc_id = span.hit.passage.doc_id
        if doc_id not in citations:
            citations[doc_id] = cite(index.document(doc_id), (span.start, span.end), span.sentence)
    return tuple(citations.values())
