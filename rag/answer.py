"""Citation and Answer: what a question comes to, and what it promises.

Every shown word is a slice of a stored document; a Citation checks that when it is made.
"""

import re
from dataclasses import dataclass, field

from index.passage import Document, Span

LINE_END = re.compile(r"\r\n|\r|\n")
REASONS = ("not_found", "weak", "empty_index")


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote and where it stands. Offsets are code points of the document's text, half-open; ``line`` counts from 1.

    ``sha256`` is that of the document's text in UTF-8, so that a citation can be checked against the file later.
    """

    document: str
    title: str | None
    date: str | None
    source: str | None
    start: int
    end: int
    quote: str
    line: int
    sentence_start: int
    sentence_end: int
    sentence: str
    sha256: str

    def __post_init__(self) -> None:
        """Refuse a quote that is no slice of its sentence."""
        inside = 0 <= self.sentence_start <= self.start < self.end <= self.sentence_end
        at = self.start - self.sentence_start
        if not inside or self.sentence[at : at + self.end - self.start] != self.quote:
            raise ValueError(f"{self.document} {self.start}:{self.end}: the quote is no slice of its sentence")
        if len(self.sentence) != self.sentence_end - self.sentence_start:
            raise ValueError(f"{self.document}: the sentence is not {self.sentence_start}:{self.sentence_end}")


def line_of(document: Document, offset: int) -> int:
    r"""The line, from 1, that ``offset`` stands in; a line ends with \\n, \\r\\n or \\r."""
    return 1 + sum(1 for _ in LINE_END.finditer(document.text, 0, offset))


def cite(document: Document, span: Span, sentence: Span) -> Citation:
    """The citation of ``document.text[span]``, which lies inside ``sentence``; ValueError if it does not."""
    start, end = span
    first, last = sentence
    return Citation(
        document=document.doc_id,
        title=document.title,
        date=document.date,
        source=document.source,
        start=start,
        end=end,
        quote=document.text[start:end],
        line=line_of(document, start),
        sentence_start=first,
        sentence_end=last,
        sentence=document.text[first:last],
        sha256=document.sha256,
    )


@dataclass(frozen=True, slots=True)
class Support:
    """How many documents say the same, and how many of them are independent (near-copies count once)."""

    documents: int
    distinct: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible answer: its wording, the probability that it is right, and every place that says it, best first."""

    answer: str
    confidence: float
    citations: tuple[Citation, ...]
    support: Support

    def __post_init__(self) -> None:
        """Refuse another wording than the first citation's."""
        if not self.citations or self.answer != self.citations[0].quote:
            raise ValueError("an answer is its first citation's quote")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"a confidence of {self.confidence} is no probability")


@dataclass(frozen=True, slots=True)
class Part:
    """One item of a list that stands in several places: its wording and where it stands."""

    answer: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question comes to: the best candidate when it is sure enough, else a refusal with the closest spans.

    ``confidence`` is the probability that the best candidate is right, refused or not. ``reason`` is None when
    answered, else one of REASONS. ``parts`` are the items of a list, the answer itself the first of them.
    ``timings_ms`` are milliseconds by stage.
    """

    question: str
    answered: bool
    answer: str | None
    confidence: float
    reason: str | None
    citations: tuple[Citation, ...] = ()
    parts: tuple[Part, ...] = ()
    support: Support = Support(0, 0)
    alternatives: tuple[Candidate, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an answer without its proof, and a refusal without a reason."""
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"a confidence of {self.confidence} is no probability")
        if self.answered and (not self.citations or self.answer != self.citations[0].quote or self.reason is not None):
            raise ValueError("an answer is its first citation's quote, and has no reason for a refusal")
        if self.parts and self.parts[0].answer != self.answer:
            raise ValueError("an answer that is a list is the first of its parts")
        if not self.answered and (self.answer is not None or self.citations or self.reason not in REASONS):
            raise ValueError("a refusal has a reason, no answer and no citations")


def refusal(question: str, reason: str) -> Answer:
    """The answer to a question for which there is no candidate at all."""
    return Answer(question, answered=False, answer=None, confidence=0.0, reason=reason)
