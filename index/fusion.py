"""Two rankings of the same passages into one: by rank, by min-max, and as served, from the scores of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.dense import Dense
from index.ranking import Ranking, best_first
from index.sparse import Sparse

# Chosen by eval.weights, leaving one set out in turn; what it prints says how much each set gains.
WEIGHT = 0.55
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages scored by both indexes for one query.

    ``rows`` int64 (m,), each once, ascending; ``bm25`` float64 (m,) and ``cosines`` float32 (m,) along them.
    ``mean_idf`` is that of the query's tokens, ``spread`` the standard deviation of the query's cosines over the
    corpus; either is 0 where there is none (no token, one passage).
    """

    rows: NDArray[np.int64]
    bm25: NDArray[np.float64]
    cosines: NDArray[np.float32]
    mean_idf: float
    spread: float


def candidates(
    sparse: Sparse,
    dense: Dense,
    tokens: Sequence[str],
    vector: NDArray[np.float32],
    depth: int = DEPTH,
    exclude: frozenset[int] = frozenset(),
) -> Candidates:
    """The ``depth`` best passages of either index, without those in ``exclude``, each scored by both, exactly.

    The query is given as its tokens and its vector (float32 (dim,)).
    """
    wanted = depth + len(exclude)
    ranked = [sparse.search(tokens, wanted)[0], dense.search(vector, wanted)[0]]
    if exclude:
        away = np.fromiter(exclude, np.int64)
        ranked = [rows[~np.isin(rows, away)] for rows in ranked]
    rows = np.union1d(ranked[0][:depth], ranked[1][:depth])
    return Candidates(
        rows, sparse.scores_at(tokens, rows), dense.cosines(vector, rows), sparse.mean_idf(tokens), dense.spread(vector)
    )


def scaled_combination(found: Candidates, weight: float, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``weight`` times the cosine over its spread plus ``1 - weight`` times BM25 over the query's mean idf.

    So BM25 counts matched terms, and the cosine counts standard deviations. Neither unit depends on how good the best
    hit is, as those of min-max do: a short question is ranked by meaning, a long one in the corpus's own words by
    these, without a weight for each query. A unit of 0 counts as 1. Returns the ``k`` best: int64 rows and float64
    scores, best first, ties by row. The scores order this query's passages and mean nothing beyond it.

    A convex combination in the sense of Bruch, Gai & Ingber 2023 (see ``convex_combination``) with another
    normalisation.
    """
    _check(weight)
    bm25 = found.bm25 / (found.mean_idf or 1.0)
    cosines = found.cosines.astype(np.float64) / (found.spread or 1.0)
    return best_first(found.rows, (1 - weight) * bm25 + weight * cosines, k)


def convex_combination(
    sparse: Ranking, dense: Ranking, weight: float, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``weight`` times the dense score plus ``1 - weight`` times the sparse one, each scaled to 0..1 over its ranking.

    The scale is min-max: the best of a ranking is 1, its last is 0, and a passage that it does not hold is 0; a ranking
    whose scores are all the same (or that has one passage) is all 1. Returns the ``k`` best: int64 rows and float64
    scores, best first, ties by row. The scores order this query's passages and mean nothing beyond it.

    Source: Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS 42:1), there
    f_convex with phi_mm.
    """
    _check(weight)
    return _sum([(sparse[0], (1 - weight) * _min_max(sparse[1])), (dense[0], weight * _min_max(dense[1]))], k)


def reciprocal_rank_fusion(
    rankings: Sequence[Ranking], rrf_k: int = 60, *, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The sum, over the rankings that hold a passage, of 1 / (``rrf_k`` + its rank), ranks from 1.

    Returns the ``k`` best: int64 rows and float64 scores, best first, ties by row.

    Source: Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods" (SIGIR).
    """
    return _sum([(rows, 1.0 / (rrf_k + np.arange(1, len(rows) + 1))) for rows, _ in rankings], k)


def _check(weight: float) -> None:
    if not 0 <= weight <= 1:
        raise ValueError(f"the weight of the dense ranking is {weight}, not between 0 and 1")


def _min_max(scores: NDArray[Any]) -> NDArray[np.float64]:
    if len(scores) == 0:
        return np.empty(0, np.float64)
    wide = scores.astype(np.float64)
    low, high = wide.min(), wide.max()
    return (wide - low) / (high - low) if high > low else np.ones_like(wide)


def _sum(rankings: Sequence[Ranking], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if not rankings:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    rows, places = np.unique(np.concatenate([rows for rows, _ in rankings]), return_inverse=True)
    totals = np.bincount(places, np.concatenate([scores for _, scores in rankings]), len(rows))
    return best_first(rows, totals, k)
