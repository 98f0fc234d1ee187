"""What the evaluation wants of a pipeline and of its index; ``rag.pipeline.Pipeline`` is one."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from index.passage import Document, Hit, Passage
from index.sentences import blanked
from rag.pipeline import Trace


class Library(Protocol):
    """What is wanted of an index."""

    def __len__(self) -> int:
        """How many passages there are."""

    @property
    def passages(self) -> Sequence[Passage]:
        """All passages, in order of their ids."""

    @property
    def doc_ids(self) -> Sequence[str]:
        """The ids of all documents."""

    def passage(self, row: int) -> Passage:
        """The passage of that id."""

    def document(self, doc_id: str) -> Document:
        """The document of that id."""


def rows_of(library: Library, doc_ids: Iterable[str]) -> dict[str, list[int]]:
    """The passage_ids of each of these documents, ascending; [] for one that the index lacks."""
    rows: dict[str, list[int]] = {doc_id: [] for doc_id in doc_ids}
    for passage in library.passages:
        if passage.doc_id in rows:
            rows[passage.doc_id].append(passage.passage_id)
    return rows


def shown_text(library: Library, passage: Passage) -> str:
    """The passage's text at its length, masked characters as NUL: out of it come the words that both searches see.

    Where a mask parts no words (a soft hyphen, a mark of emphasis) what stands around it is one word; so
    ``index.sentences.joined`` takes the NULs out.
    """
    return blanked(library.document(passage.doc_id), passage.start, passage.end)


def shown_sentences(library: Library, passage: Passage) -> list[tuple[int, str]]:
    """Where each sentence of the passage begins in the document, and its ``shown_text``."""
    text = shown_text(library, passage)
    return [(start, text[start - passage.start : end - passage.start]) for start, end in passage.sentences]


class Asked(Protocol):
    """What is wanted of a pipeline."""

    @property
    def index(self) -> Library:
        """What is searched."""

    def search(self, query: str, k: int = ..., exclude: frozenset[int] = ...) -> list[Hit]:
        """The k best passages, without those excluded."""

    def trace(self, question: str, k: int = ..., exclude: frozenset[int] = ...) -> Trace:
        """The answer and the hits it was read from, without reading the passages excluded."""

    def trace_from(self, question: str, hits: Sequence[Hit], k: int = ..., retrieve_ms: float = ...) -> Trace:
        """The answer that these passages give, found in ``retrieve_ms`` milliseconds."""


def search_among(pipeline: Asked, query: str, rows: frozenset[int], k: int) -> list[Hit]:
    """The k best of these passages: searched, so that they come with the signals that a search gives."""
    return pipeline.search(query, k, frozenset(range(len(pipeline.index))) - rows)
