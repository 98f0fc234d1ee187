"""Document, Passage and Hit: the types that travel through retrieval, and what their offsets promise.

Offsets are code points of ``Document.text``, half-open. ``Span`` is such a pair.
"""

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

Span = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """One article, as stored.

    ``masked`` are the spans that are not article text (boilerplate, markup, front matter): ascending, disjoint,
    never deleted. ``title``, ``source`` and ``date`` (ISO 8601) are None when unknown. ``sha256`` is that of ``text``
    in UTF-8 (lone surrogates cannot occur: the loaders replace them), ``source_sha256`` that of the raw file or,
    for a line of a ``.jsonl`` file, of that line.
    """

    doc_id: str
    text: str
    title: str | None = None
    source: str | None = None
    date: str | None = None
    source_sha256: str = ""
    masked: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        """Check what the offsets promise; ValueError when they do not hold."""
        if not self.doc_id:
            raise ValueError("a document needs an id")
        end = 0
        for start, stop in self.masked:
            if not end <= start < stop <= len(self.text):
                raise ValueError(f"{self.doc_id}: masked span {start}:{stop} is empty, out of order or out of bounds")
            end = stop

    def masked_in(self, start: int, end: int) -> tuple[Span, ...]:
        """The masked spans that hold anything of ``text[start:end]``, whole, ascending."""
        if start >= end:
            return ()
        first = bisect_right(self.masked, start, key=lambda span: span[1])
        return self.masked[first : bisect_left(self.masked, end, lo=first, key=lambda span: span[0])]

    @cached_property
    def sha256(self) -> str:
        """Hash of the text in UTF-8, hexadecimal."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @cached_property
    def hard_wrapped(self) -> bool:
        """Whether a newline in this text is a line break for the eye only, not the end of a sentence.

        So it is when at least three quarters of the lines that another non-blank line follows are between 50 and 100
        characters long and do not end a sentence, over at least eight such lines, and the lines continue one another:
        of those that follow one and begin with a letter or digit, at least a quarter begin with a letter that is no
        capital. Of wrapped English that holds of four lines in five, of German of every other, of scripts without case
        of all; of headlines and results, one a line, it holds of next to none. Masked lines that stand together (front
        matter, code) say nothing.
        """
        shown, position = [], 0
        for start, end in self.masked:
            covered = self.text[start:end]
            shown += [self.text[position:start], "\n\n" if "\n" in covered.strip() else covered]
            position = end
        lines = [line.rstrip() for line in "".join([*shown, self.text[position:]]).splitlines()]
        inner = [(line, following.lstrip()[0]) for line, following in pairwise(lines) if line and following.strip()]
        if len(inner) < 8:
            return False
        wrapped = sum(50 <= len(line) <= 100 and line[-1] not in '.!?:;"”' for line, _ in inner)
        begins = [char for _, char in inner if char.isalnum()]
        continued = sum(char.isalpha() and not char.isupper() for char in begins)
        return wrapped >= 0.75 * len(inner) and continued >= 0.25 * len(begins)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of whole sentences of one document: ``document.text[start:end] == text``, always.

    ``passage_id`` is the passage's row in its generation, in order of (doc_id, start). ``sentences`` are the bounds of
    its sentences in document offsets, ascending, disjoint, each inside start:end; white space and masked lines between
    sentences belong to none. ``masked`` are the document's masked spans that touch the passage (inline markup may
    lie inside a sentence).
    """

    passage_id: int
    doc_id: str
    start: int
    end: int
    text: str
    sentences: tuple[Span, ...]
    masked: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        """Check what the offsets promise; ValueError when they do not hold."""
        if self.end - self.start != len(self.text):
            raise ValueError(f"passage {self.passage_id}: {self.start}:{self.end} is not {len(self.text)} characters")
        edge = self.start
        for start, end in self.sentences:
            if not edge <= start < end <= self.end:
                raise ValueError(f"passage {self.passage_id}: sentence {start}:{end} is empty, out of order or outside")
            edge = end

    def between(self, start: int, end: int) -> str:
        """What stands between two places of the document, both inside the passage."""
        return self.text[start - self.start : end - self.start]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage as ranked for one query: best first, ties by passage_id.

    ``score`` orders hits within this query only. ``parts`` says what each retriever gave; its signals are
    absolute (they compare between queries): ``cosine``, ``bm25`` (raw), ``bm25_share`` (bm25 over the most the query's
    terms could give), ``idf_matched`` (share of the query's idf mass whose terms stand in the passage).
    """

    passage: Passage
    score: float
    parts: dict[str, float] = field(default_factory=dict)
