"""Spans that say the same -> one candidate answer, with every document that supports it.

Words that stand in a passage by chance say nothing: a vote of 12 to 9 is no witness to 12 dead. So a span speaks for an
answer only where the reader finds its passage about the question (``FLOOR``), and not where its sentence says "not" of
it.
"""

import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.duplicates import sources
from index.passage import Document
from index.search import Index
from rag.answer import Candidate, Citation, Part, Support, cite
from rag.normal import wording
from rag.reader import ScoredSpan

FLOOR = -8.0
"""Least ``margin`` (see ``rag.spans``) of a span that supports a better one of its wording, in another document.

Of documents labelled as saying an answer (RGB, RAMDocs) it keeps 97 and 92 %, and of those that hold its words and do
not say it drops a tenth and a third.
"""
_DENIED = re.compile(r"\b(?:not|rather than|instead of)\s+(?:(?:the|an?)\s+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """The spans of one wording, best first; ``documents`` are those that say it, in the order of their best spans.

    ``distinct`` counts independent documents (near-copies once). ``mass`` is the logarithm of the sum of exp(score)
    over the spans, of near-copies the best document's alone: what several passages say adds up.
    """

    spans: tuple[ScoredSpan, ...]
    documents: tuple[str, ...]
    distinct: int
    mass: float


def grouped(spans: Sequence[ScoredSpan], index: Index, key: Callable[[str], Hashable] = wording) -> list[Group]:
    """Group spans of one ``key``; the groups by descending mass, ties by their best span."""
    wordings: dict[Hashable, list[ScoredSpan]] = {}
    for span in spans:
        wordings.setdefault(key(span.text), []).append(span)
    groups = [_group(members, index) for members in wordings.values()]
    return sorted(groups, key=lambda group: -group.mass)


def _group(spans: Sequence[ScoredSpan], index: Index) -> Group:
    documents = list(dict.fromkeys(span.hit.passage.doc_id for span in spans))
    source = dict(zip(documents, sources(index.sketches(documents)), strict=True))
    leading = {place: documents[place] for place in source.values()}
    scores = np.array([s.score for s in spans if leading[source[s.hit.passage.doc_id]] == s.hit.passage.doc_id])
    top = scores.max()
    mass = float(top + np.log(np.exp(scores - top).sum()))
    saying = tuple(dict.fromkeys(span.hit.passage.doc_id for span in (spans[0], *filter(_says, spans))))
    return Group(tuple(spans), saying, len({source[doc_id] for doc_id in saying}), mass)


def _says(span: ScoredSpan) -> bool:
    """Whether the span speaks for its words, and does not merely hold or deny them."""
    passage = span.hit.passage
    before = passage.text[max(span.sentence[0], passage.start) - passage.start : span.start - passage.start]
    return span.signals.get("margin", math.inf) >= FLOOR and not _DENIED.search(before)


def candidate(group: Group, index: Index, confidence: float, unread: Sequence[str] = ()) -> Candidate:
    """The group as an answer: its best span's citation first, then the best of each other document that says it.

    Of the ``unread`` documents those are cited too that hold a cited sentence word for word.
    """
    citations = _citations(group, index, unread)
    return Candidate(citations[0].quote, confidence, citations, Support(len(citations), group.distinct))


def part(group: Group, index: Index, unread: Sequence[str] = ()) -> Part:
    """The group as one item of a list."""
    citations = _citations(group, index, unread)
    return Part(citations[0].quote, citations)


def _citations(group: Group, index: Index, unread: Sequence[str]) -> tuple[Citation, ...]:
    citations: dict[str, Citation] = {}
    for span in group.spans:
        doc_id = span.hit.passage.doc_id
        if doc_id in group.documents and doc_id not in citations:
            citations[doc_id] = cite(index.document(doc_id), (span.start, span.end), span.sentence)
    for doc_id in unread:
        repeated = _repeated(index.document(doc_id), citations.values())
        if repeated is not None:
            citations[doc_id] = repeated
    return tuple(citations.values())


def _repeated(document: Document, citations: Iterable[Citation]) -> Citation | None:
    """The first of the citations whose sentence stands in the unmasked text of ``document`` too, there."""
    for citation in citations:
        at = document.text.find(citation.sentence)
        end = at + len(citation.sentence)
        if at >= 0 and not any(first < end and at < last for first, last in document.masked):
            start = at + citation.start - citation.sentence_start
            return cite(document, (start, start + len(citation.quote)), (at, end))
    return None
