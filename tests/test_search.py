"""Search: ordered hits, exact slices, and nothing read from a damaged index."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import store
from index.build import build, build_documents
from index.embed import load_encoder
from index.errors import IndexDamaged, IndexMismatch, IndexMissing, ModelError, RagError
from index.passage import Document
from index.search import Index

Resign = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture(scope="module")
def index(root: Path) -> Index:
    return Index.open(root)


def test_hits_are_ordered(index: Index) -> None:
    hits = index.search("How much did the repair of the mill cost?")
    assert len(hits) == len(index)
    assert hits[0].passage.doc_id in ("mill.txt", "syndicated/mill.txt", "wire.jsonl#2")
    order = [(-hit.score, hit.passage.passage_id) for hit in hits]
    assert order == sorted(order)
    assert len({hit.passage.passage_id for hit in hits}) == len(hits)
    for hit in hits:
        assert {"cosine", "bm25_share", "idf_matched"} <= set(hit.parts)
        assert -1.001 <= hit.parts["cosine"] <= 1.001
        assert 0 <= hit.parts["bm25_share"] <= 1
        assert 0 <= hit.parts["idf_matched"] <= 1
        assert all(type(value) is float for value in hit.parts.values())
    assert index.search("How much did the repair of the mill cost?", k=2) == hits[:2]


def test_equal_scores_by_passage_id(tmp_path: Path) -> None:
    build_documents([Document(f"d{number}", "The same words.") for number in range(5)], tmp_path)
    hits = Index.open(tmp_path).search("same words", k=5)
    assert [hit.passage.passage_id for hit in hits] == [0, 1, 2, 3, 4]
    assert len({hit.score for hit in hits}) == 1


def test_what_is_excluded_is_not_there(index: Index) -> None:
    query = "water mill"
    everything = [hit.passage.passage_id for hit in index.search(query)]
    without = [hit.passage.passage_id for hit in index.search(query, exclude=frozenset(everything[:2]))]
    assert set(without) == set(everything[2:])
    few = index.search(query, k=2, exclude=frozenset(everything[:2]))
    assert len(few) == 2
    assert not {hit.passage.passage_id for hit in few} & set(everything[:2])
    assert index.search(query, exclude=frozenset(range(len(index)))) == []
    assert len(index.search(query, exclude=frozenset([999]))) == len(index)


def test_as_many_hits_as_asked_for(index: Index) -> None:
    assert len(index.search("water mill", k=1)) == 1
    assert len(index.search("water mill", k=3)) == 3


def test_words_that_stand_nowhere(index: Index) -> None:
    hits = index.search("zyzzyva")
    assert len(hits) == len(index)
    assert all(hit.parts["idf_matched"] == 0 and hit.parts["bm25_share"] == 0 for hit in hits)


def test_every_passage_is_its_slice(index: Index) -> None:
    assert [passage.passage_id for passage in index.passages] == list(range(len(index)))
    places = [(passage.doc_id, passage.start) for passage in index.passages]
    assert places == sorted(places)
    for passage in index.passages:
        document = index.document(passage.doc_id)
        assert document.text[passage.start : passage.end] == passage.text
        assert all(passage.start <= first < last <= passage.end for first, last in passage.sentences)
        assert all(span in document.masked for span in passage.masked)


def test_documents_by_id(index: Index, corpus: Path) -> None:
    assert index.doc_ids == sorted(index.doc_ids)
    assert index.document("bridge.md").date == "2021-05-03"
    assert Path(index.path("wire.jsonl#2")) == (corpus / "wire.jsonl").resolve()
    first, copy, other = index.sketches(["mill.txt", "syndicated/mill.txt", "bridge.md"])
    assert np.isin(first, copy).mean() > np.isin(first, other).mean()
    with pytest.raises(KeyError):
        index.document("none")


def test_an_index_of_nothing(tmp_path: Path) -> None:
    build_documents([], tmp_path)
    empty = Index.open(tmp_path)
    assert len(empty) == 0
    assert empty.search("anything") == []
    assert empty.passages == []


def test_another_encoder(tmp_path: Path, resign: Resign) -> None:
    with pytest.raises(IndexMissing):
        Index.open(tmp_path)
    build_documents([Document("d", "Some words.")], tmp_path)
    resign(tmp_path, lambda manifest: manifest.update(encoder="all-MiniLM-L6-v2@0000000000000000"))
    with pytest.raises(IndexMismatch, match="another version of the encoder all-MiniLM-L6-v2"):
        Index.open(tmp_path)
    resign(tmp_path, lambda manifest: manifest.update(model=str(tmp_path / "gone")))
    with pytest.raises(ModelError):
        Index.open(tmp_path)


def test_another_recipe(tmp_path: Path, resign: Resign) -> None:
    build_documents([Document("d", "Some words.")], tmp_path)
    resign(tmp_path, lambda manifest: manifest.update(recipe="0"))
    with pytest.raises(IndexMismatch, match=r"another version of Citespan: build it again with `rag index"):
        Index.open(tmp_path)
    build_documents([Document("d", "Some words.")], tmp_path)
    assert Index.open(tmp_path).search("words")


PASSAGE = np.array([[0, 0, 11, 0, 1]], np.int64)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("passages", PASSAGE[:, :4]),
        ("passages", PASSAGE.astype(np.int32)),
        ("passages", PASSAGE[0]),
        ("passages", PASSAGE.repeat(2, axis=0)),
        ("passages", PASSAGE + np.array([1, 0, 0, 0, 0])),
        ("passages", PASSAGE - np.array([1, 0, 0, 0, 0])),
        ("passages", PASSAGE - np.array([0, 1, 0, 0, 0])),
        ("passages", PASSAGE + np.array([0, 20, 0, 0, 0])),
        ("passages", PASSAGE + np.array([0, 0, 0, 0, 1])),
        ("passages", PASSAGE - np.array([0, 0, 0, 1, 0])),
        ("passages", PASSAGE + np.array([0, 0, 0, 2, 0])),
        ("sentences", np.zeros((1, 3), np.int64)),
        ("sentences", np.zeros((1, 2), np.float64)),
        ("vectors", np.zeros((2, 384), np.float32)),
        ("vectors", np.zeros((1, 383), np.float32)),
        ("vectors", np.zeros((1, 384), np.float64)),
        ("vectors", np.full((1, 384), np.inf, np.float32)),
        ("vectors", np.zeros(384, np.float32)),
        ("sketches", np.zeros((2, 256), np.uint64)),
        ("sketches", np.zeros((1, 255), np.uint64)),
        ("sketches", np.zeros((1, 256), np.int64)),
        ("sparse.passages", np.array([2], np.int64)),
        ("sparse.rows", np.array([1, 1], np.int32)),
        ("sparse.idf", np.zeros(0, np.float64)),
    ],
)
def test_arrays_of_another_shape(tmp_path: Path, resign: Resign, name: str, array: np.ndarray) -> None:
    build_documents([Document("d", "Some words.")], tmp_path)
    np.save(tmp_path / "gen-000001" / f"{name}.npy", array)
    resign(tmp_path, lambda manifest: None)
    with pytest.raises(IndexDamaged, match="again"):
        Index.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("passages", PASSAGE + np.array([0, 0, 1, 0, 0])),  # beyond the text
        ("sentences", np.array([[0, 12]], np.int64)),
        ("sentences", np.array([[5, 5]], np.int64)),
        ("sentences", np.array([[-1, 5]], np.int64)),
    ],
)
def test_passages_that_are_no_slices(tmp_path: Path, resign: Resign, name: str, array: np.ndarray) -> None:
    build_documents([Document("d", "Some words.")], tmp_path)
    np.save(tmp_path / "gen-000001" / f"{name}.npy", array)
    resign(tmp_path, lambda manifest: None)
    index = Index.open(tmp_path)
    with pytest.raises(IndexDamaged, match="damaged"):
        index.search("words")


@pytest.mark.parametrize("name", ["passages", "sentences", "vectors", "sketches", "sparse.terms"])
def test_arrays_that_are_missing(tmp_path: Path, resign: Resign, name: str) -> None:
    build_documents([Document("d", "Some words.")], tmp_path)
    resign(tmp_path, lambda manifest: manifest["files"].pop(f"{name}.npy"))
    with pytest.raises(IndexDamaged, match="again"):
        Index.open(tmp_path)


def test_a_built_index_reopens_the_same(tmp_path: Path, corpus: Path, index: Index) -> None:
    build([corpus], tmp_path / "index")
    again = Index(store.open_current(tmp_path / "index"), load_encoder(None))
    for query in ("water mill", "when was the bridge closed", "5%"):
        assert again.search(query) == index.search(query)
    assert issubclass(IndexDamaged, RagError)
