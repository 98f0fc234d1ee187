"""Fusion by hand: every expected figure is worked out in the comment above it."""

import numpy as np
import pytest

from index.dense import Dense
from index.fusion import Candidates, candidates, convex_combination, reciprocal_rank_fusion, scaled_combination
from index.sparse import Sparse


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


def test_scaled_combination_by_hand():
    # mean idf 4, spread 0.2, weight 0.6 for dense
    # row 1: 0.4 * 8/4 + 0.6 * 0.1/0.2 = 0.8 + 0.3 = 1.1
    # row 3: 0.4 * 0/4 + 0.6 * 0.6/0.2 = 0   + 1.8 = 1.8
    # row 5: 0.4 * 2/4 + 0.6 * 0.3/0.2 = 0.2 + 0.9 = 1.1: a tie with row 1, by row
    found = Candidates(np.array([1, 3, 5]), np.array([8.0, 0, 2]), np.array([0.1, 0.6, 0.3], np.float32), 4.0, 0.2)
    rows, scores = scaled_combination(found, 0.6, 10)
    assert rows.tolist()[0] == 3
    assert sorted(rows.tolist()) == [1, 3, 5]
    assert scores == pytest.approx([1.8, 1.1, 1.1])
    assert scaled_combination(found, 0, 1)[0].tolist() == [1]
    assert scaled_combination(found, 0.6, 1)[0].tolist() == [3]
    with pytest.raises(ValueError, match="weight"):
        scaled_combination(found, 1.5, 1)


def test_units_of_zero_count_as_one():
    # 0.5 * 3 + 0.5 * 0.5 and 0.5 * 1 + 0.5 * 0.5
    found = Candidates(np.array([0, 1]), np.array([1.0, 3]), np.array([0.5, 0.5], np.float32), 0.0, 0.0)
    rows, scores = scaled_combination(found, 0.5, 2)
    assert rows.tolist() == [1, 0]
    assert scores == pytest.approx([1.75, 0.75])


CORPUS = [["oil", "price"], ["oil"], ["war"], [], ["price", "price", "cut"], ["oil", "war", "cut"]]
VECTORS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-0.6, 0.8], [0.8, 0.6]], np.float32)
QUERY = np.array([1, 0], np.float32)


def test_candidates_are_the_best_of_both_and_scored_by_both():
    sparse, dense = Sparse.build(CORPUS), Dense(VECTORS)
    # of "war": rows 2, 5 (2 is shorter); of the vector: 0, then 1 before 5
    found = candidates(sparse, dense, ["war"], QUERY, depth=2)
    assert found.rows.tolist() == [0, 1, 2, 5]
    assert found.bm25.tolist() == sparse.scores_at(["war"], np.array([0, 1, 2, 5])).tolist()
    assert found.cosines == pytest.approx([1, 0.8, 0.6, 0.8])
    assert found.mean_idf == sparse.mean_idf(["war"])
    # cosines 1, .8, .6, 0, -.6, .8: mean .4333..., mean square .5 (3.0 / 6)
    assert found.spread == pytest.approx(np.sqrt(0.5 - (2.6 / 6) ** 2))


def test_what_is_excluded_makes_room_for_the_next():
    sparse, dense = Sparse.build(CORPUS), Dense(VECTORS)
    # of "war" 2 is left; of the vector, after 0, 1 and 5, come 2 and 3
    found = candidates(sparse, dense, ["war"], QUERY, depth=2, exclude=frozenset({0, 1, 5}))
    assert found.rows.tolist() == [2, 3]
    every = frozenset(range(6))
    assert len(scaled_combination(candidates(sparse, dense, ["war"], QUERY, exclude=every), 0.5, 5)[0]) == 0


def test_without_tokens_or_passages():
    sparse, dense = Sparse.build(CORPUS), Dense(VECTORS)
    rows, _ = scaled_combination(candidates(sparse, dense, [], QUERY), 0.5, 10)
    assert rows.tolist() == [0, 1, 5, 2, 3, 4]
    nothing = candidates(Sparse.build([]), Dense(np.empty((0, 2), np.float32)), ["war"], QUERY)
    assert len(scaled_combination(nothing, 0.5, 10)[0]) == 0
