"""ask(): the spine. A question goes through retrieval, the reader, grouping and calibration, and is an Answer then."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import InputError
from index.passage import Hit
from index.search import Index
from rag import ALTERNATIVES
from rag.answer import Answer, refusal
from rag.calibrate import Calibration, reason
from rag.copies import FOUND, to_read
from rag.evidence import Group, candidate, grouped, part
from rag.reader import Reader, ScoredSpan
from rag.readers import load_reader
from rag.shape import items, likeness, shaped, wanted

MAX_QUESTION = 2000


@dataclass(frozen=True, slots=True)
class Trace:
    """An answer, the passages that were read for it, best first, and the reader's spans in them, best first."""

    answer: Answer
    hits: tuple[Hit, ...]
    spans: tuple[ScoredSpan, ...]


class Pipeline:
    """An index, a reader and the calibration that belongs to that reader. Safe to use from several threads."""

    def __init__(self, index: Index, reader: Reader, calibration: Calibration | None = None) -> None:
        """Put them together; None takes the calibration that was fitted for this reader (ModelError: there is none)."""
        self.index = index
        self.reader = reader
        self.calibration = calibration or Calibration.of(reader)

    @classmethod
    def open(cls, root: Path, reader: str | None = None) -> "Pipeline":
        """Open the index at ``root`` with the embedded reader, or the one named; raises RagError, never falls back."""
        return cls(Index.open(root), load_reader(reader))

    def search(self, query: str, k: int = 10, exclude: frozenset[int] = frozenset()) -> list[Hit]:
        """The ``k`` best passages, those with ids in ``exclude`` taken away; InputError for an unusable query."""
        return self.index.search(checked(query), k, exclude)

    def ask(self, question: str, k: int = ALTERNATIVES, exclude: frozenset[int] = frozenset()) -> Answer:
        """Answer ``question`` with up to ``k`` alternatives; InputError for one that is empty or too long."""
        return self.trace(question, k, exclude).answer

    def trace(self, question: str, k: int = ALTERNATIVES, exclude: frozenset[int] = frozenset()) -> Trace:
        """As ``ask``, with what led to the answer."""
        started = time.perf_counter()
        hits = self.search(question, FOUND, exclude)
        return self.trace_from(question, hits, k, retrieve_ms=1000 * (time.perf_counter() - started))

    def trace_from(self, question: str, hits: Sequence[Hit], k: int = ALTERNATIVES, retrieve_ms: float = 0.0) -> Trace:
        """As ``trace``, from these hits alone: those of them that ``to_read`` chooses."""
        started = time.perf_counter()
        read, unread, spans, groups = read_groups(question, hits, self.index, self.reader)
        answer = self._answer(question, read, groups, k, unread)
        read_ms = 1000 * (time.perf_counter() - started)
        timings = {"retrieve": retrieve_ms, "read": read_ms, "total": retrieve_ms + read_ms}
        timings = {stage: round(spent, 2) for stage, spent in timings.items()}
        return Trace(replace(answer, timings_ms=timings), tuple(read), tuple(spans))

    def _answer(
        self, question: str, hits: Sequence[Hit], groups: Sequence[Group], k: int, unread: Sequence[Hit]
    ) -> Answer:
        if not groups:
            return refusal(question, "not_found" if len(self.index) else "empty_index")
        sure = self.calibration.confidence(groups, 0)
        answered = sure >= self.calibration.threshold
        several = items(groups) if answered and wanted(question) == "list" else groups[:1]
        found = [candidate(groups[0], self.index, sure, unread)]
        others = [which for which, group in enumerate(groups) if group not in several]
        for which in others[:k]:
            # No candidate is surer than the one that the reader put before it.
            sure = min(sure, self.calibration.confidence(groups, which))
            found.append(candidate(groups[which], self.index, sure, unread))
        best, *alternatives = found
        if not answered:
            return Answer(question, False, None, best.confidence, reason(hits), alternatives=tuple(found[:k]))
        parts = tuple(part(group, self.index, unread) for group in several) if len(several) > 1 else ()
        return Answer(
            question,
            answered=True,
            answer=best.answer,
            confidence=best.confidence,
            reason=None,
            citations=best.citations,
            parts=parts,
            support=best.support,
            alternatives=tuple(alternatives),
        )


def read_groups(
    question: str, hits: Sequence[Hit], index: Index, reader: Reader
) -> tuple[list[Hit], list[Hit], list[ScoredSpan], list[Group]]:
    """What the reader makes of these hits, before any confidence: the hits read, those not, spans and groups.

    Each best first; the hits as ``to_read`` chooses them, the spans in the question's shape, those that say the same in
    one group. Those not read, behind which stand those without any span (left half-read, say), may still hold a
    sentence that is cited. What a confidence is fitted on is made here too.
    """
    read, unread = to_read(hits)
    spans = shaped(question, reader.read(question, read)) if read else []
    spoken = {span.hit.passage.passage_id for span in spans}
    unread += [hit for hit in read if hit.passage.passage_id not in spoken]
    return read, unread, spans, grouped(spans, index, likeness(question))


def checked(question: str) -> str:
    """The question without the white space around it; InputError when nothing or too much is left."""
    question = question.strip()
    if not any(character.isalnum() for character in question):
        raise InputError(f'the question {question[:40]!r} has no words: ask for something, as in "Who …?"')
    if len(question) > MAX_QUESTION:
        raise InputError(f"the question has {len(question):,} characters: ask it in at most {MAX_QUESTION:,}")
    if "\0" in question:
        raise InputError(f"the question {question[:40]!r} holds a NUL character: leave it out")
    return question
