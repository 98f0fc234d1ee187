"""A question set through the pipeline: a row a question, figures of them all, files that others' scripts can judge.

Three ways of asking:

- as a user does: the whole corpus is searched, the reader reads what was found;
- ``given_paragraph``: the reader gets the passages of the gold documents and nothing else: what it is worth alone;
- ``without_gold``: every passage that holds one of the answers is taken away; whatever is answered then is made up.
"""

import json
import re
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from eval.figures import Figure, Row, figures_of
from eval.holders import Holders, Sentences
from eval.questions import Question, QuestionSet
from eval.ranking import average_precision, ndcg, recall, reciprocal_rank
from eval.spans import answer_scores, citation_precision, citation_recall, f1, sentence_hit
from index.errors import InputError
from index.passage import Document, Hit, Passage
from rag.answer import Answer, Citation

DEPTH = 100
"""Passages retrieved for the ranking of documents; a document ranks where its best passage does."""

TAG = "citespan"
Progress = Callable[[int, int], None]
"""Called with how many questions are done and how many there are."""

_WHITE_SPACE = re.compile(r"\s")


class Library(Protocol):
    """What is wanted of an index."""

    @property
    def passages(self) -> Sequence[Passage]:
        """All passages."""

    @property
    def doc_ids(self) -> Sequence[str]:
        """The ids of all documents."""

    def document(self, doc_id: str) -> Document:
        """The document of that id."""


class Asked(Protocol):
    """What is wanted of a pipeline; ``rag.pipeline.Pipeline`` is one."""

    @property
    def index(self) -> Library:
        """What is searched."""

    def search(self, query: str, k: int = ..., exclude: frozenset[int] = ...) -> list[Hit]:
        """The k best passages, without those excluded."""

    def ask(self, question: str, k: int = ..., exclude: frozenset[int] = ...) -> Answer:
        """The answer, without reading the passages excluded."""

    def answer_from(self, question: str, hits: Sequence[Hit], k: int = ...) -> Answer:
        """The answer that these passages give."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run: ``rows`` in the set's order and what they come to, asked in one of three modes.

    ``mode`` is "open", "given_paragraph" or "without_gold".
    """

    set_name: str
    set_sha256: str
    mode: str
    rows: tuple[Row, ...]
    details: dict[str, Figure]

    @property
    def figures(self) -> dict[str, float]:
        """Each figure's value, by the names of ``eval.figures.FIGURES``."""
        return {name: figure.value for name, figure in self.details.items()}

    @property
    def standard_errors(self) -> dict[str, float]:
        """Each figure's standard error, where one is defined."""
        return {name: figure.error for name, figure in self.details.items() if figure.error is not None}


