"""A question set through the pipeline: a row a question, and the figures of them all.

Three ways of asking:

- as a user does: the whole corpus is searched, the reader reads what was found;
- ``given_paragraph``: the reader gets the gold documents, whole, and nothing else: what it is worth alone;
- ``without_gold``: every passage that holds one of the answers is taken away; whatever is answered then is made up.
"""

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eval.asked import Asked
from eval.blame import Blame, Blamer, best_citation, is_right, reached, said
from eval.figures import Figure, Row, figures_of
from eval.fingerprint import fingerprint
from eval.holders import Holders, Sentences
from eval.paragraphs import Paragraphs
from eval.questions import Question, QuestionSet
from eval.ranking import average_precision, ndcg, recall, reciprocal_rank
from eval.shown import shown
from eval.spans import answer_scores, citation_precision, citation_recall, sentence_hit
from index.errors import InputError
from index.fusion import DEPTH
from index.passage import Hit
from rag.answer import Answer, Citation

ALTERNATIVES = 3
"""How many are asked for beside an answer: what sentence hit@3 needs, whatever users see."""
KEPT = Counter({"missed": 500, "right": 200})
"""Of how many questions a report keeps the passages, so that memory stays flat however large the set."""

Progress = Callable[[int, int], None]
"""Called with how many questions are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run: ``rows`` in the set's order and what they come to, asked in one of three modes.

    ``mode`` is "open", "given_paragraph" or "without_gold"; ``fingerprint`` says what was run (``eval.fingerprint``).
    """

    set_name: str
    set_sha256: str
    mode: str
    rows: tuple[Row, ...]
    details: dict[str, Figure]
    fingerprint: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """Each figure's value, by the names of ``eval.figures.FIGURES``."""
        return {name: figure.value for name, figure in self.details.items()}

    @property
    def standard_errors(self) -> dict[str, float]:
        """Each figure's standard error, where one is defined."""
        return {name: figure.error for name, figure in self.details.items() if figure.error is not None}


def mode_of(*, given_paragraph: bool, without_gold: bool) -> str:
    """The name of the mode that the two flags choose; InputError for both."""
    if given_paragraph and without_gold:
        raise InputError("--given-paragraph gives the answers, --without-gold takes them away; choose one of the two.")
    return "given_paragraph" if given_paragraph else "without_gold" if without_gold else "open"


