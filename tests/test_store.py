"""The store: what is read is what was written, or one of four errors; a failure leaves the old generation standing."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import store
from index.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, InputError, RagError
from index.passage import Document

SETTINGS: dict[str, Any] = {
    "passages": 2,
    "model": "m",
    "encoder": "m@1",
    "recipe": "1",
    "paths": ["/somewhere"],
    "stats": {},
}
Resign = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def publish(root: Path, number: int) -> store.Generation:
    """A generation in which everything says ``number``."""
    documents = [
        Document("a.txt", f"text {number} é\r\n\0", "A", masked=((0, 4),), source_sha256="0" * 64),
        Document("b.txt", f"more {number}", date="2020-01-01"),
    ]
    arrays = {"vectors": np.full((2, 3), number, np.float32), "sparse.rows": np.zeros(0, np.int32)}
    with store.writing(root):
        return store.publish(root, documents, ["/x/a.txt", "/x/\udcffb.txt"], arrays, SETTINGS)


def number_of(generation: store.Generation) -> int:
    """The one number that everything in the generation says."""
    said = {
        *(int(value) for value in np.unique(generation.arrays["vectors"])),
        int(generation.document(0).text.split()[1]),
        int(generation.document(1).text.split()[1]),
    }
    (number,) = said
    return number


def generations(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("gen-*"))


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


def test_no_documents_are_a_generation_too(tmp_path: Path) -> None:
    with store.writing(tmp_path):
        store.publish(tmp_path, [], [], {"vectors": np.zeros((0, 3), np.float32)}, SETTINGS)
    assert store.open_current(tmp_path).arrays["vectors"].shape == (0, 3)


def test_nothing_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (tmp_path, tmp_path / "none", file):
        with pytest.raises(IndexMissing, match="there is no index at"):
            store.open_current(place)
        assert store.current_name(place) is None
    with pytest.raises(InputError, match="give another --index"):
        publish(file, 1)
    assert file.read_text() == "mine"


# Damage


@pytest.fixture
def one(tmp_path: Path) -> Path:
    root = tmp_path / "index"
    publish(root, 1)
    publish(root, 2)
    return root


def files(root: Path) -> list[Path]:
    name = store.current_name(root)
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
    shutil.rmtree(one / str(store.current_name(one)))
    with pytest.raises(IndexDamaged):
        store.open_current(one)


@pytest.mark.parametrize("current", ["../gen-000001 " + "0" * 64, "gen-000002", "/ " + "0" * 64, "é", "gen-000002 x y"])
def test_odd_currents(one: Path, current: str) -> None:
    (one / "CURRENT").write_text(current)
    with pytest.raises(IndexDamaged):
        store.open_current(one)
    publish(one, 3)
    assert number_of(store.open_current(one)) == 3


@pytest.mark.parametrize("unknown", [0, 2, "1", None])
def test_unknown_formats(one: Path, resign: Resign, unknown: object) -> None:
    resign(one, lambda manifest: manifest.update(format=unknown))
    with pytest.raises(IndexMismatch, match="build it again"):
        store.open_current(one)


@pytest.mark.parametrize("name", ["../x.npy", "/etc/passwd", "a/b.npy", "x.pkl", "", ".npy", "..npy", "x.npy\n"])
def test_a_manifest_names_no_other_files(one: Path, resign: Resign, name: str) -> None:
    resign(one, lambda manifest: manifest["files"].update({name: {"bytes": 0, "sha256": "0" * 64}}))
    with pytest.raises(IndexDamaged):
        store.open_current(one)


@pytest.mark.parametrize("key", [*SETTINGS, "created", "documents", "files"])
def test_manifests_of_another_shape(one: Path, resign: Resign, key: str) -> None:
    good = json.loads((one / "gen-000002" / "MANIFEST.json").read_bytes())
    others: list[object] = [v for v in (None, True, 1.5, "x", ["x"], {"x": 1}) if type(v) is not type(good[key])]
    wrong: dict[str, list[object]] = {
        "documents": [1, 3],
        "paths": [[1]],
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


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.place),)


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


# Writing


def test_only_two_generations_are_kept(tmp_path: Path) -> None:
    for number in range(1, 5):
        publish(tmp_path, number)
    assert generations(tmp_path) == ["gen-000003", "gen-000004"]
    assert store.current_name(tmp_path) == "gen-000004"


def test_numbers_beyond_six_digits_are_in_order(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    name = "gen-999999"
    (tmp_path / "gen-000001").rename(tmp_path / name)
    (tmp_path / "CURRENT").write_text((tmp_path / "CURRENT").read_text().replace("gen-000001", name))
    publish(tmp_path, 2)
    with pytest.raises(ValueError, match="pickle"), store.writing(tmp_path):
        store.publish(tmp_path, [], [], {"vectors": np.array([print], object)}, SETTINGS)
    assert generations(tmp_path) == ["gen-1000000", "gen-999999"]
    publish(tmp_path, 3)
    assert number_of(store.open_current(tmp_path)) == 3
    assert generations(tmp_path) == ["gen-1000000", "gen-1000001"]


def test_two_writers(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with store.writing(tmp_path):
        with pytest.raises(IndexBusy, match="wait"), store.writing(tmp_path):
            pass
        assert number_of(store.open_current(tmp_path)) == 1
        held = subprocess.run(
            [sys.executable, "-c", "import sys; from pathlib import Path; from index.store import writing\n"
             "with writing(Path(sys.argv[1])): pass", str(tmp_path)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert "IndexBusy" in held.stderr
    publish(tmp_path, 2)


@pytest.mark.parametrize("stranger", ["thesis.docx", "gen-1", "gen-000001x", ".git"])
def test_strangers_are_left_alone(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(InputError, match="an --index folder of its own"):
        publish(tmp_path, 1)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(stranger, "mine")]


def test_what_is_no_array_is_not_published(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with pytest.raises(ValueError, match="pickle"), store.writing(tmp_path):
        store.publish(tmp_path, [], [], {"vectors": np.array([print], object)}, SETTINGS)
    assert number_of(store.open_current(tmp_path)) == 1
    assert generations(tmp_path) == ["gen-000001"]


class Faults:
    """Lets the ``at``-th operation that changes the file system fail, once or for ever."""

    def __init__(self, at: int, *, forever: bool, code: int = errno.EIO) -> None:
        self.at, self.forever, self.code, self.count = at, forever, code, 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at or (self.forever and self.count > self.at):
            raise OSError(self.code, os.strerror(self.code))

    def before(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any, **named: Any) -> Any:
            self.step()
            return operation(*arguments, **named)

        return checked

    def opening(self, path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if "r" in mode:
            return real_open(path, mode, *arguments, **named)
        self.step()
        return Stream(real_open(path, mode, *arguments, **named), self)


class Stream:
    """A file whose writes can fail."""

    def __init__(self, stream: Any, faults: Faults) -> None:
        self.stream, self.faults = stream, faults

    def write(self, data: Any) -> Any:
        self.faults.step()
        return self.stream.write(data)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


real_open = io.open


@pytest.mark.parametrize(("forever", "code"), [(False, errno.EIO), (True, errno.ENOSPC)])
def test_any_operation_may_fail(tmp_path: Path, forever: bool, code: int) -> None:
    publish(tmp_path, 1)
    for at in range(1, 200):
        before = number_of(store.open_current(tmp_path))
        faults = Faults(at, forever=forever, code=code)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "mkdir", "replace", "rename", "unlink", "rmdir"):
                patch.setattr(os, name, faults.before(getattr(os, name)))
            patch.setattr(io, "open", faults.opening)
            try:
                publish(tmp_path, before + 1)
            except InputError as error:
                said = str(error)
            else:
                said = ""
        assert "\n" not in said
        assert not said or os.strerror(code) in said
        found = number_of(store.open_current(tmp_path))
        assert found in (before, before + 1) if said else found == before + 1
        publish(tmp_path, found + 1)
        assert number_of(store.open_current(tmp_path)) == found + 1
        assert len(generations(tmp_path)) <= store.KEPT
        if faults.count < at:
            break
    assert 20 < at < 199


KILLED = """
import io, os, sys
from pathlib import Path
import numpy as np
from index import store
from index.passage import Document

