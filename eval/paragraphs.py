"""What the reader gets with ``--given-paragraph``: the gold documents whole, as the official setting has it."""

from collections.abc import Iterable
from dataclasses import replace

from eval.asked import Asked, rows_of, search_among
from eval.questions import Question
from index.passage import Document, Hit, Passage
from index.sentences import sentences


def whole(document: Document, passage_id: int = 0) -> Passage:
    """The document as one passage, with all its sentences."""
    length = len(document.text)
    return Passage(
        passage_id, document.doc_id, 0, length, document.text, tuple(sentences(document)), masked=document.masked
    )


class Paragraphs:
    """The documents that a set's questions are asked of, each as one passage from its first character to its last."""

    def __init__(self, pipeline: Asked, questions: Iterable[Question]) -> None:
        """Look up which passages the documents were cut into; texts are not kept."""
        self._pipeline = pipeline
        self._rows = rows_of(pipeline.index, (doc_id for question in questions for doc_id in question.gold))

    def hits(self, question: Question) -> list[Hit]:
        """The question's gold documents, best first; one that has no passage (all of it masked) is left out.

        Each has the id, the score and the signals of its best passage, found by a search of these documents alone: a
        document stands where its best passage does, here as in a ranking. Raises InputError for an unusable question.
        """
        gold = [doc_id for doc_id, relevance in question.gold.items() if relevance > 0]
        rows = frozenset(row for doc_id in gold for row in self._rows[doc_id])
        best: dict[str, Hit] = {}
        for hit in search_among(self._pipeline, question.question, rows, max(1, len(rows))):
            if hit.passage.doc_id not in best:
                document = self._pipeline.index.document(hit.passage.doc_id)
                best[document.doc_id] = replace(hit, passage=whole(document, hit.passage.passage_id))
        return list(best.values())