def evaluate(
    question_set: QuestionSet,
    pipeline: Asked,
    *,
    k: int = ALTERNATIVES,
    given_paragraph: bool = False,
    without_gold: bool = False,
    passages: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Ask every question and score what comes out; ``k`` alternatives are asked for.

    Given the paragraph, questions without a gold document are left out; without gold, those without a gold answer. The
    same digits come out of the same index, reader and set, all but latency and memory. With ``passages``, rows keep
    what was found (``Row.shown``) of as many questions as ``KEPT`` says.
    """
    mode = mode_of(given_paragraph=given_paragraph, without_gold=without_gold)
    asked = ask_all(question_set, pipeline, mode=mode, k=k, passages=passages, progress=progress)
    rows = tuple(row for row, _ in asked)
    details = figures_of(rows, without_gold=without_gold)
    printed = fingerprint(question_set, pipeline, mode, k)
    return Result(question_set.name, question_set.sha256, mode, rows, details, printed)


def ask_all(
    question_set: QuestionSet,
    pipeline: Asked,
    *,
    mode: str = "open",
    k: int = ALTERNATIVES,
    passages: bool = False,
    progress: Progress | None = None,
) -> Iterator[tuple[Row, Answer | None]]:
    """Each question's row as it comes, beside the whole answer it was made from (None when it was not asked).

    Rows are small (no passage, no sentence, but for those that ``passages`` keeps); whoever wants the answers keeps
    them.
    """
    questions = [question for question in question_set.questions if _belongs(question, mode)]
    if not questions:
        wanted = "a gold document and an answer" if mode == "given_paragraph" else "a gold answer"
        raise InputError(f"{question_set.path}: no question has {wanted}, so there is nothing to ask this way.")
    asker = _Asker(pipeline, questions, mode, k, own=question_set.corpus is None)
    kept = +KEPT if passages else Counter[str]()
    for done, question in enumerate(questions, 1):
        try:
            row, answer, hits = asker.ask(question)
        except InputError as error:  # no words, or more than the pipeline takes: as good as found nothing
            row, answer = _unasked(question, mode, str(error)), None
        else:
            kind = "right" if row.right else "missed"
            if kept[kind] > 0:
                kept[kind] -= 1
                row = replace(row, shown=shown(question, hits, best_citation(answer) if answer else None))
        yield row, answer
        if progress:
            progress(done, len(questions))


# -- one question ------------------------------------------------------------------------------------------------------


def _belongs(question: Question, mode: str) -> bool:
    if mode == "given_paragraph":
        return bool(question.gold) and _judged(question)
    return mode == "open" or bool(question.answers)


def _judged(question: Question) -> bool:
    """Whether an answer to it can be told right from wrong; not so where only documents were judged (BEIR)."""
    return bool(question.answers) or not question.answerable


class _Asker:
    """Asks in one mode, with what it takes to judge that."""

    def __init__(self, pipeline: Asked, questions: Sequence[Question], mode: str, k: int, *, own: bool) -> None:
        self._pipeline, self._mode, self._k = pipeline, mode, k
        self._blamer = Blamer(pipeline, questions)
        self._holders = Holders(pipeline.index) if mode == "without_gold" else None
        self._paragraphs = Paragraphs(pipeline, questions) if mode == "given_paragraph" else None
        named = {doc_id for question in questions for doc_id in question.documents}
        # Of other people's sets the wording is not ours to judge.
        self._sentences = Sentences(pipeline.index, named) if own and mode == "open" else None

    def ask(self, question: Question) -> tuple[Row, Answer | None, Sequence[Hit]]:
        """The row, the answer it was made from (None where documents alone are judged), what was found or given."""
        text = question.question
        if self._holders is not None:
            trace = self._pipeline.trace(text, self._k, self._holders.holding(question))
            return self._row(question, trace.answer, ()), trace.answer, trace.hits
        if self._paragraphs is not None:
            given = self._paragraphs.hits(question)
            answer = self._pipeline.trace_from(text, given, self._k).answer
            return self._row(question, answer, given), answer, given
        return self._search(question)

    def _search(self, question: Question) -> tuple[Row, Answer | None, Sequence[Hit]]:
        """Searched once: a ranking of documents takes ``DEPTH`` passages (a document stands where its best one does).

        The reader reads the same of them as of a user's question: the search fuses its ``DEPTH`` best, however many of
        them it returns.
        """
        started = time.perf_counter()
        hits = self._pipeline.search(question.question, DEPTH)
        timings = {"retrieve": round(1000 * (time.perf_counter() - started), 2)}
        answer: Answer | None = None
        if _judged(question):
            answer = self._pipeline.trace_from(question.question, hits, self._k, timings["retrieve"]).answer
        scores: dict[str, float | None] = {}
        if question.answerable:
            scores["sound"] = self._blamer.sound(question)
            scores["overlap"] = self._sentences.overlap(question) if self._sentences else None
        row = self._row(question, answer, hits, timings, _ranking(hits))
        known = {name: float(value) for name, value in scores.items() if value is not None}
        return replace(row, scores={**row.scores, **known}), answer, hits

    def _row(
        self,
        question: Question,
        answer: Answer | None,
        hits: Sequence[Hit],
        timings: Mapping[str, float] | None = None,
        ranking: dict[str, float] | None = None,
    ) -> Row:
        row = _row(question, answer, self._mode, timings, ranking)
        if answer is None:
            row = replace(row, right=any(hit.passage.doc_id in question.documents for hit in reached(hits)))
        if row.right:
            return row
        if self._mode == "without_gold":
            question = replace(question, answerable=False)
        searched = self._mode == "open"
        return replace(row, blame=self._blamer.blame(question, hits, right=row.best_right, searched=searched))


def _ranking(hits: Sequence[Hit]) -> dict[str, float]:
    """doc_id -> its best passage's score, best first."""
    ranking: dict[str, float] = {}
    for hit in hits:
        ranking.setdefault(hit.passage.doc_id, hit.score)
    return ranking


def _row(
    question: Question,
    answer: Answer | None,
    mode: str,
    timings: Mapping[str, float] | None = None,
    ranking: dict[str, float] | None = None,
) -> Row:
    scores: dict[str, float] = {}
    if ranking is not None and question.answerable:
        scores |= _ranking_scores(list(ranking), question)
    best, best_right, right = "", False, True
    if answer is not None:
        cited = best_citation(answer)
        best = cited.quote if cited else ""
        if question.answerable and mode != "without_gold":
            scores |= _answer_scores(question, answer)
            best_right = is_right(question, answer)
            right = answer.answered and best_right
        else:
            right = not answer.answered
            scores["refused"] = float(right)
            if mode != "without_gold":
                scores |= {"EM_all": scores["refused"], "F1_all": scores["refused"]}
    elif ranking is not None:
        right = False  # unless a gold document is among those that would be read or are passed over as copies
    return Row(
        question=question,
        answered=answer.answered if answer else None,
        answer=(answer.answer or "") if answer else "",
        best=best,
        best_right=best_right,
        confidence=answer.confidence if answer else None,
        ranking=tuple(ranking or ()),
        ranking_scores=array("d", (ranking or {}).values()),
        scores=scores,
        timings_ms={**(timings or {}), **(answer.timings_ms if answer else {})},
        right=right,
    )


def _unasked(question: Question, mode: str, problem: str) -> Row:
    refusal = Answer(question.question, False, None, 0.0, "not_found")
    row = _row(question, refusal if _judged(question) else None, mode, ranking={} if mode == "open" else None)
    blame = None if row.right else Blame("not asked")
    return replace(row, problem=problem, blame=blame)


def _ranking_scores(ranking: Sequence[str], question: Question) -> dict[str, float]:
    return {
        **{f"R@{k}": recall(ranking, question.gold, k) for k in (1, 5, 10)},
        "RR@10": reciprocal_rank(ranking, question.gold, 10),
        "AP": average_precision(ranking, question.gold),
        "nDCG@10": ndcg(ranking, question.gold, 10),
    }


def _answer_scores(question: Question, answer: Answer) -> dict[str, float]:
    forced_em, forced_f1 = answer_scores(question, said(question, answer))
    # By the official rules "" is right where an answer has no words ("The"); here what is refused counts 0.
    em_all, f1_all = (forced_em, forced_f1) if answer.answered else answer_scores(question, [])
    em, overlap = (em_all, f1_all) if answer.answered else (0.0, 0.0)
    candidates = _candidates(answer)
    found = {
        "sentence_hit@1": sentence_hit(candidates, question, 1),
        "sentence_hit@3": sentence_hit(candidates, question, 3),
        "EM": em,
        "F1": overlap,
        "EM_forced": forced_em,
        "F1_forced": forced_f1,
        "EM_all": em_all,
        "F1_all": f1_all,
        "answered": float(answer.answered),
    }
    if question.multi:
        found |= {"list_EM": em, "list_F1": overlap}
    if answer.answered:
        # A list cites each of its items; the answer itself is the first of them, and counts once.
        shown = dict.fromkeys((*answer.citations, *(place for part in answer.parts for place in part.citations)))
        cited = [_place(citation) for citation in shown]
        found["citation_precision"] = citation_precision(cited, question)
        found["citation_recall"] = citation_recall(cited, question)
    return found


def _candidates(answer: Answer) -> list[tuple[str, str]]:
    """(sentence, document) of each candidate's first citation, best first; the items of a list are candidates, too."""
    own = [_place(answer.citations[0])] if answer.citations else []
    items = [_place(part.citations[0]) for part in answer.parts[1:]]
    return own + items + [_place(alternative.citations[0]) for alternative in answer.alternatives]


def _place(citation: Citation) -> tuple[str, str]:
    return citation.sentence, citation.document
