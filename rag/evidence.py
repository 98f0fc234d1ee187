"""Spans that say the same -> one candidate answer, with every document that supports it.

Words that stand in a passage by chance say nothing: a vote of 12 to 9 is no witness to 12 dead. So a span speaks for an
answer only where the reader finds its passage about the question (``FLOOR``), and not where its sentence says "not" of
it.
"""

import math
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from index.duplicates import sources
from index.passage import Hit
from index.search import Index
from rag.answer import Candidate, Citation, Part, Support, cite
from rag.copies import sentences_of
from rag.normal import wording
from rag.quotable import visible
from rag.reader import ScoredSpan

FLOOR = -8.0
"""Least ``margin`` (see ``rag.spans``) of a span that supports a better one of its wording, in another document.

Of documents labelled as saying an answer (RGB, RAMDocs) it keeps 98 and 95 %, and of those that hold its words and do
not say it drops a fifteenth and nearly half.
"""
_DENIED = re.compile(r"\b(?:not|rather\s+than|instead\s+of)\s+(?:(?:the|an?)\s+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """The spans of one wording, best first, but behind those that say it those that do not (see ``FLOOR``).

    ``documents`` are those that say it, in the order of their best spans; where none does, the best span's.

    ``distinct`` counts independent documents (near-copies once). ``mass`` is the logarithm of the sum of exp(score)
    over the spans, of near-copies the best document's alone: what several passages say adds up.
    """

    spans: tuple[ScoredSpan, ...]
    documents: tuple[str, ...]
    distinct: int
    mass: float


def grouped(spans: Sequence[ScoredSpan], index: Index, key: Callable[[str], Hashable] = wording) -> list[Group]:
    """Group spans of one ``key``; the groups by descending mass, ties by their best span."""
    wordings: dict[Hashable, tuple[list[ScoredSpan], list[ScoredSpan]]] = {}
    for span in spans:
        saying, others = wordings.setdefault(key(span.text), ([], []))
        (saying if _says(span) else others).append(span)
    groups = [_group(saying, others, index) for saying, others in wordings.values()]
    return sorted(groups, key=lambda group: -group.mass)


def _group(saying: Sequence[ScoredSpan], others: Sequence[ScoredSpan], index: Index) -> Group:
    spans = (*saying, *others)
    documents = list(dict.fromkeys(span.hit.passage.doc_id for span in spans))
    source = dict(zip(documents, sources(index.sketches(documents)), strict=True))
    leading = {place: documents[place] for place in source.values()}
    scores = np.array([s.score for s in spans if leading[source[s.hit.passage.doc_id]] == s.hit.passage.doc_id])
    top = scores.max()
    mass = float(top + np.log(np.exp(scores - top).sum()))
    witnesses = tuple(dict.fromkeys(span.hit.passage.doc_id for span in saying or spans[:1]))
    return Group(spans, witnesses, len({source[doc_id] for doc_id in witnesses}), mass)


def _says(span: ScoredSpan) -> bool:
    """Whether the span speaks for its words, and does not merely hold or deny them."""
    if span.signals.get("margin", math.inf) < FLOOR:
        return False
    passage = span.hit.passage
    before = visible(passage)[span.sentence[0] - passage.start : span.start - passage.start]  # "not **$38 billion**"
    return not _DENIED.search(before)


def candidate(group: Group, index: Index, confidence: float, unread: Sequence[Hit] = ()) -> Candidate:
    """The group as an answer: its best span's citation first, then the best of each other document that says it.

    Of the ``unread`` passages those are cited too that hold a cited sentence word for word.
    """
    citations = _citations(group, index, unread)
    documents = [citation.document for citation in citations]
    distinct = group.distinct if len(documents) == len(group.documents) else _distinct(documents, index)
    return Candidate(citations[0].quote, confidence, citations, Support(len(documents), distinct))


def part(group: Group, index: Index, unread: Sequence[Hit] = ()) -> Part:
    """The group as one item of a list."""
    citations = _citations(group, index, unread)
    return Part(citations[0].quote, citations)


def _citations(group: Group, index: Index, unread: Sequence[Hit]) -> tuple[Citation, ...]:
    citations: dict[str, Citation] = {}
    for span in group.spans:
        doc_id = span.hit.passage.doc_id
        if doc_id in group.documents and doc_id not in citations:  # its span that says it, which stands first
            citations[doc_id] = cite(index.document(doc_id), (span.start, span.end), span.sentence)
    said = {citation.sentence: citation for citation in reversed(citations.values())}
    for hit in unread:
        doc_id = hit.passage.doc_id
        for sentence, at in sentences_of(hit.passage):
            if sentence in said and doc_id not in citations:
                start = at + said[sentence].start - said[sentence].sentence_start
                quoted = start, start + len(said[sentence].quote)
                citations[doc_id] = cite(index.document(doc_id), quoted, (at, at + len(sentence)))
    return tuple(citations.values())


def _distinct(documents: Sequence[str], index: Index) -> int:
    return len(set(sources(index.sketches(documents))))