steps = int(sys.argv[2])
def dying(operation):
    def checked(*arguments, **named):
        global steps
        steps -= 1
        if steps == 0:
            os._exit(9)
        return operation(*arguments, **named)
    return checked
for name in ("fsync", "mkdir", "replace"):
    setattr(os, name, dying(getattr(os, name)))
with store.writing(Path(sys.argv[1])):
    documents = [Document("a.txt", "text 5"), Document("b.txt", "more 5")]
    arrays = {"vectors": np.full((2, 3), 5, np.float32)}
    settings = dict(passages=2, model="m", encoder="m@1", recipe="1", paths=[], stats={})
    store.publish(Path(sys.argv[1]), documents, ["a", "b"], arrays, settings)
"""


def test_a_writer_may_be_killed_anywhere(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    current = 1
    seen = set()
    for steps in range(1, 60):  # one later each time, until nothing is left to be killed in
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(steps)], check=False)
        found = number_of(store.open_current(tmp_path))
        seen.add((killed.returncode, found != current))
        assert found in (current, 5)
        current = steps + 10
        publish(tmp_path, current)
        assert number_of(store.open_current(tmp_path)) == current
        assert len(generations(tmp_path)) <= store.KEPT
        if killed.returncode == 0:
            break
    assert seen == {(9, False), (9, True), (0, True)}


def test_an_interrupt_leaves_the_old_generation(tmp_path: Path) -> None:
    publish(tmp_path, 1)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, 2)
    assert number_of(store.open_current(tmp_path)) == 1
    assert generations(tmp_path) == ["gen-000001"]


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
    opened = store._open
    overtaken: list[int] = []

    def slow(folder: Path, digest: str) -> store.Generation:
        if not overtaken:
            overtaken.extend((2, 3))
            for number in (2, 3):
                publish(tmp_path, number)
        return opened(folder, digest)

    monkeypatch.setattr(store, "_open", slow)
    assert number_of(store.open_current(tmp_path)) == 3


def test_an_opened_generation_outlives_its_files(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    generation = store.open_current(tmp_path)
    for number in (2, 3, 4):
        publish(tmp_path, number)
    assert not generation.folder.exists()
    assert number_of(generation) == 1
