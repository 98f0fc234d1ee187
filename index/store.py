"""What lies on disk: immutable generations, their manifest, publishing one, opening one.

    DIR/  writer.lock   CURRENT (generation name, sha256 of its manifest)   gen-000042/ (never changed once published)
    gen-000042/  MANIFEST.json   documents.jsonl   texts.bin   *.npy

``documents.jsonl`` holds one record a document, ``texts.bin`` their texts in UTF-8 end to end, every ``.npy`` file one
array of the generation. Readers take no lock: a generation is complete before CURRENT names it, the name changes by
one rename, and the generation before it is kept for those who still read it. Nothing is pickled; every file is
checked against the manifest's size and sha256 before it is used, and the manifest against CURRENT.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, InputError, RagError
from index.files import checked_file, damaged, map_array, map_bytes, open_file, unread
from index.passage import Document
from index.records import Record, read_records, record_line

FORMAT = 1
KEPT = 2
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GENERATION = re.compile(r"gen-(\d{6,12})")
_MANIFEST_BYTES = 64 * 2**20
_FILE = re.compile(r"MANIFEST\.json|documents\.jsonl|texts\.bin|[a-z][a-z0-9_.]{0,62}\.npy")
_MANIFEST: dict[str, type] = {
    "created": str,
    "documents": int,
    "passages": int,
    "model": str,
    "encoder": str,
    "recipe": str,
    "paths": list,
    "stats": dict,
    "files": dict,
}


@dataclass(frozen=True, slots=True)
class Generation:
    """One opened generation. ``arrays`` are memory-mapped and read-only."""

    name: str
    folder: Path
    manifest: Mapping[str, Any]
    records: Sequence[Record]
    rows: Mapping[str, int]
    arrays: Mapping[str, np.ndarray]
    texts: np.ndarray = field(repr=False)
    digest: str
    """sha256 of the manifest: two generations of one name are the same if it is."""

    def document(self, row: int) -> Document:
        """The document in ``row``, its text decoded from the store; IndexDamaged if it is not what was written."""
        r = self.records[row]
        try:
            text = self.texts[r.offset : r.offset + r.size].tobytes().decode("utf-8")
            document = Document(r.doc_id, text, r.title, r.source, r.date, r.source_sha256, r.masked)
        except ValueError as error:
            raise damaged(self.folder, f"document {r.doc_id!r}: {error}") from None
        if document.sha256 != r.sha256:  # a mapped file shows what is written into it after it was checked
            raise damaged(self.folder, f"document {r.doc_id!r}: its text is not the one that was stored")
        return document


# Writing


@contextmanager
def writing(root: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the one writer's lock of the index at ``root`` (made if absent).

    IndexBusy if another process has it and keeps it for ``wait`` seconds. A folder that was made for nothing, because
    what should be written cannot be, is removed again.
    """
    from filelock import FileLock, Timeout

    made = False
    try:
        made = _made(root)
        _refuse_strangers(root)
        lock = FileLock(root / "writer.lock")
        with warnings.catch_warnings():  # of file systems that lock nothing: a lock is then a file that exists
            warnings.filterwarnings("ignore", "flock not supported", UserWarning)
            lock.acquire(timeout=wait)
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
            if _GENERATION.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError), os.scandir(entry) as files:  # another writer may be removing it
                    others += [f"{entry.name}/{f.name}" for f in files if f.is_dir() or not _FILE.fullmatch(f.name)]
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

    ``paths`` are the documents' files, ``settings`` what the manifest says besides (``_MANIFEST``: encoder, recipe,
    counts …). The caller holds ``writing(root)``. A failure at any point leaves the current generation as it was.
    """
    folder = root
    try:
        name = _next_name(root)
        (root / name).mkdir()
        folder = root / name
        files: dict[str, dict[str, Any]] = {}
        _write_documents(folder, documents, paths, files)
        for key, array in arrays.items():
            with _recorded(folder, f"{key}.npy", files) as stream:
                np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
        manifest = {
            "format": FORMAT,
            "generation": name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "documents": len(documents),
            **settings,
            "files": files,
        }
        # ASCII only, as the records: paths may hold what UTF-8 does not.
        data = json.dumps(manifest, indent=1).encode()
        if len(data) > _MANIFEST_BYTES:  # no reader would open it
            raise InputError(
                f"the index at {root} was not written: what it notes of every file would take {len(data):,} bytes, "
                f"and {_MANIFEST_BYTES:,} is the most; give fewer files, or join them as lines of .jsonl files"
            )
        _write(folder / "MANIFEST.json", data)
        _sync(folder)
        digest = hashlib.sha256(data).hexdigest()
        generation = _open(folder, digest)
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
        return sorted((entry.name for entry in entries if _GENERATION.fullmatch(entry.name)), key=_number)


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


# Reading


def open_current(root: Path) -> Generation:
    """Open the current generation of the index at ``root``.

    Raises IndexMissing, IndexDamaged (sizes, checksums, structure), IndexMismatch (an unknown format) or InputError
    (what stands there may be sound, but this process cannot read it).
    """
    while True:
        current = current_generation(root)
        if current is None:
            raise IndexMissing(
                f"there is no index at {root}: build one with `rag index PATH --index DIR`, or ask with `--corpus PATH`"
            )
        name, digest = current
        try:
            return _open(root / name, digest)
        except (IndexDamaged, OSError) as error:
            # A writer may have published twice since CURRENT was read, and removed what it named.
            if current_generation(root) == current:
                if isinstance(error, OSError):
                    raise unread(root, name, error) from None
                raise


def model_of(root: Path) -> str | None:
    """The encoder that the index at ``root`` was built by, also where the rest of it is damaged; None if unknown."""
    with suppress(RagError, OSError):
        if current := current_generation(root):
            return str(_read_manifest(root / current[0], current[1])["model"])
    return None


def current_generation(root: Path) -> tuple[str, str] | None:
    """The current generation's name and its manifest's checksum, None where no index stands; cheap."""
    try:
        with open_file(root / "CURRENT") as stream:
            fields = stream.read(1024).decode("ascii").split()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unread(root, "CURRENT", error) from None
    except UnicodeDecodeError as error:
        raise damaged(root, f"CURRENT cannot be read: {error}") from None
    if len(fields) != 2 or not _GENERATION.fullmatch(fields[0]) or not re.fullmatch("[0-9a-f]{64}", fields[1]):
        raise damaged(root, "CURRENT does not name a generation and its checksum")
    return fields[0], fields[1]


def _open(folder: Path, digest: str) -> Generation:
    manifest = _read_manifest(folder, digest)
    arrays: dict[str, np.ndarray] = {}
    for name, facts in manifest["files"].items():
        with checked_file(folder / name, facts) as stream:
            try:
                if name == "documents.jsonl":
                    records = read_records(stream)
                elif name == "texts.bin":
                    texts = map_bytes(stream)
                else:
                    arrays[name.removesuffix(".npy")] = map_array(stream)
            except ValueError as error:
                raise damaged(folder, f"{name}: {error}") from None
    if len(records) != manifest["documents"]:
        raise damaged(folder, f"{len(records)} documents, {manifest['documents']} in the manifest")
    if any(r.offset < 0 or r.size < 0 or r.offset + r.size > len(texts) for r in records):
        raise damaged(folder, "a document lies outside texts.bin")
    rows = {record.doc_id: row for row, record in enumerate(records)}
    if len(rows) < len(records):
        raise damaged(folder, "two documents have one id")
    return Generation(folder.name, folder, manifest, records, rows, arrays, texts, digest)


def _read_manifest(folder: Path, digest: str) -> dict[str, Any]:
    with open_file(folder / "MANIFEST.json") as stream:
        if os.fstat(stream.fileno()).st_size > _MANIFEST_BYTES:
            raise damaged(folder, "its manifest is too large")
        data = stream.read()
    if hashlib.sha256(data).hexdigest() != digest:
        raise damaged(folder, "its manifest is not the one that was published")
    try:
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise IndexMismatch(
                f"the index at {folder.parent} has format {manifest['format']}, this version reads {FORMAT}: "
                "build it again with `rag index PATH --index DIR`"
            )
        for name, kind in _MANIFEST.items():
            if type(manifest[name]) is not kind:
                raise TypeError(f"{name} is no {kind.__name__}")
        names = set(manifest["files"])
        if not {"documents.jsonl", "texts.bin"} <= names or not all(map(_FILE.fullmatch, names)):
            raise ValueError("it names files that no index has")
        for facts in manifest["files"].values():
            if type(facts["bytes"]) is not int or type(facts["sha256"]) is not str:
                raise TypeError("a file without size and checksum")
        if not all(type(path) is str for path in manifest["paths"]):
            raise TypeError("a path that is no string")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(folder, f"manifest: {error}") from None
    return dict(manifest)
