"""The records of the stored documents: a line each in ``documents.jsonl``."""

import json
from dataclasses import dataclass
from typing import Any, BinaryIO

from index.passage import Document, Span


@dataclass(frozen=True, slots=True)
class Record:
    """All of a document but its text, which stands at ``offset``, in ``size`` bytes of UTF-8, in ``texts.bin``."""

    doc_id: str
    path: str
    title: str | None
    source: str | None
    date: str | None
    sha256: str
    source_sha256: str
    masked: tuple[Span, ...]
    offset: int
    size: int


_KINDS: dict[str, Any] = {
    "doc_id": str,
    "path": str,
    "title": str | None,
    "source": str | None,
    "date": str | None,
    "sha256": str,
    "source_sha256": str,
    "offset": int,
    "size": int,
}


def record_line(document: Document, path: str, offset: int, size: int) -> bytes:
    """The document's line, newline included; ``path`` is its file."""
    record = {
        "doc_id": document.doc_id,
        "path": path,
        "title": document.title,
        "source": document.source,
        "date": document.date,
        "sha256": document.sha256,
        "source_sha256": document.source_sha256,
        "masked": document.masked,
        "offset": offset,
        "size": size,
    }
    # ASCII only: a path with a lone surrogate (a file name that is no UTF-8) must not break the line.
    return json.dumps(record).encode() + b"\n"


def read_records(stream: BinaryIO) -> list[Record]:
    """The records of a file, in its order; ValueError if a line is none. Offsets are not checked against the texts."""
    records: list[Record] = []
    for line in stream:
        try:
            records.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"line {len(records) + 1}: {error}") from None
    return records


def _record(fields: Any) -> Record:
    masked = tuple((int(start), int(end)) for start, end in fields["masked"])
    record = Record(**{**fields, "masked": masked})
    for name, kind in _KINDS.items():
        if not isinstance(getattr(record, name), kind):
            raise TypeError(f"{name} is of another type")
    return record
