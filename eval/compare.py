"""A run against an earlier one: what each figure gained or lost, which questions, and which answers changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.figures import FIGURES, STATISTICS
from eval.fingerprint import EQUAL
from eval.run import Run, RunRow
from eval.samples import LEVEL, paired_bootstrap
from index.errors import InputError

RESAMPLES = 400
"""Of the figures that are no means; the means take ``eval.samples.paired_bootstrap``'s own."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both runs, ``ours`` - ``theirs``, and its paired 95 % interval over ``n`` questions.

    ``lower`` and ``upper`` are None where no interval is defined (latency, memory, a statistic that hardly any
    resample defines).
    """

    figure: str
    ours: float
    theirs: float
    lower: float | None
    upper: float | None
    n: int

    @property
    def difference(self) -> float:
        """``ours`` - ``theirs``."""
        return self.ours - self.theirs


@dataclass(frozen=True, slots=True)
class Change:
    """A question that was gained or lost, or whose answer ("" is refused, None not stored) is not what it was."""

    id: str
    question: str
    before: str | None
    after: str | None
    was_right: bool
    is_right: bool

    @property
    def kind(self) -> str:
        """ "gained", "lost", or "changed" (as right, or as wrong, as before)."""
        if self.is_right == self.was_right:
            return "changed"
        return "gained" if self.is_right else "lost"

    @property
    def texts(self) -> tuple[str, str]:
        """Both answers as people read them, before and after."""
        before, after = ("(not stored)" if text is None else text or "(refused)" for text in (self.before, self.after))
        return before, after


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs. ``settings`` are (name, before, after) of models and settings that do."""

    baseline: str
    differences: Mapping[str, Difference]
    changes: tuple[Change, ...]
    settings: tuple[tuple[str, str, str], ...]

    def of_kind(self, kind: str) -> list[Change]:
        """The changes of one kind, in the set's order."""
        return [change for change in self.changes if change.kind == kind]


def comparable(figure: str) -> bool:
    """Whether a paired interval over questions is defined for this figure: not for latency, memory and chance."""
    return figure in FIGURES and figure not in {"peak_memory_mb", "ECE_chance"}


def check_fit(ours: Mapping[str, Mapping[str, object]], baseline: Run) -> None:
    """Raise InputError unless the baseline ran the same questions in the same mode over the same corpus.

    ``ours`` is the fingerprint of the run to be compared.
    """
    for part in EQUAL:
        mine, other = ours.get(part, {}), baseline.fingerprint.get(part, {})
        for name in sorted(mine.keys() | other.keys()):
            if mine.get(name) != other.get(name):
                what = f"{part} ({name} {other.get(name)!r}, here {mine.get(name)!r})"
                wanted = "give one of the same set and corpus, or store it anew with `python -m eval.baseline SET`"
                raise InputError(f"{baseline.name} is a run of another {what}; {wanted}.")


def compare(ours: Run, baseline: Run) -> Comparison:
    """Compare two runs of the same questions; raises InputError when they are not (``check_fit``)."""
    check_fit(ours.fingerprint, baseline)
    before = {row.id: row for row in baseline.rows}
    if len(before) != len(baseline.rows) or before.keys() != {row.id for row in ours.rows}:
        raise InputError(f"{baseline.name} does not hold the questions of this run; store it anew with --report.")
    pairs = [(row, before[row.id]) for row in ours.rows]
    return Comparison(
        baseline=baseline.name,
        differences=_differences(ours, baseline, pairs),
        changes=tuple(
            Change(row.id, row.question, old.answer, row.answer, old.right, row.right)
            for row, old in pairs
            if row.right != old.right or (old.answer is not None and row.answer != old.answer)
        ),
        settings=tuple(_settings(ours.fingerprint, baseline.fingerprint)),
    )


def _differences(ours: Run, baseline: Run, pairs: Sequence[tuple[RunRow, RunRow]]) -> dict[str, Difference]:
    found = {}
    for figure in ours.figures:
        if figure not in baseline.figures:
            continue
        if figure in STATISTICS:
            lower, upper, n = _resampled(figure, pairs)
        else:
            lower, upper, n = _of_means(figure, pairs)
        found[figure] = Difference(figure, ours.figures[figure], baseline.figures[figure], lower, upper, n)
    return found


def _of_means(figure: str, pairs: Sequence[tuple[RunRow, RunRow]]) -> tuple[float | None, float | None, int]:
    """Over the questions that have the figure in either run (a citation's precision is of answered ones alone)."""
    either = [
        (new.scores.get(figure, np.nan), old.scores.get(figure, np.nan))
        for new, old in pairs
        if figure in new.scores or figure in old.scores
    ]
    if not either:
        return None, None, len(pairs)
    _, lower, upper = paired_bootstrap([new for new, _ in either], [old for _, old in either])
    return lower, upper, len(either)


def _resampled(figure: str, pairs: Sequence[tuple[RunRow, RunRow]]) -> tuple[float | None, float | None, int]:
    """The percentile interval of a statistic's difference over resampled questions.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13, as in ``paired_bootstrap``; resamples
    for which either side is undefined are left out.
    """
    label, statistic = STATISTICS[figure]
    both = [(new, old) for new, old in pairs if new.confidence is not None and old.confidence is not None]
    sides = []
    for side in (0, 1):
        rows = [pair[side] for pair in both]
        labels = [row.answerable if label == "answerable" else row.best_right for row in rows]
        sides.append((np.array([row.confidence for row in rows], float), np.array(labels, float)))
    generator = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES if len(both) > 1 else 0):
        drawn = generator.integers(0, len(both), size=len(both))
        new, old = (statistic(stated[drawn], labels[drawn]) for stated, labels in sides)
        if new is not None and old is not None:
            values.append(new - old)
    if len(values) < RESAMPLES / 2:
        return None, None, len(both)
    lower, upper = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(lower), float(upper), len(both)


def _settings(
    ours: Mapping[str, Mapping[str, object]], theirs: Mapping[str, Mapping[str, object]]
) -> list[tuple[str, str, str]]:
    found = []
    for part in ("models", "settings"):
        mine, other = ours.get(part, {}), theirs.get(part, {})
        names = [*mine, *(name for name in other if name not in mine)]
        found += [
            (name, str(other.get(name)), str(mine.get(name))) for name in names if mine.get(name) != other.get(name)
        ]
    return found
