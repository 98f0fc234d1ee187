"""The store: what is read is what was written, or one of four errors, also while it is written anew."""

import threading
from pathlib import Path

import numpy as np
import pytest

from index import store
from index.errors import IndexMissing, InputError, RagError
from index.passage import Document
from index.records import record_line
from tests.stored import number_of, publish


def test_round_trip(tmp_path: Path) -> None:
    publish(tmp_path / "deep" / "index", 7)
    generation = store.open_current(tmp_path / "deep" / "index")
    assert number_of(generation) == 7
    first, second = generation.document(0), generation.document(1)
    assert (first.doc_id, first.title, first.source, first.date) == ("a.txt", "A", None, None)
    assert first.text == "text 7 é\r\n\0"
    assert first.masked == ((0, 4),)
    assert first.source_sha256 == "0" * 64
    assert generation.records[0].sha256 == first.sha256
    assert second.date == "2020-01-01"
    assert generation.records[1].path == "/x/\udcffb.txt"
    assert dict(generation.rows) == {"a.txt": 0, "b.txt": 1}
    assert generation.arrays["sparse.rows"].shape == (0,)
    assert generation.arrays["sparse.rows"].dtype == np.int32
    assert not generation.arrays["vectors"].flags.writeable
    assert generation.manifest["paths"] == ["/somewhere"]


def test_a_record_is_a_line_of_ascii() -> None:
    document = Document("é\udcff.txt", "text", "T", masked=((0, 1), (2, 3)), source_sha256="0")
    assert record_line(document, "/x/\udcff.txt", 5, 4) == (
        b'{"doc_id": "\\u00e9\\udcff.txt", "path": "/x/\\udcff.txt", "title": "T", "source": null, "date": null, '
        b'"sha256": "%s", "source_sha256": "0", "masked": [[0, 1], [2, 3]], "offset": 5, "size": 4}\n'
        % document.sha256.encode()
    )


def test_the_model_is_known_where_the_rest_is_damaged(tmp_path: Path) -> None:
    assert store.model_of(tmp_path) is None
    publish(tmp_path, 1)
    (tmp_path / "gen-000001" / "vectors.npy").write_bytes(b"damaged")
    assert store.model_of(tmp_path) == "m"
    (tmp_path / "gen-000001" / "MANIFEST.json").write_bytes(b"damaged")
    assert store.model_of(tmp_path) is None


def test_nothing_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (tmp_path, tmp_path / "none", file):
        with pytest.raises(IndexMissing, match="there is no index at"):
            store.open_current(place)
        assert store.current_generation(place) is None
    with pytest.raises(InputError, match="build one elsewhere"):
        publish(file, 1)
    assert file.read_text() == "mine"


# Reading while it is written


def test_readers_never_fail_and_never_see_a_mix(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for number in range(2, 22):
                publish(tmp_path, number)
        except RagError as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(number_of(store.open_current(tmp_path)))
    writer.join()
    assert not errors
    assert seen == sorted(seen)
    assert number_of(store.open_current(tmp_path)) == 21


def test_a_reader_overtaken_twice_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, 1)
    opened = store.open_generation
    overtaken: list[int] = []

    def slow(folder: Path, digest: str) -> store.Generation:
        if not overtaken:
            overtaken.extend((2, 3))
            for number in (2, 3):
                publish(tmp_path, number)
        return opened(folder, digest)

    monkeypatch.setattr(store, "open_generation", slow)
    assert number_of(store.open_current(tmp_path)) == 3


def test_an_opened_generation_outlives_its_files(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    generation = store.open_current(tmp_path)
    for number in (2, 3, 4):
        publish(tmp_path, number)
    assert not generation.folder.exists()
    assert number_of(generation) == 1
