"""Blame: the first stage on the way of a question that lost its answer.

A question is missed when it has an answer and the best candidate is wrong or was refused, or when it has none and was
answered all the same. Where nobody wrote an answer down (BEIR), it is missed when no passage of a gold document is
among those that would be read, or passed over as copies of these. Besides, every miss is put to the reader once more
with the passages that hold its answer and nothing else (``isolated``): what would be right then is lost before the
reader, not by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.asked import Asked, Library, rows_of, search_among, shown_sentences
from eval.questions import Question
from eval.spans import answer_scores, holds
from index.fusion import DEPTH
from index.passage import Hit
from index.sentences import blanked
from index.tokens import tokenize
from rag.answer import Answer, Citation
from rag.copies import READ, to_read

RIGHT = 0.5
"""DESIGN: confidence is the probability that the top span has F1 >= 0.5 with a right answer."""

STAGES = {
    "not asked": "the question cannot be asked (no words, too long)",
    "not ingested": "none of its documents is in the index",
    "gold": "the answer does not stand where the set says: the set is wrong",
    "masked": "the answer stands only in masked text",
    "split": "no sentence of a passage holds the answer whole",
    "sparse": "BM25 brought no passage that holds it, or too far down; dense search did better",
    "dense": "dense search brought no passage that holds it, or too far down; BM25 did better",
    "sparse and dense": "neither search brought a passage that holds it",
    "fusion": "both brought one alike, and fusion put it behind those that are read",
    "reader": "a passage that holds it was read, and another span taken",
    "calibration": "the right span was refused, or one shown where none is right",
}
"""Every stage, in the order a question takes, and what being lost there means."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Where a miss was lost: one of ``STAGES``.

    ``fused``, ``sparse`` and ``dense`` are the ranks, from 1, of the best passage that holds the answer: as served, and
    of either search alone; None when it is not among the first ``index.fusion.DEPTH``, or was not looked for.
    ``isolated`` says whether the best candidate is right when the reader gets the passages that hold the answer; None
    when there are none, or no answer to tell by.
    """

    stage: str
    fused: int | None = None
    sparse: int | None = None
    dense: int | None = None
    isolated: bool | None = None


def best_citation(answer: Answer) -> Citation | None:
    """Where the best candidate stands, refused or not; None when there was no candidate."""
    cited = answer.citations or (answer.alternatives[0].citations if answer.alternatives else ())
    return cited[0] if cited else None


def said(question: Question, answer: Answer) -> list[str]:
    """What is judged: the items of a list that was answered where one is wanted, else the best candidate ([]: none).

    Of a list that was refused that is its first item alone: the pipeline puts a list together only to answer with it.
    """
    if question.multi and answer.parts:
        return [part.answer for part in answer.parts]
    best = best_citation(answer)
    return [best.quote] if best else []


def is_right(question: Question, answer: Answer) -> bool:
    """Whether what was said, refused or not, answers an answerable question.

    As ``right_words`` has it; False where nothing was said.
    """
    best = best_citation(answer)
    return best is not None and right_words(question, said(question, answer), whole=best.quote == best.sentence)


def right_words(question: Question, words: Sequence[str], *, whole: bool) -> bool:
    """Whether these words, the best first, answer an answerable question; all of them, where a list is wanted.

    They have F1 >= ``RIGHT`` (of lists, where one is wanted) or, the first being a ``whole`` sentence, hold the answer.
    """
    if answer_scores(question, words)[1] >= RIGHT:
        return True
    held = [holds(words[0], [wanted]) for wanted in question.answers]
    return whole and (all(held) if question.multi else any(held))


def reached(hits: Sequence[Hit]) -> list[Hit]:
    """The hits that get as far as the reader: those read, and those passed over, of which it reads every sentence."""
    read, passed = to_read(hits)
    return read + passed


class Blamer:
    """The documents that a set's questions name, as the index holds them: where each answer stands, and who lost it."""

    def __init__(self, pipeline: Asked, questions: Iterable[Question]) -> None:
        """Look up the passages of these questions' documents once; their texts are not kept."""
        self._pipeline = pipeline
        self._library: Library = pipeline.index
        known = set(self._library.doc_ids)
        named = {doc_id for question in questions for doc_id in question.documents}
        self._rows = rows_of(self._library, named & known)

    def sound(self, question: Question) -> bool | None:
        """Whether an answer stands in one of the question's documents, at the places that the set gives, if it does.

        None where that cannot be told: nothing to look for, or none of the documents in the index.
        """
        documents = [doc_id for doc_id in question.documents if doc_id in self._rows]
        if not question.answers or not documents:
            return None
        return any(_stands(question, doc_id, self._library.document(doc_id).text) for doc_id in documents)

    def blame(self, question: Question, hits: Sequence[Hit], *, right: bool = False, searched: bool = True) -> Blame:
        """Who lost a missed question. ``hits`` are what was found, best first; the reader reads ``READ`` of them.

        ``right`` says that the best candidate was right (and refused); without ``searched`` nothing was looked for:
        the reader was given the gold documents.
        """
        if right or not question.answerable:
            return Blame("calibration")
        stage, rows = self._before_search(question)
        if stage is not None:
            return Blame(stage)
        isolated = self._isolated(question, rows)
        if not searched:  # the whole documents were handed over
            return Blame("reader", isolated=isolated)
        fused = _rank([hit.passage.passage_id for hit in hits], rows)
        if any(hit.passage.passage_id in rows for hit in reached(hits)):
            return Blame("reader", fused, isolated=isolated)
        sparse, dense = self._arms(question, rows)
        return Blame(_arm(sparse, dense), fused, sparse, dense, isolated)

    def _before_search(self, question: Question) -> tuple[str | None, frozenset[int]]:
        """The stage before search that lost it, or None and the passage_ids that hold the answer."""
        if not question.documents:
            return "gold", frozenset()
        documents = [self._library.document(doc_id) for doc_id in question.documents if doc_id in self._rows]
        if not documents:
            return "not ingested", frozenset()
        rows = [row for document in documents for row in self._rows[document.doc_id]]
        if question.answers:
            if not any(_stands(question, document.doc_id, document.text) for document in documents):
                return "gold", frozenset()
            if not any(_stands(question, document.doc_id, blanked(document)) for document in documents):
                return "masked", frozenset()
            rows = [row for row in rows if self._holds(question, row)]
        elif not rows:
            return ("masked" if any(document.masked for document in documents) else "split"), frozenset()
        return (None, frozenset(rows)) if rows else ("split", frozenset())

    def _holds(self, question: Question, row: int) -> bool:
        passage = self._library.passage(row)
        sentences = shown_sentences(self._library, passage)
        return any(_stands(question, passage.doc_id, text, start) for start, text in sentences)

    def _isolated(self, question: Question, rows: frozenset[int]) -> bool | None:
        if not question.answers:
            return None
        hits = search_among(self._pipeline, question.question, rows, READ)
        return is_right(question, self._pipeline.trace_from(question.question, hits, 1).answer)

    def _arms(self, question: Question, rows: frozenset[int]) -> tuple[int | None, int | None]:
        """The rank of the best of ``rows`` in either search alone."""
        from index.search import Index

        index: object = self._library
        if not isinstance(index, Index):  # one that cannot be asked arm by arm
            return None, None
        sparse, _ = index.sparse.search(tokenize(question.question), DEPTH)
        dense, _ = index.dense.search(index.encoder.encode_query(question.question), DEPTH)
        return _rank(sparse.tolist(), rows), _rank(dense.tolist(), rows)


