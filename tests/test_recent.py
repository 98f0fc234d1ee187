"""The documents kept: the ones used last, within bounds, read once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from index import recent
from index.passage import Document
from index.recent import Recent


class Shelf:
    """Documents by row, each as long as ``lengths`` says; notes which were read."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths
        self.reads: list[int] = []

    def read(self, row: int) -> Document:
        self.reads.append(row)
        return Document(str(row), "x" * self.lengths[row])


def reads(shelf: Shelf, rows: str) -> list[int]:
    """Which of the documents asked for in turn had to be read."""
    kept = Recent(shelf.read)
    for row in map(int, rows):
        assert kept(row).doc_id == str(row)
    return shelf.reads


def test_the_ones_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "DOCUMENTS", 2)
    assert reads(Shelf(5, 5, 5), "00101201") == [0, 1, 2, 0, 1]


def test_no_more_characters_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "CHARACTERS", 10)
    assert reads(Shelf(4, 6, 0), "010122") == [0, 1, 2]
    assert reads(Shelf(4, 7, 1), "010221") == [0, 1, 0, 2, 1]
    assert reads(Shelf(4, 11, 1), "011101") == [0, 1, 0, 1]  # one that is too long is kept while it is used


def test_what_is_kept_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "CHARACTERS", 100)
    shelf = Shelf(*[30] * 9)
    kept = Recent(shelf.read)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: kept(n * n % 9).doc_id == str(n * n % 9), range(2000)))
    shelf.reads.clear()
    for row in (1, 2, 3, 1, 2, 3):
        kept(row)
    assert len(shelf.reads) <= 3


def test_what_cannot_be_read_is_tried_again() -> None:
    def fails(row: int) -> Document:
        tried.append(row)
        raise ValueError(row)

    tried: list[int] = []
    kept = Recent(fails)
    for _ in range(2):
        with pytest.raises(ValueError, match="3"):
            kept(3)
    assert tried == [3, 3]
