"""The records of the stored documents: a line each in ``documents.jsonl``."""

import json
from dataclasses import dataclass, fields
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


# What a line's fields must be; ``masked`` is built anew from what is read.
_KINDS: dict[str, Any] = {field.name: field.type for field in fields(Record) if field.name != "masked"}


def record_line(document: Document, path: str, offset: int, size: int) -> bytes:
    """The document's line, newline included; ``path`` is its file."""
    record = Record(
        document.doc_id,
        path,
        document.title,
        document.source,
        document.date,
        document.sha256,
        document.source_sha256,
        document.masked,
        offset,
        size,
    )
    # Not asdict, which copies every mask. ASCII only: a path with a lone surrogate (a file name that is no UTF-8) must
    # not break the line.
    return json.dumps({field.name: getattr(record, field.name) for field in fields(record)}).encode() + b"\n"


def read_records(stream: BinaryIO) -> list[Record]:
    """The records of a file, in its order; ValueError if a line is none. Offsets are not checked against the texts."""
    records: list[Record] = []
    for line in stream:
        try:
            records.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"line {len(records) + 1}: {error}") from None
    return records


def _record(line: Any) -> Record:
    masked = tuple((int(start), int(end)) for start, end in line["masked"])
    record = Record(**{**line, "masked": masked})
    for name, kind in _KINDS.items():
        if not isinstance(getattr(record, name), kind):
            raise TypeError(f"{name} is of another type")
    return record
