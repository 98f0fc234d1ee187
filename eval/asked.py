"""What the evaluation wants of a pipeline and of its index; ``rag.pipeline.Pipeline`` is one."""

from collections.abc import Sequence
from typing import Protocol

from index.passage import Document, Hit, Passage
from rag.pipeline import Trace


class Library(Protocol):
    """What is wanted of an index."""

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