def _rank(ranked: Iterable[int], rows: frozenset[int]) -> int | None:
    return next((rank for rank, row in enumerate(ranked, 1) if row in rows), None)


def _arm(sparse: int | None, dense: int | None) -> str:
    """Which search lost a passage that stands behind the ``READ`` best after fusion.

    One that did not bring it at all (not among ``DEPTH``) while the other did; else the one that would not have had it
    read while the other would; else fusion, which had it from both.
    """
    if sparse is None and dense is None:
        return "sparse and dense"
    near = [rank is not None and rank <= READ for rank in (sparse, dense)]
    if sparse is None or (dense is not None and near == [False, True]):
        return "sparse"
    if dense is None or near == [True, False]:
        return "dense"
    return "fusion"


def _stands(question: Question, doc_id: str, text: str, offset: int = 0) -> bool:
    """Whether an answer stands in ``text``, which begins at ``offset`` of the document.

    At one of the places that the set gives for this document or, when it gives none, as a run of whole words.
    """
    placed = [
        (answer, start - offset)
        for answer, (document, start) in zip(question.answers, question.places, strict=False)
        if document == doc_id and start >= 0
    ]
    if not placed:
        return holds(text, question.answers)
    return any(start >= 0 and text[start : start + len(answer)] == answer for answer, start in placed)
