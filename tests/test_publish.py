"""Writing an index: one writer, strangers left alone, and after any failure the old generation stands."""

import errno
import io
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import publish as publishing
from index import store
from index.errors import IndexBusy, InputError
from index.publish import KEPT, await_writer, writing
from index.publish import publish as published
from tests.stored import SETTINGS, generations, number_of, publish


def test_no_documents_are_a_generation_too(tmp_path: Path) -> None:
    with writing(tmp_path):
        published(tmp_path, [], [], {"vectors": np.zeros((0, 3), np.float32)}, SETTINGS)
    assert store.open_current(tmp_path).arrays["vectors"].shape == (0, 3)


def test_only_two_generations_are_kept(tmp_path: Path) -> None:
    for number in range(1, 5):
        publish(tmp_path, number)
    assert generations(tmp_path) == ["gen-000003", "gen-000004"]
    assert (store.current_generation(tmp_path) or ("",))[0] == "gen-000004"


def test_what_a_killed_writer_left_unfinished_is_removed(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    (tmp_path / "gen-000007").mkdir()
    (tmp_path / "gen-000007" / "texts.bin").write_text("half")
    publish(tmp_path, 2)
    assert generations(tmp_path) == ["gen-000001", "gen-000002"]


def test_a_folder_that_stood_there_stays(tmp_path: Path) -> None:
    with writing(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_numbers_beyond_six_digits_are_in_order(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    name = "gen-999999"
    (tmp_path / "gen-000001").rename(tmp_path / name)
    (tmp_path / "CURRENT").write_text((tmp_path / "CURRENT").read_text().replace("gen-000001", name))
    publish(tmp_path, 2)
    with pytest.raises(ValueError, match="pickle"), writing(tmp_path):
        published(tmp_path, [], [], {"vectors": np.array([print], object)}, SETTINGS)
    assert generations(tmp_path) == ["gen-1000000", "gen-999999"]
    publish(tmp_path, 3)
    assert number_of(store.open_current(tmp_path)) == 3
    assert generations(tmp_path) == ["gen-1000000", "gen-1000001"]


def test_a_folder_that_another_writer_removes_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, looked = tmp_path / "index", publishing._refuse_strangers
    removed: list[Path] = []

    def remove_first(folder: Path) -> None:
        if len(removed) < times:
            removed.append(folder)
            folder.rmdir()  # as one does who made it and had nothing to write
        looked(folder)

    monkeypatch.setattr(publishing, "_refuse_strangers", remove_first)
    times = 1
    with writing(root):
        assert (root / "writer.lock").exists()
    assert removed == [root]
    assert not root.exists()
    times = 100  # not for ever
    with pytest.raises(InputError, match="cannot be written"), writing(root):
        pass


def test_two_writers(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with writing(tmp_path):
        with pytest.raises(IndexBusy, match="wait"), writing(tmp_path):
            pass
        assert number_of(store.open_current(tmp_path)) == 1
        held = subprocess.run(
            [sys.executable, "-c", "import sys; from pathlib import Path; from index.publish import writing\n"
             "with writing(Path(sys.argv[1])): pass", str(tmp_path)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert "IndexBusy" in held.stderr
    publish(tmp_path, 2)


def test_a_writer_that_waits(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with writing(tmp_path):
            held.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    with pytest.raises(IndexBusy, match="another process"):
        await_writer(tmp_path, 0.1)
    threading.Timer(0.3, release.set).start()
    await_writer(tmp_path, 20)
    assert release.is_set()
    holder.join()


def locks(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A file system on which locking fails so."""
    fcntl = pytest.importorskip("fcntl")

    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_file_system_that_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks(monkeypatch, errno.ENOSYS)
    root = tmp_path / "index"
    with pytest.raises(ValueError, match="pickle"), writing(root):
        published(root, [], [], {"vectors": np.array([print], object)}, SETTINGS)
    assert not root.exists()
    publish(root, 1)
    publish(root, 2)  # without a warning, which would be an error here
    assert number_of(store.open_current(root)) == 2


def test_a_lock_that_cannot_be_had_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path / "old", 1)
    locks(monkeypatch, errno.EIO)
    for name in ("new", "old"):
        with pytest.raises(InputError, match="cannot be written"):
            publish(tmp_path / name, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert number_of(store.open_current(tmp_path / "old")) == 1


@pytest.mark.parametrize("stranger", ["thesis.docx", "gen-1", "gen-000001x", ".git"])
def test_strangers_are_left_alone(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(InputError, match="an --index folder of its own"):
        publish(tmp_path, 1)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(stranger, "mine")]


@pytest.mark.parametrize("stranger", ["notes.txt", "notes.npy/notes.txt", ".git/config", "texts.bin/notes.txt"])
def test_strangers_in_a_folder_that_is_named_as_ours_are_left_alone(tmp_path: Path, stranger: str) -> None:
    file = tmp_path / "gen-000001" / stranger
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    named = re.escape(f"(gen-000001/{stranger.split('/')[0]})")
    with pytest.raises(InputError, match=f"{named}: give an --index folder of its own"):
        publish(tmp_path, 1)
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["gen-000001"]


def test_strangers_that_are_named_as_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for at, make in enumerate((lambda path: path.write_text("mine"), lambda path: path.symlink_to("../mine"))):
        root = tmp_path / f"index{at}"
        root.mkdir()
        make(root / "gen-000001")
        with pytest.raises(InputError, match=r"\(gen-000001\): give an --index folder of its own"):
            publish(root, 1)
        assert [path.name for path in root.iterdir()] == ["gen-000001"]


def test_a_generation_may_go_while_strangers_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is writing, and removes what it keeps no longer."""
    publish(tmp_path, 1)
    scandir = os.scandir

    def overtaken(path: Any) -> Any:
        if isinstance(path, os.DirEntry):  # a generation, in the index
            shutil.rmtree(path)
        return scandir(path)

    with writing(tmp_path):
        monkeypatch.setattr(os, "scandir", overtaken)
        with pytest.raises(IndexBusy), writing(tmp_path):
            pass


def test_what_is_no_array_is_not_published(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with pytest.raises(ValueError, match="pickle"), writing(tmp_path):
        published(tmp_path, [], [], {"vectors": np.array([print], object)}, SETTINGS)
    assert number_of(store.open_current(tmp_path)) == 1
    assert generations(tmp_path) == ["gen-000001"]


def test_a_manifest_too_large_to_be_opened_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, 1)
    size = (tmp_path / "gen-000001" / "MANIFEST.json").stat().st_size
    for module in (store, publishing):
        monkeypatch.setattr(module, "MANIFEST_BYTES", size)
    publish(tmp_path, 2)
    stats = {f"{number}.txt": [1, 1, 1] for number in range(9)}
    with pytest.raises(InputError, match="give fewer files"), writing(tmp_path):
        published(tmp_path, [], [], {}, {**SETTINGS, "stats": stats})
    assert number_of(store.open_current(tmp_path)) == 2
    assert generations(tmp_path) == ["gen-000001", "gen-000002"]


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
        assert len(generations(tmp_path)) <= KEPT
        if faults.count < at:
            break
    assert 20 < at < 199


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_write_that_fails_leaves_nothing_and_says_what_stands(tmp_path: Path, code: int) -> None:
    publish(tmp_path / "old", 1)
    before = sorted(tmp_path.rglob("*"))
    failed = 0
    for at in range(1, 200):
        for name, stands in (("new", False), ("old", True)):
            root, faults = tmp_path / name, Faults(at, forever=False, code=code)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fsync", faults.before(os.fsync))
                patch.setattr(os, "replace", faults.before(os.replace))
                patch.setattr(io, "open", faults.opening)
                try:
                    publish(root, 2)
                except InputError as error:
                    said = str(error)
                else:
                    said = "done"
            if not said.startswith("the index could not be written"):  # it stands
                shutil.rmtree(tmp_path)
                publish(tmp_path / "old", 1)
                continue
            failed += 1
            assert ("the one before it still stands" in said) == stands
            assert ("make room" in said) == (code != errno.EIO)
            assert sorted(tmp_path.rglob("*")) == before
        if said == "done":
            break
    assert failed > 20


def test_an_index_that_is_damaged_is_not_said_to_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, 1)
    (tmp_path / "gen-000001" / "vectors.npy").write_bytes(b"damaged")
    monkeypatch.setattr(os, "fsync", Faults(1, forever=True).before(os.fsync))
    with pytest.raises(InputError, match=r"\(Input/output error\): mend that, or"):
        publish(tmp_path, 2)


KILLED = """
import io, os, sys
from pathlib import Path
import numpy as np
from index.passage import Document
from index.publish import publish, writing

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
with writing(Path(sys.argv[1])):
    documents = [Document("a.txt", "text 5"), Document("b.txt", "more 5")]
    arrays = {"vectors": np.full((2, 3), 5, np.float32)}
    settings = dict(passages=2, model="m", encoder="m@1", recipe="1", paths=[], stats={})
    publish(Path(sys.argv[1]), documents, ["a", "b"], arrays, settings)
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
        assert len(generations(tmp_path)) <= KEPT
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