def evaluate(
    question_set: QuestionSet,
    pipeline: Asked,
    *,
    k: int = 3,
    given_paragraph: bool = False,
    without_gold: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Ask every question and score what comes out; ``k`` alternatives are asked for (3: what sentence hit@3 needs).

    Given the paragraph, questions without a gold document are left out; without gold, those without a gold answer. The
    same digits come out of the same index, reader and set, all but latency and memory.
    """
    if given_paragraph and without_gold:
        raise InputError("--given-paragraph gives the answers, --without-gold takes them away; choose one of the two.")
    mode = "given_paragraph" if given_paragraph else "without_gold" if without_gold else "open"
    rows = tuple(row for row, _ in ask_all(question_set, pipeline, mode=mode, k=k, progress=progress))
    return Result(question_set.name, question_set.sha256, mode, rows, figures_of(rows, without_gold=without_gold))


def ask_all(
    question_set: QuestionSet, pipeline: Asked, *, mode: str = "open", k: int = 3, progress: Progress | None = None
) -> Iterator[tuple[Row, Answer | None]]:
    """Each question's row as it comes, beside the whole answer it was made from (None when it was not asked).

    Rows are small (no passage, no sentence); whoever wants the answers keeps them.
    """
    questions = [question for question in question_set.questions if _belongs(question, mode)]
    if not questions:
        wanted = "a gold document" if mode == "given_paragraph" else "a gold answer"
        raise InputError(f"{question_set.path}: no question has {wanted}, so there is nothing to ask this way.")
    holders = Holders(pipeline.index.passages) if mode != "open" else None
    named = {doc_id for question in questions for doc_id in question.documents}
    # Of other people's sets the wording is not ours to judge.
    sentences = Sentences(pipeline.index.passages, named) if question_set.corpus is None and mode == "open" else None
    for done, question in enumerate(questions, 1):
        try:
            row, answer = _asked(question, pipeline, k, mode, holders, sentences)
        except InputError as error:  # no words, or more than the pipeline takes: as good as found nothing
            row, answer = _unasked(question, mode, str(error)), None
        yield row, answer
        if progress:
            progress(done, len(questions))


def write_predictions(result: Result, path: Path) -> None:
    """The answers in SQuAD's prediction format: a JSON object, question id -> text, "" when refused or not asked."""
    texts = {row.question.id: row.answer for row in result.rows}
    _write(path, json.dumps(texts, ensure_ascii=False, indent=0) + "\n")


def write_run(result: Result, path: Path) -> None:
    """The rankings in TREC's run format, a line a document: ``qid Q0 docid rank score tag``.

    White space in an id, which would shift the columns, is percent-encoded. trec_eval orders by score in single
    precision and breaks ties by id: a score that is no smaller there than the one before is lowered to the next smaller
    number, so that it judges the order that was shown.
    """
    lines = []
    for row in result.rows:
        before = np.float32(np.inf)
        for rank, (doc_id, score) in enumerate(zip(row.ranking, row.ranking_scores, strict=True), 1):
            before = min(np.float32(score), np.nextafter(before, np.float32(-np.inf)))
            lines.append(f"{_column(row.question.id)} Q0 {_column(doc_id)} {rank} {before:.9g} {TAG}\n")
    _write(path, "".join(lines))


# -- one question ------------------------------------------------------------------------------------------------------


def _belongs(question: Question, mode: str) -> bool:
    if mode == "given_paragraph":
        return bool(question.gold) and _judged(question)
    return mode == "open" or bool(question.answers)


def _judged(question: Question) -> bool:
    """Whether an answer to it can be told right from wrong; not so where only documents were judged (BEIR)."""
    return bool(question.answers) or not question.answerable


def _asked(
    question: Question, pipeline: Asked, k: int, mode: str, holders: Holders | None, sentences: Sentences | None
) -> tuple[Row, Answer | None]:
    text = question.question
    if holders is not None and mode == "without_gold":
        refusal = pipeline.ask(text, k, holders.holding(question))
        return _row(question, refusal, mode), refusal
    if holders is not None:
        gold = holders.of_documents(doc_id for doc_id, relevance in question.gold.items() if relevance > 0)
        # Searched among the gold passages alone, so that they come with the signals that a search gives.
        hits = pipeline.search(text, max(1, len(gold)), holders.others(gold))
        reading = pipeline.answer_from(text, hits, k)
        return _row(question, reading, mode), reading
    ranking, milliseconds = _ranked(text, pipeline)
    answer = pipeline.ask(text, k) if _judged(question) else None
    copied = sentences.overlap(question) if sentences and question.answerable else None
    return _row(question, answer, mode, ranking, milliseconds, copied), answer


def _ranked(query: str, pipeline: Asked) -> tuple[dict[str, float], float]:
    """doc_id -> its best passage's score, best first, and the milliseconds it took."""
    started = time.perf_counter()
    hits = pipeline.search(query, DEPTH)
    milliseconds = 1000 * (time.perf_counter() - started)
    ranking: dict[str, float] = {}
    for hit in hits:
        ranking.setdefault(hit.passage.doc_id, hit.score)
    return ranking, milliseconds


def _row(
    question: Question,
    answer: Answer | None,
    mode: str,
    ranking: dict[str, float] | None = None,
    search_ms: float | None = None,
    overlap: float | None = None,
) -> Row:
    scores: dict[str, float] = {}
    if ranking is not None and question.answerable:
        scores |= _ranking_scores(list(ranking), question)
    if overlap is not None:
        scores["overlap"] = overlap
    timings = {} if search_ms is None else {"search": search_ms}
    best, best_f1 = "", 0.0
    if answer is not None:
        best = _best(answer)
        if question.answerable and mode != "without_gold":
            best_f1 = f1(best, question.answers)
            scores |= _answer_scores(question, answer, best)
        else:
            scores["refused"] = float(not answer.answered)
            if mode != "without_gold":
                scores |= {"EM_all": scores["refused"], "F1_all": scores["refused"]}
        timings |= answer.timings_ms
    return Row(
        question=question,
        answered=answer.answered if answer else None,
        answer=(answer.answer or "") if answer else "",
        best=best,
        best_f1=best_f1,
        confidence=answer.confidence if answer else None,
        ranking=tuple(ranking or ()),
        ranking_scores=array("d", (ranking or {}).values()),
        scores=scores,
        timings_ms=timings,
    )


def _unasked(question: Question, mode: str, problem: str) -> Row:
    refusal = Answer(question.question, False, None, 0.0, "not_found")
    row = _row(question, refusal if _judged(question) else None, mode, {} if mode == "open" else None)
    return Row(question, row.answered, confidence=row.confidence, scores=row.scores, problem=problem)


def _ranking_scores(ranking: Sequence[str], question: Question) -> dict[str, float]:
    return {
        **{f"R@{k}": recall(ranking, question.gold, k) for k in (1, 5, 10)},
        "RR@10": reciprocal_rank(ranking, question.gold, 10),
        "AP": average_precision(ranking, question.gold),
        "nDCG@10": ndcg(ranking, question.gold, 10),
    }


def _answer_scores(question: Question, answer: Answer, best: str) -> dict[str, float]:
    parts = [part.answer for part in answer.parts] or [answer.answer or ""]
    em, overlap = answer_scores(question, parts if answer.answered else [])
    forced_em, forced_f1 = answer_scores(question, parts if answer.answered else [best])
    first, pool = _candidates(answer)
    found = {
        "sentence_hit@1": sentence_hit(first, question, 1),
        "sentence_hit@3": sentence_hit(pool, question, 3),
        "EM": em,
        "F1": overlap,
        "EM_forced": forced_em,
        "F1_forced": forced_f1,
        "EM_all": em,
        "F1_all": overlap,
        "answered": float(answer.answered),
    }
    if answer.answered:
        cited = [_place(citation) for citation in answer.citations]
        found["citation_precision"] = citation_precision(cited, question)
        found["citation_recall"] = citation_recall(cited, question)
    return found


def _best(answer: Answer) -> str:
    if answer.answered:
        return answer.answer or ""
    return answer.alternatives[0].answer if answer.alternatives else ""


def _candidates(answer: Answer) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(sentence, document) of the best candidate, and of each candidate's first citation, best first."""
    alternatives = [_place(alternative.citations[0]) for alternative in answer.alternatives]
    own = [_place(answer.citations[0])] if answer.citations else []
    return own or alternatives[:1], own + alternatives


def _place(citation: Citation) -> tuple[str, str]:
    return citation.sentence, citation.document


# -- files -------------------------------------------------------------------------------------------------------------


def _column(text: str) -> str:
    return _WHITE_SPACE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give a file in an existing folder.") from None
