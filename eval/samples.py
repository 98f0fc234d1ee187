"""What a sample of questions says beyond itself: means, their error, intervals of a difference, percentiles."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from eval.confidence import Floats

LEVEL = 0.95
"""Of every interval."""
_RESAMPLES = 10_000
_CELLS = 4_000_000  # resampled values held at once, 32 MB


def mean(values: Sequence[float]) -> float:
    """The mean, summed one by one in the order given: the same digits under every Python version. Needs one value."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def standard_error(values: Floats) -> float | None:
    """Standard error of the mean, s / sqrt(n) with n - 1 in s. None with fewer than two values."""
    if len(values) < 2:
        return None
    return float(np.std(np.asarray(values, float), ddof=1) / np.sqrt(len(values)))


def percentile(values: Floats, percent: float) -> float | None:
    """Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). None when empty."""
    return float(np.percentile(np.asarray(values, float), percent)) if len(values) else None


def paired_bootstrap(ours: Floats, theirs: Floats) -> tuple[float, float, float]:
    """(difference of means ours - theirs, lower, upper): the 95 % percentile interval over resampled questions.

    Both run along the same questions; where a side is NaN it has no value, and its mean goes without. Efron and
    Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13; resamples in which a side has no value at all are
    left out. The same values give the same interval. Raises ValueError when the lengths differ or are 0, or a side has
    no value.
    """
    if len(ours) != len(theirs) or not len(ours):
        raise ValueError(
            f"a paired difference needs the same questions on both sides, got {len(ours)} and {len(theirs)}"
        )
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    if np.isnan(a).all() or np.isnan(b).all():
        raise ValueError("a paired difference needs a value on both sides")
    average = np.nanmean if np.isnan([a, b]).any() else np.mean  # several times faster
    n = len(a)
    generator = np.random.default_rng(0)
    means = np.empty(_RESAMPLES)
    step = max(1, _CELLS // n)
    for first in range(0, _RESAMPLES, step):
        rows = min(step, _RESAMPLES - first)
        drawn = generator.integers(0, n, size=(rows, n))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a resample without a value, left out below
            means[first : first + rows] = average(a[drawn], axis=1) - average(b[drawn], axis=1)
    lower, upper = np.nanpercentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(average(a) - average(b)), float(lower), float(upper)


def bootstrap_error(
    statistic: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float | None],
    first: Floats,
    second: Floats,
    *,
    resamples: int = 200,
) -> float | None:
    """Standard error of a statistic of paired samples, by the bootstrap (200 resamples: Efron and Tibshirani, chapter
    6).

    For figures that are no means. Resamples for which the statistic is None are left out; None with fewer than two
    left.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if len(a) < 2:
        return None
    generator = np.random.default_rng(0)
    drawn = (generator.integers(0, len(a), size=len(a)) for _ in range(resamples))
    values = [value for rows in drawn if (value := statistic(a[rows], b[rows])) is not None]
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
