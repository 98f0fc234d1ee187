"""What is not as it was written is told as damaged, missing or of another kind, and never read."""

import io
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import store
from index.errors import IndexDamaged, IndexMismatch, IndexMissing
from tests.stored import SETTINGS, number_of, publish

Resign = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture
def one(tmp_path: Path) -> Path:
    root = tmp_path / "index"
    publish(root, 1)
    publish(root, 2)
    return root


def files(root: Path) -> list[Path]:
    name = (store.current_generation(root) or ("",))[0]
    assert name is not None
    return [root / "CURRENT", *sorted((root / name).iterdir())]


def test_any_byte_flipped(one: Path) -> None:
    paths = files(one)
    assert {path.name for path in paths} == {
        *("CURRENT", "MANIFEST.json", "documents.jsonl", "texts.bin", "vectors.npy", "sparse.rows.npy"),
    }
    for path in paths:
        data = path.read_bytes()
        last = len(data) - (path.name == "CURRENT")  # CURRENT's final newline means nothing
        for at in {*range(0, last, 1 if last < 100 else 17), last - 1}:
            for bit in (3, 128):
                path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
                with pytest.raises(IndexDamaged, match="build it again"):
                    store.open_current(one)
        path.write_bytes(data)
    assert number_of(store.open_current(one)) == 2


def test_any_file_cut_lengthened_or_gone(one: Path) -> None:
    for path in files(one):
        data = path.read_bytes()
        for other in (b"", data[:-2], data[: len(data) // 2], data + b"more", b"\xff" * len(data), b"[" * 100_000):
            if other == data:
                continue
            path.write_bytes(other)
            with pytest.raises(IndexDamaged):
                store.open_current(one)
        path.unlink()
        with pytest.raises(IndexMissing if path.name == "CURRENT" else IndexDamaged):
            store.open_current(one)
        path.mkdir()
        with pytest.raises(IndexDamaged):
            store.open_current(one)
        path.rmdir()
        path.write_bytes(data)
    shutil.rmtree(one / (store.current_generation(one) or ("",))[0])
    with pytest.raises(IndexDamaged):
        store.open_current(one)


def test_a_pipe_in_the_place_of_any_file(one: Path) -> None:
    """Opening one waits for a writer who never comes."""
    for path in files(one):
        data = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(IndexDamaged, match="is no file"):
            store.open_current(one)
        path.unlink()
        with socket.socket(socket.AF_UNIX) as opened:
            here = Path.cwd()
            os.chdir(path.parent)  # a socket's name is short
            opened.bind(path.name)
            os.chdir(here)
            with pytest.raises(IndexDamaged):
                store.open_current(one)
        path.unlink()
        path.write_bytes(data)
    (one / "CURRENT").unlink()
    os.mkfifo(one / "CURRENT")
    publish(one, 3)
    assert number_of(store.open_current(one)) == 3


@pytest.mark.parametrize("current", ["../gen-000001 " + "0" * 64, "gen-000002", "/ " + "0" * 64, "é", "gen-000002 x y"])
def test_odd_currents(one: Path, current: str) -> None:
    (one / "CURRENT").write_text(current)
    with pytest.raises(IndexDamaged):
        store.open_current(one)
    publish(one, 3)
    assert number_of(store.open_current(one)) == 3


def test_current_names_no_folder_but_a_generation(one: Path) -> None:
    name, digest = store.current_generation(one) or ("", "")
    (one / name).rename(one / f"{name}.old")
    (one / "CURRENT").write_text(f"{name}.old {digest}\n")
    with pytest.raises(IndexDamaged, match="does not name a generation"):
        store.open_current(one)


@pytest.mark.parametrize("unknown", [0, 2, "1", None])
def test_unknown_formats(one: Path, resign: Resign, unknown: object) -> None:
    resign(one, lambda manifest: manifest.update(format=unknown))
    with pytest.raises(IndexMismatch, match="build it again"):
        store.open_current(one)


@pytest.mark.parametrize("name", ["../x.npy", "/etc/passwd", "a/b.npy", "x.pkl", "", ".npy", "..npy", "x.npy\n"])
def test_a_manifest_names_no_other_files(one: Path, resign: Resign, name: str) -> None:
    resign(one, lambda manifest: manifest["files"].update({name: {"bytes": 0, "sha256": "0" * 64}}))
    with pytest.raises(IndexDamaged, match="names files that no index has"):
        store.open_current(one)


@pytest.mark.parametrize("key", [*SETTINGS, "created", "documents", "files"])
def test_manifests_of_another_shape(one: Path, resign: Resign, key: str) -> None:
    good = json.loads((one / "gen-000002" / "MANIFEST.json").read_bytes())
    others: list[object] = [v for v in (None, True, 1.5, "x", ["x"], {"x": 1}) if type(v) is not type(good[key])]
    wrong: dict[str, list[object]] = {
        "documents": [1, 3],
        "paths": [[1], ["x", 1]],
        "files": [{}, {"texts.bin": 1}, {**good["files"], "x.npy": {}}],
    }
    for value in [*others, *wrong.get(key, [])]:
        changed = {key: value}
        resign(one, lambda manifest, changed=changed: manifest.update(changed))  # type: ignore[misc]
        with pytest.raises(IndexDamaged):
            store.open_current(one)
        path = one / "gen-000002" / "MANIFEST.json"
        path.write_text(json.dumps(good))
    resign(one, lambda manifest: manifest.pop(key))
    with pytest.raises(IndexDamaged):
        store.open_current(one)


@pytest.mark.parametrize(
    "line",
    [
        b"5\n",
        b"{}\n",
        b"[" * 50_000 + b"\n",
        b'{"masked": 3}\n',
        json.dumps({"doc_id": 5, "masked": [], "offset": "0"}).encode(),
    ],
)
def test_records_of_another_shape(one: Path, resign: Resign, line: bytes) -> None:
    (one / "gen-000002" / "documents.jsonl").write_bytes(line)
    resign(one, lambda manifest: manifest.update(documents=1))
    with pytest.raises(IndexDamaged):
        store.open_current(one)


@pytest.mark.parametrize(
    ("field", "value"),
    [("offset", -1), ("size", 10**9), ("offset", 1.5), ("doc_id", 3), ("title", 3), ("masked", [[0]]), ("path", None)],
)
def test_records_out_of_bounds(one: Path, resign: Resign, field: str, value: object) -> None:
    path = one / "gen-000002" / "documents.jsonl"
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), field: value}), *others]))
    resign(one, lambda manifest: None)
    with pytest.raises(IndexDamaged):
        store.open_current(one)


