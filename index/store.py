"""What lies on disk: immutable generations, their manifest, opening one. (``index.publish`` writes them.)

    DIR/  writer.lock   CURRENT (generation name, sha256 of its manifest)   gen-000042/ (never changed once published)
    gen-000042/  MANIFEST.json   documents.jsonl   texts.bin   *.npy

``documents.jsonl`` holds one record a document, ``texts.bin`` their texts in UTF-8 end to end, every ``.npy`` file one
array of the generation. Readers take no lock: a generation is complete before CURRENT names it, the name changes by
one rename, and the generation before it is kept for those who still read it. Nothing is pickled; every file is
checked against the manifest's size and sha256 before it is used, and the manifest against CURRENT.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import IndexDamaged, IndexMismatch, IndexMissing, RagError
from index.files import checked_file, damaged, map_array, map_bytes, open_file, unread
from index.passage import Document
from index.records import Record, read_records

FORMAT = 1
MANIFEST_BYTES = 64 * 2**20
"""Size of the largest manifest that is read."""
GENERATION = re.compile(r"gen-(\d{6,12})")
"""A generation's name."""
FILE = re.compile(r"MANIFEST\.json|documents\.jsonl|texts\.bin|[a-z][a-z0-9_.]{0,62}\.npy")
"""The name of a file of a generation."""
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
            return open_generation(root / name, digest)
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
    if len(fields) != 2 or not GENERATION.fullmatch(fields[0]) or not re.fullmatch("[0-9a-f]{64}", fields[1]):
        raise damaged(root, "CURRENT does not name a generation and its checksum")
    return fields[0], fields[1]


def open_generation(folder: Path, digest: str) -> Generation:
    """Open the generation in ``folder`` whose manifest has the sha256 ``digest``, every file checked.

    Raises IndexDamaged, IndexMismatch (an unknown format) or OSError.
    """
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
        if os.fstat(stream.fileno()).st_size > MANIFEST_BYTES:
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
        if not {"documents.jsonl", "texts.bin"} <= names or not all(map(FILE.fullmatch, names)):
            raise ValueError("it names files that no index has")
        for facts in manifest["files"].values():
            if type(facts["bytes"]) is not int or type(facts["sha256"]) is not str:
                raise TypeError("a file without size and checksum")
        if not all(type(path) is str for path in manifest["paths"]):
            raise TypeError("a path that is no string")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(folder, f"manifest: {error}") from None
    return dict(manifest)
