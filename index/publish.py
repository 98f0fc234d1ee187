"""Writing an index: one writer's lock, a new generation beside the old one, made the current one by one rename."""

import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import IndexBusy, IndexDamaged, InputError, RagError
from index.passage import Document
from index.records import record_line
from index.store import (
    FILE,
    FORMAT,
    GENERATION,
    MANIFEST_BYTES,
    Generation,
    current_generation,
    open_current,
    open_generation,
)

KEPT = 2
"""Generations that stay: the current one and the one before it, for those who still read that."""
_TRIES = 3
"""How often a folder is made that others remove before it can be locked."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(root: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the one writer's lock of the index at ``root`` (made if absent).

    IndexBusy if another process has it and keeps it for ``wait`` seconds. A folder that was made for nothing, because
    what should be written cannot be, is removed again.
    """
    from filelock import FileLock, Timeout

    made = False
    lock = FileLock(root / "writer.lock")
    try:
        for more in reversed(range(_TRIES)):
            try:
                made = _made(root)
                _refuse_strangers(root)
                with warnings.catch_warnings():  # of file systems that lock nothing: a lock is then a file that exists
                    warnings.filterwarnings("ignore", "flock not supported", UserWarning)
                    lock.acquire(timeout=wait)
                break
            except FileNotFoundError:  # a writer that wrote nothing has just removed the folder
                if not more:
                    raise
    except Timeout:
        raise IndexBusy(f"another process is writing the index at {root}: wait until it is done") from None
    except OSError as error:
        if made:
            _remove_unused(root)
        raise InputError(
            f"the index cannot be written at {root} ({error.strerror}): "
            "make that possible, or build one elsewhere with `rag index PATH --index DIR`"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            (root / "CURRENT.new").unlink(missing_ok=True)  # of a write that failed, or of a writer that was killed
        if made:
            _remove_unused(root)
        lock.release()


def await_writer(root: Path, seconds: float) -> None:
    """Return as soon as nobody writes the index at ``root``; IndexBusy if somebody still does after ``seconds``."""
    with writing(root, seconds):
        pass


def _made(root: Path) -> bool:
    """Whether the folder had to be made."""
    try:
        root.mkdir(parents=True)
    except OSError:  # which one it says first of a folder that stands is the system's own choice
        if not root.is_dir():
            raise
        return False
    return True


def _remove_unused(root: Path) -> None:
    """Remove a folder in which nothing but the lock was ever made."""
    with suppress(OSError):
        if {path.name for path in root.iterdir()} <= {"writer.lock"}:
            (root / "writer.lock").unlink(missing_ok=True)
            root.rmdir()


def _refuse_strangers(root: Path) -> None:
    """Generations are removed whole, so an index shares neither its folder nor theirs with other people's files."""
    others = []
    with os.scandir(root) as entries:
        for entry in entries:
            if GENERATION.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError), os.scandir(entry) as files:  # another writer may be removing it
                    others += [f"{entry.name}/{f.name}" for f in files if f.is_dir() or not FILE.fullmatch(f.name)]
            elif entry.name not in ("writer.lock", "CURRENT", "CURRENT.new"):
                others.append(entry.name)
    if others:
        raise InputError(f"{root} holds other files ({others[0]}): give an --index folder of its own")


def publish(
    root: Path,
    documents: Sequence[Document],
    paths: Sequence[str],
    arrays: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
) -> Generation:
    """Write a new generation, check it with the ordinary reader, and make it the current one by one rename.

    ``paths`` are the documents' files, ``settings`` what the manifest says besides (``index.store``: encoder, recipe,
    counts …). The caller holds ``writing(root)``. A failure at any point leaves the current generation as it was.
    """
    folder = root
    try:
        name = _next_name(root)
        (root / name).mkdir()
        folder = root / name
        digest = _write_generation(folder, documents, paths, arrays, settings)
        generation = open_generation(folder, digest)
        _write(root / "CURRENT.new", f"{name} {digest}\n".encode())
    except BaseException as error:
        if folder != root:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise _unwritten(root, error) from None
        raise
    # From here on the new generation may be the current one, whatever interrupts: only a rename that failed undoes it.
    try:
        (root / "CURRENT.new").replace(root / "CURRENT")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _unwritten(root, error) from None
    try:
        _sync(root)
    except OSError as error:
        raise InputError(
            f"the new index at {root} may not outlast a power failure ({error.strerror or error}): build it again"
        ) from None
    with suppress(OSError):
        for old in _generations(root)[:-KEPT]:
            shutil.rmtree(root / old, ignore_errors=True)
    return generation