def test_documents_that_are_not_what_was_written(one: Path, resign: Resign) -> None:
    texts = one / "gen-000002" / "texts.bin"
    texts.write_bytes(b"\xff" * len(texts.read_bytes()))
    resign(one, lambda manifest: None)
    generation = store.open_current(one)
    with pytest.raises(IndexDamaged, match=r"a\.txt"):
        generation.document(0)


@pytest.mark.parametrize("other", [b"more", b"\xff\xff\xff\xff"])
def test_texts_that_are_written_into_while_they_are_open(one: Path, other: bytes) -> None:
    generation = store.open_current(one)
    with (one / "gen-000002" / "texts.bin").open("r+b") as texts:
        texts.write(other)
    with pytest.raises(IndexDamaged, match=r"a\.txt"):
        generation.document(0)
    assert generation.document(1).text == "more 2"


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize(
    "header",
    [
        b"(" * 900,
        b"[" * 9_000,
        b"{'descr': '<f4', 'shape': (2, 3), 'fortran_order': False",
        b"{'descr': '<f4', 'shape': (2, 3)}",
        b"{'descr': 'nothing', 'shape': (2, 3), 'fortran_order': False}",
        b"-" * 9_000 + b"1",
        b'"""',
        b"\0",
        b"1 if",
        b"{[]: 1}",
        b"",
    ],
)
def test_headers_of_arrays_that_are_none(one: Path, resign: Resign, header: bytes) -> None:
    path = one / "gen-000002" / "vectors.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + path.read_bytes()[128:])
    resign(one, lambda manifest: None)
    with pytest.raises(IndexDamaged, match=r"vectors\.npy: no header of an array"):
        store.open_current(one)


def test_arrays_that_are_not_plain_numbers(one: Path, resign: Resign, tmp_path: Path) -> None:
    path = one / "gen-000002" / "vectors.npy"
    good = path.read_bytes()
    pickled = io.BytesIO()
    np.save(pickled, np.array([Trap(tmp_path / "sprung")], object), allow_pickle=True)
    bare = io.BytesIO()
    np.array([Trap(tmp_path / "sprung")], object).dump(bare)
    zipped = io.BytesIO()
    np.savez(zipped, a=np.zeros(3))
    text = io.BytesIO()
    np.save(text, np.array(["text"]))
    header = good[:128]
    huge = header.replace(b"(2, 3), }" + b" " * 15, b"(999999999999, 3), }    "[:24])
    negative = header.replace(b"(2, 3), }  ", b"(-2, -3), }")
    assert header not in (huge, negative)
    for data in (
        pickled.getvalue(),
        bare.getvalue(),
        zipped.getvalue(),
        text.getvalue(),
        b"",
        b"PK\3\4",
        huge,
        negative,
    ):
        path.write_bytes(data)
        resign(one, lambda manifest: None)
        with pytest.raises(IndexDamaged, match="vectors"):
            store.open_current(one)
    assert not (tmp_path / "sprung").exists()
    path.write_bytes(good)
    resign(one, lambda manifest: None)
    assert number_of(store.open_current(one)) == 2
