"""Fusion by hand: every expected figure is worked out in the comment above it."""

import numpy as np
import pytest

from index.fusion import convex_combination, reciprocal_rank_fusion


def ranking(**scores):
    """``r7=2.0`` is row 7 with score 2.0."""
    return np.array([int(row[1:]) for row in scores], np.int64), np.array(list(scores.values()))


def test_convex_combination_by_hand():
    # sparse 12, 6, 2 -> 1, 0.4, 0;  dense 0.9, 0.6, 0.5 -> 1, 0.25, 0;  weight 0.75 for dense
    # row 4: 0.25 * 1   + 0.75 * 0.25 = 0.4375
    # row 7: 0.25 * 0.4 + 0.75 * 1    = 0.85
    # row 1: 0.25 * 0                 = 0      (sparse only, its last)
    # row 9:              0.75 * 0    = 0      (dense only, its last): a tie, by row
    sparse = ranking(r4=12.0, r7=6.0, r1=2.0)
    dense = ranking(r7=0.9, r4=0.6, r9=0.5)
    rows, scores = convex_combination(sparse, dense, 0.75, 10)
    assert rows.tolist() == [7, 4, 1, 9]
    assert scores == pytest.approx([0.85, 0.4375, 0, 0])
    assert (rows.dtype, scores.dtype) == (np.int64, np.float64)
    assert convex_combination(sparse, dense, 0.75, 2)[0].tolist() == [7, 4]


def test_the_weight_is_the_dense_rankings():
    sparse, dense = ranking(r0=3.0, r1=1.0), ranking(r1=0.8, r0=0.2)
    assert convex_combination(sparse, dense, 0, 2)[0].tolist() == [0, 1]
    assert convex_combination(sparse, dense, 1, 2)[0].tolist() == [1, 0]
    # 0.5 * 1 each: a tie, by row
    assert convex_combination(sparse, dense, 0.5, 2)[1].tolist() == [0.5, 0.5]
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="weight"):
            convex_combination(sparse, dense, weight, 2)


def test_one_score_or_equal_scores_are_all_one():
    # sparse 5, 5 -> 1, 1; dense has one passage -> 1
    rows, scores = convex_combination(ranking(r3=5.0, r8=5.0), ranking(r8=-0.2), 0.4, 5)
    assert rows.tolist() == [8, 3]
    assert scores == pytest.approx([1.0, 0.6])


def test_an_empty_ranking_changes_nothing_but_the_scale():
    none = np.empty(0, np.int64), np.empty(0)
    # 0.7 * (1, 0.5, 0)
    rows, scores = convex_combination(none, ranking(r2=0.6, r5=0.4, r1=0.2), 0.7, 5)
    assert rows.tolist() == [2, 5, 1]
    assert scores == pytest.approx([0.7, 0.35, 0])
    assert len(convex_combination(none, none, 0.7, 5)[0]) == 0
    assert len(reciprocal_rank_fusion([none, none], k=5)[0]) == 0
    assert len(reciprocal_rank_fusion([], k=5)[0]) == 0


def test_reciprocal_rank_fusion_by_hand():
    # row 4: 1/61 + 1/62 = 0.0325224...;  row 7: 1/62 + 1/61, the same: a tie, by row
    # row 1: 1/63 = 0.0158730...;         row 9: 1/63, the same
    sparse = ranking(r4=12.0, r7=6.0, r1=2.0)
    dense = ranking(r7=0.9, r4=0.6, r9=0.5)
    rows, scores = reciprocal_rank_fusion([sparse, dense], k=10)
    assert rows.tolist() == [4, 7, 1, 9]
    assert scores == pytest.approx([1 / 61 + 1 / 62, 1 / 61 + 1 / 62, 1 / 63, 1 / 63])
    # rrf_k 1: row 4 is 1/2 + 1/3, row 7 is 1/3 + 1/2, row 1 is 1/4; three rankings add up
    rows, scores = reciprocal_rank_fusion([sparse, dense, ranking(r1=1.0)], 1, k=3)
    assert rows.tolist() == [4, 7, 1]
    assert scores == pytest.approx([5 / 6, 5 / 6, 1 / 4 + 1 / 2])