def _write_generation(
    folder: Path,
    documents: Sequence[Document],
    paths: Sequence[str],
    arrays: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
) -> str:
    """Write the files of one generation into its folder, the manifest last; returns the manifest's sha256."""
    files: dict[str, dict[str, Any]] = {}
    _write_documents(folder, documents, paths, files)
    for key, array in arrays.items():
        with _recorded(folder, f"{key}.npy", files) as stream:
            np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    manifest = {
        "format": FORMAT,
        "generation": folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": len(documents),
        **settings,
        "files": files,
    }
    # ASCII only, as the records: paths may hold what UTF-8 does not.
    data = json.dumps(manifest, indent=1).encode()
    if len(data) > MANIFEST_BYTES:  # no reader would open it
        raise InputError(
            f"the index at {folder.parent} was not written: what it notes of every file would take {len(data):,} "
            f"bytes, and {MANIFEST_BYTES:,} is the most; give fewer files, or join them as lines of .jsonl files"
        )
    _write(folder / "MANIFEST.json", data)
    _sync(folder)
    return hashlib.sha256(data).hexdigest()


def _unwritten(root: Path, error: OSError) -> InputError:
    stands = ""
    with suppress(RagError):
        open_current(root)
        stands = "; the one before it still stands"
    mend = "make room" if error.errno in _NO_ROOM else "mend that"
    return InputError(
        f"the index could not be written at {root} ({error.strerror or error}){stands}: "
        f"{mend}, or build one elsewhere with `rag index PATH --index DIR`"
    )


def _write_documents(
    folder: Path, documents: Sequence[Document], paths: Sequence[str], files: dict[str, dict[str, Any]]
) -> None:
    offset = 0
    with _recorded(folder, "texts.bin", files) as texts, _recorded(folder, "documents.jsonl", files) as lines:
        for document, path in zip(documents, paths, strict=True):
            data = document.text.encode("utf-8")
            texts.write(data)
            lines.write(record_line(document, path, offset, len(data)))
            offset += len(data)


class _Recorder:
    """A binary stream that hashes and counts what passes through it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._hash, self.bytes = stream, hashlib.sha256(), 0

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.bytes += memoryview(data).nbytes
        return int(self._stream.write(data))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def _recorded(folder: Path, name: str, files: dict[str, dict[str, Any]]) -> Iterator[_Recorder]:
    with (folder / name).open("xb") as stream:
        recorder = _Recorder(stream)
        yield recorder
        stream.flush()
        os.fsync(stream.fileno())
    files[name] = {"bytes": recorder.bytes, "sha256": recorder.hexdigest()}


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _generations(root: Path) -> list[str]:
    """Names of the generations at ``root``, oldest first."""
    with os.scandir(root) as entries:
        return sorted((entry.name for entry in entries if GENERATION.fullmatch(entry.name)), key=_number)


def _number(name: str) -> int:
    return int(name.removeprefix("gen-"))


def _next_name(root: Path) -> str:
    """One past the highest number in use. What a killed writer left unfinished, past the current one, is removed."""
    try:
        current = current_generation(root)
    except IndexDamaged:
        pass  # which generation is good is unknown: remove none
    else:
        for name in _generations(root):
            if current is None or _number(name) > _number(current[0]):
                shutil.rmtree(root / name, ignore_errors=True)
    return f"gen-{max(map(_number, _generations(root)), default=0) + 1:06d}"
