"""Rows -> figures: what a run comes to, each figure with its standard error and its number of questions.

Every name that a gate may use stands in ``FIGURES`` (and ``p50_ms_STAGE``, ``p95_ms_STAGE``); the metrics themselves in
``eval.metrics``. All run from 0 to 1, but skill, which can be negative, latencies (ms) and memory (MB, 10^6 bytes).
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval import confidence
from eval.blame import Blame
from eval.questions import Question
from eval.samples import bootstrap_error, mean, percentile, standard_error
from eval.shown import Shown

FIGURES: Mapping[str, str] = {
    "R@1": "share of the gold documents ranked first",
    "R@5": "share of the gold documents among the first 5",
    "R@10": "share of the gold documents among the first 10",
    "RR@10": "1 / rank of the first gold document, 0 beyond 10",
    "AP": "average precision of the whole ranking (its mean is MAP)",
    "nDCG@10": "graded gain of the first 10 documents over the best possible",
    "sentence_hit@1": "the best candidate's sentence holds an answer and stands in a gold document",
    "sentence_hit@3": "so does one of the best three candidates'",
    "EM": "exact match of the answer, answerable questions, refused counts 0",
    "F1": "word F1 of the answer, answerable questions, refused counts 0",
    "EM_forced": "exact match of the best candidate, refused or not (of a list that was answered: its items)",
    "F1_forced": "word F1 of the best candidate, refused or not (of a list that was answered: its items)",
    "EM_all": "exact match over all questions, as SQuAD 2.0 has it: right to refuse the unanswerable",
    "F1_all": "word F1 over all questions, likewise",
    "list_EM": "exact match of the items, questions that want a list, refused counts 0",
    "list_F1": "F1 of the items, questions that want a list, refused counts 0",
    "answered": "share of the answerable questions that were answered",
    "refused": "share of the unanswerable questions that were refused",
    "citation_precision": "share of an answer's citations (of a list: of each item's) that hold up",
    "citation_recall": "share of the gold documents that an answer cites, with a citation that holds up",
    "sound": "share of the answerable questions whose answer stands in a document, and where, as the set says",
    "overlap": "share of a question's content words that stand in a gold sentence",
    "AUROC": "confidence, answerable against unanswerable questions",
    "AUROC_right": "confidence, right best candidates against wrong ones",
    "coverage@80": "share answered at the lowest threshold that is right in 80 %",
    "coverage@90": "share answered at the lowest threshold that is right in 90 %",
    "coverage@95": "share answered at the lowest threshold that is right in 95 %",
    "AURC": "area under the risk-coverage curve",
    "Brier": "mean squared error of the confidence",
    "Brier_skill": "gain in Brier score over always stating the share of right ones",
    "ECE": "calibration error, 15 bins of equal mass",
    "ECE_chance": "the ECE to expect of so many questions were these confidences exactly true",
    "peak_memory_mb": "largest resident memory of the process so far",
}
_LATENCY = re.compile(r"p(?:50|95)_ms_[a-z_]+")
_LOWER_IS_BETTER = frozenset({"overlap", "AURC", "Brier", "ECE", "ECE_chance", "peak_memory_mb"})


def is_figure(name: str) -> bool:
    """Whether a run can have a figure of this name."""
    return name in FIGURES or bool(_LATENCY.fullmatch(name))


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of this figure is the better one."""
    return name in _LOWER_IS_BETTER or bool(_LATENCY.fullmatch(name))


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one question.

    ``answered`` and ``confidence`` are None when it was only searched for (no answer is known to compare with).
    ``answer`` is "" when refused, ``best`` the best candidate refused or not ("" if there was none), ``best_right``
    whether that answers the question (``eval.blame.is_right``; an unanswerable one nothing does). ``ranking`` holds
    doc_ids, best first, with ``ranking_scores`` along it. ``scores`` are what it adds to the figures that are means,
    ``timings_ms`` milliseconds by stage. ``problem`` says why it could not be asked at all; it then counts as found
    nothing and refused. ``right`` is whether it is no miss, ``blame`` the stage that lost it if it is one
    (``eval.blame``); ``shown`` is kept for a report that shows passages.
    """

    question: Question
    answered: bool | None = None
    answer: str = ""
    best: str = ""
    best_right: bool = False
    confidence: float | None = None
    ranking: tuple[str, ...] = ()
    ranking_scores: "array[float]" = field(default_factory=lambda: array("d"))
    scores: Mapping[str, float] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None
    right: bool = True
    blame: Blame | None = None
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, its standard error (None where none is defined: latency, memory, one question), and over how many."""

    value: float
    error: float | None
    n: int


