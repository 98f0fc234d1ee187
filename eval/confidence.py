"""What a confidence is worth: does it rank right above wrong, and does 0.8 mean right four times in five.

``confidence`` and ``right`` are arrays of one length, (n,): the stated probability and whether the answer was right (1
or 0). Nothing here depends on the order of the questions, ties included. A figure that a sample does not define (no
positives, say) is None, never a number.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = Sequence[float] | npt.NDArray[np.float64]
Array = npt.NDArray[np.float64]


def auroc(positive: Floats, negative: Floats) -> float | None:
    """The chance that a positive's score exceeds a negative's, ties one half: the area under the ROC curve.

    Through mid-ranks, as the Mann-Whitney U statistic (Hanley and McNeil 1982). None when either side is empty.
    """
    m, n = len(positive), len(negative)
    if not m or not n:
        return None
    ranks = _mid_ranks(np.concatenate([np.asarray(positive, float), np.asarray(negative, float)]))
    return float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))


def auroc_error(positive: Floats, negative: Floats) -> float | None:
    """Standard error of the AUROC (DeLong, DeLong and Clarke-Pearson 1988). None with fewer than two on either side."""
    m, n = len(positive), len(negative)
    if m < 2 or n < 2:
        return None
    a, b = np.asarray(positive, float), np.asarray(negative, float)
    ranks = _mid_ranks(np.concatenate([a, b]))
    of_positive = (ranks[:m] - _mid_ranks(a)) / n
    of_negative = 1.0 - (ranks[m:] - _mid_ranks(b)) / m
    return float(np.sqrt(of_positive.var(ddof=1) / m + of_negative.var(ddof=1) / n))


def risk_coverage(confidence: Floats, right: Floats) -> list[tuple[float, float, float]]:
    """(coverage, risk, threshold) for every distinct threshold, highest first.

    Coverage is the share of questions answered when all with confidence >= threshold are, risk the share of wrong ones
    among them (El-Yaniv and Wiener 2010, "On the Foundations of Noise-free Selective Classification").
    """
    values, counts, sums = _groups(confidence, right)
    answered, correct = np.cumsum(counts[::-1]), np.cumsum(sums[::-1])
    total = answered[-1] if len(answered) else 1
    triples = zip(answered / total, 1 - correct / answered, values[::-1], strict=True)
    return [(float(coverage), float(risk), float(threshold)) for coverage, risk, threshold in triples]


def aurc(confidence: Floats, right: Floats) -> float | None:
    """Area under the risk-coverage curve, lower is better: the mean over questions of the risk at the threshold that
    just
    answers it (Geifman, Uziel and El-Yaniv 2019, "Bias-Reduced Uncertainty Estimation"). None when empty."""
    curve = risk_coverage(confidence, right)
    if not curve:
        return None
    coverage = np.array([0.0] + [point[0] for point in curve])
    return float(np.dot(np.diff(coverage), [point[1] for point in curve]))


def coverage_at_precision(confidence: Floats, right: Floats, precision: float) -> float | None:
    """The largest coverage at which at least ``precision`` of the answered are right; 0 if no threshold does it.

    Kamath, Jia and Liang 2020, "Selective Question Answering under Domain Shift" (coverage at accuracy). None when
    empty.
    """
    curve = risk_coverage(confidence, right)
    # 1 - risk was computed by a division; without the slack 4 right of 5 would miss precision 0.8.
    return max((point[0] for point in curve if 1 - point[1] >= precision - 1e-12), default=0.0) if curve else None


def brier(confidence: Floats, right: Floats) -> float | None:
    """Mean squared difference of confidence and outcome, lower is better (Brier 1950). None when empty."""
    if not len(confidence):
        return None
    return float(np.mean((np.asarray(confidence, float) - np.asarray(right, float)) ** 2))


def brier_skill(confidence: Floats, right: Floats) -> float | None:
    """1 - Brier / Brier of always saying this sample's share of right ones; above 0 is better than that (Murphy 1973).

    None when empty, or when all are right or all are wrong: there is nothing to tell apart.
    """
    score = brier(confidence, right)
    base = float(np.mean(np.asarray(right, float))) if len(right) else 0.0
    return None if score is None or base in (0.0, 1.0) else 1.0 - score / (base * (1.0 - base))


def ece(confidence: Floats, right: Floats, bins: int = 15) -> float | None:
    """Expected calibration error: over equal-mass bins, mean |share right - mean confidence|, weighted by size.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", with equal mass in place of equal width (Nguyen and
    O'Connor 2015). Equal confidences share their outcome before the cut, so that a bin's edge never depends on the
    order given.
    """
    values, counts, sums = _groups(confidence, right)
    if not len(values):
        return None
    ordered, shared = np.repeat(values, counts), np.repeat(sums / counts, counts)
    parts = zip(np.array_split(ordered, bins), np.array_split(shared, bins), strict=True)
    return float(sum(abs(outcome.sum() - stated.sum()) for stated, outcome in parts) / len(ordered))


def ece_by_chance(confidence: Floats, bins: int = 15) -> float | None:
    """The expectation of ``ece`` were every confidence exactly true: so much is shown by chance.

    Of each bin the mean distance of the number of right ones, which then is Poisson binomial, from its mean; equal
    confidences that two bins share are taken apart there. None when empty.
    """
    stated = np.sort(np.asarray(confidence, float))
    if not len(stated):
        return None
    distance = 0.0
    for part in np.array_split(stated, bins):
        chances = np.ones(1)  # of 0, 1, … right ones
        for probability in part:
            chances = np.convolve(chances, (1 - probability, probability))
        distance += float((chances * np.abs(np.arange(len(chances)) - part.sum())).sum())
    return distance / len(stated)


def _groups(confidence: Floats, right: Floats) -> tuple[Array, npt.NDArray[np.int64], Array]:
    """Distinct confidences ascending, how many have each, and how many of those are right."""
    values, inverse, counts = np.unique(np.asarray(confidence, float), return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=np.asarray(right, float), minlength=len(values))
    return values, counts.astype(np.int64), sums.astype(np.float64)


def _mid_ranks(values: Array) -> Array:
    """1-based ranks, ascending; tied values get the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[inverse]
    return ranks
