"""A ranking: rows of passages and their scores, best first, ties by row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Ranking = tuple[Rows, NDArray[Any]]


def best_first(rows: NDArray[Any], scores: NDArray[Any], k: int) -> Ranking:
    """The ``k`` best of ``rows`` (unique integers, any order) by ``scores`` (same length, no NaN).

    Returns int64 rows and their scores, descending, equal scores by ascending row. Only what is returned is sorted, and
    of equal scores at the cut the lowest rows stay: the result is the first ``k`` of a full sort, whatever ``k``.
    """
    if k <= 0 or len(rows) == 0:
        return np.empty(0, np.int64), scores[:0]
    if len(rows) > k:
        cut = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > cut)
        level = np.flatnonzero(scores == cut)
        wanted = k - len(above)
        if len(level) > wanted:
            level = level[np.argpartition(rows[level], wanted - 1)[:wanted]]
        kept = np.concatenate((above, level))
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))
    return rows[order].astype(np.int64, copy=False), scores[order]
