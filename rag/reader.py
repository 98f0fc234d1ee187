"""The seam between retrieval and answers: a question and its hits in, scored spans out.

A reader never sees the index. What it returns is a span of a hit's passage, in document offsets, inside one of the
passage's sentences; what makes it sure of one is in ``signals``, for ``rag.calibrate``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from index.passage import Hit, Span


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A span of ``hit.passage``, in document offsets; ``score`` orders the spans of one question only.

    ``signals`` are absolute: they compare between questions (see ``rag.calibrate``).
    """

    hit: Hit
    start: int
    end: int
    sentence: Span
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The span's words."""
        return self.hit.passage.between(self.start, self.end)


class Reader(Protocol):
    """``name`` is what the user chose, ``identity`` what its spans depend on (weights' hash included)."""

    name: str
    identity: str

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        """Spans of the hits' passages, best first, ties by passage_id and start; none twice."""
        ...
