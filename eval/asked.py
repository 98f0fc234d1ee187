"""What the evaluation wants of a pipeline and of its index; ``rag.pipeline.Pipeline`` is one."""

from collections.abc import Sequence
from typing import Protocol

from index.passage import Document, Hit, Passage
from rag.answer import Answer


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

    def ask(self, question: str, k: int = ..., exclude: frozenset[int] = ...) -> Answer:
        """The answer, without reading the passages excluded."""

    def answer_from(self, question: str, hits: Sequence[Hit], k: int = ...) -> Answer:
        """The answer that these passages give."""