def figures_of(rows: Sequence[Row], *, without_gold: bool = False) -> dict[str, Figure]:
    """Every figure that the rows define, in the order of ``FIGURES``, then latencies by stage.

    ``without_gold`` says that the answers were taken away: every question counts as unanswerable.
    """
    found = _means(rows)
    found |= _confidence(rows, without_gold)
    found["peak_memory_mb"] = Figure(peak_memory_mb(), None, len(rows))
    ordered = {name: found[name] for name in FIGURES if name in found}
    return ordered | _latencies(rows)


def peak_memory_mb() -> float:
    """The largest resident set of this process so far, in MB (10^6 bytes); 0 where the system does not say."""
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _means(rows: Iterable[Row]) -> dict[str, Figure]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.scores.items():
            values.setdefault(name, []).append(value)
    return {name: Figure(mean(each), standard_error(each), len(each)) for name, each in values.items()}


def _confidence(rows: Iterable[Row], without_gold: bool) -> dict[str, Figure]:
    stated: list[float] = []
    right: list[float] = []
    answerable: list[float] = []
    for row in rows:
        if row.confidence is None:
            continue
        stated.append(row.confidence)
        right.append(float(row.best_right))
        answerable.append(float(row.question.answerable))
    found: dict[str, Figure] = {}
    labels = {"right": right, "answerable": answerable}
    for name, (label, statistic) in STATISTICS.items():
        # Of a run whose answers were taken away, nothing is right and nothing answerable.
        value = None if without_gold or not stated else statistic(stated, labels[label])
        if value is not None:
            found[name] = Figure(value, _error(name, stated, labels[label]), len(stated))
    if "ECE" in found:
        found["ECE_chance"] = Figure(confidence.ece_by_chance(stated) or 0.0, None, len(stated))
    return found


def _error(name: str, stated: Sequence[float], label: Sequence[float]) -> float | None:
    if name.startswith("AUROC"):
        return confidence.auroc_error(*_sides(stated, label))
    return bootstrap_error(STATISTICS[name][1], stated, label)


def _sides(stated: confidence.Floats, label: confidence.Floats) -> tuple[confidence.Array, confidence.Array]:
    values, positive = np.asarray(stated, float), np.asarray(label, float) == 1
    return values[positive], values[~positive]


def _auroc(stated: confidence.Floats, label: confidence.Floats) -> float | None:
    return confidence.auroc(*_sides(stated, label))


def _coverage(precision: float) -> "Statistic":
    return lambda stated, right: confidence.coverage_at_precision(stated, right, precision)


Statistic = Callable[[confidence.Floats, confidence.Floats], float | None]
STATISTICS: Mapping[str, tuple[str, Statistic]] = {
    "AUROC": ("answerable", _auroc),
    "AUROC_right": ("right", _auroc),
    "coverage@80": ("right", _coverage(0.8)),
    "coverage@90": ("right", _coverage(0.9)),
    "coverage@95": ("right", _coverage(0.95)),
    "AURC": ("right", confidence.aurc),
    "Brier": ("right", confidence.brier),
    "Brier_skill": ("right", confidence.brier_skill),
    "ECE": ("right", confidence.ece),
}
"""Figures of the stated confidences that are no means: name -> the label they are held against ("right": the best
candidate is; "answerable": the question is), and the statistic of the two."""


def _latencies(rows: Iterable[Row]) -> dict[str, Figure]:
    stages: dict[str, list[float]] = {}
    for row in rows:
        for stage, milliseconds in row.timings_ms.items():
            stages.setdefault(stage, []).append(milliseconds)
    return {
        f"p{percent}_ms_{stage}": Figure(value, None, len(values))
        for stage, values in stages.items()
        for percent in (50, 95)
        if (value := percentile(values, percent)) is not None
    }
