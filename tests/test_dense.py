"""Dense search against a plain product and sort."""

import threading

import numpy as np
import pytest

from index.dense import Dense
from index.errors import IndexDamaged


def unit(rows, dim=8, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("depth", [1, 3, 10, 40, 1000])
def test_the_nearest_come_first(depth):
    vectors, query = unit(40), unit(1, seed=1)[0]
    rows, cosines = Dense(vectors).search(query, depth)
    expected = np.argsort(-(vectors.astype(np.float64) @ query), kind="stable")[:depth]
    assert rows.tolist() == expected.tolist()
    assert (rows.dtype, cosines.dtype) == (np.int64, np.float32)
    assert cosines == pytest.approx(vectors[expected] @ query, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_ties_at_the_cut_keep_the_lowest_rows(seed):
    random = np.random.default_rng(seed)
    vectors = unit(4)[random.integers(0, 4, 300)]
    query, depth = unit(1, seed=7)[0], int(random.integers(1, 300))
    dense = Dense(vectors)
    every = dict(zip(*(found.tolist() for found in dense.search(query, 300)), strict=True))
    expected = sorted(range(300), key=lambda row: (-every[row], row))[:depth]
    assert dense.search(query, depth)[0].tolist() == expected


@pytest.mark.parametrize("depth", [1, 4, 5, 6, 29, 30, 31, 64])
def test_equal_vectors_stand_by_row(depth):
    one, other = unit(2)
    vectors = np.stack([other, one, one] * 20)
    expected = sorted(range(60), key=lambda row: (row % 3 == 0, row))[:depth]
    rows, cosines = Dense(vectors).search(one, depth)
    assert rows.tolist() == expected
    assert len(set(cosines[: min(depth, 40)].tolist())) == 1


def test_nothing_to_find():
    empty = Dense(np.empty((0, 8), np.float32))
    rows, cosines = empty.search(unit(1)[0], 5)
    assert (len(empty), len(rows), len(cosines)) == (0, 0, 0)
    assert len(Dense(unit(3)).search(unit(1)[0], 0)[0]) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_not_finite_are_refused(bad):
    vectors = unit(70_000, dim=2)
    vectors[69_999, 1] = bad
    with np.errstate(over="ignore"), pytest.raises(IndexDamaged, match="not finite"):
        Dense(vectors)


def test_other_shapes_and_types_are_refused():
    for vectors in (unit(3).astype(np.float64), unit(3)[0], np.empty((3, 0), np.float32)):
        with pytest.raises(IndexDamaged, match="rag index"):
            Dense(vectors)
    dense = Dense(unit(3))
    for query in (unit(1, dim=4)[0], unit(1), np.full(8, np.nan, np.float32)):
        with pytest.raises(ValueError, match="8 numbers"):
            dense.search(query, 2)


def test_memory_mapped_vectors_give_the_same(tmp_path):
    vectors, query = unit(50), unit(1, seed=2)[0]
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = Dense(np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    assert mapped.search(query, 9)[0].tolist() == Dense(vectors).search(query, 9)[0].tolist()


def test_searches_from_many_threads_agree():
    dense, queries = Dense(unit(500)), unit(16, seed=3)
    expected = [dense.search(query, 20)[0].tolist() for query in queries]
    results = {}

    def work(number):
        results[number] = dense.search(queries[number], 20)[0].tolist()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[number] for number in range(16)] == expected


def test_cosines_are_those_of_the_rows_and_equal_for_equal_vectors():
    vectors, query = np.repeat(unit(37, dim=384), 3, axis=0), unit(1, dim=384, seed=4)[0]
    rows = np.random.default_rng(5).permutation(111)
    cosines = Dense(vectors).cosines(query, rows)
    assert cosines == pytest.approx(vectors[rows] @ query, abs=1e-6)
    by_row = cosines[np.argsort(rows)]
    assert np.array_equal(by_row[::3], by_row[1::3])
    assert np.array_equal(by_row[::3], by_row[2::3])


def test_spread_is_the_deviation_of_all_cosines():
    vectors, query = unit(30), unit(1, seed=6)[0]
    assert Dense(vectors).spread(query) == pytest.approx(float(np.std(vectors @ query)), abs=1e-6)
    many = unit(20_000)
    assert Dense(many).spread(query) == pytest.approx(float(np.std(many @ query)), rel=0.08)
    assert Dense(vectors[:1]).spread(query) == 0
    assert Dense(vectors[:0]).spread(query) == 0
