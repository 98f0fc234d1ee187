"""Files in, Documents out: one entry for every unit met, and none dropped in silence.

A unit is a file or, in a ``.jsonl`` file, a line that is not blank. Each becomes a ``Document`` or a ``Rejected`` with
its reason, so that scanned = indexed + unchanged + skipped + failed, always. ``skipped`` is a unit that is no
article for us (empty, binary, unknown format, too big); ``failed`` is one that should have been readable.
"""

import codecs
import datetime
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from index import html, markdown
from index.boilerplate import merged
from index.decode import decode, without_surrogates
from index.find import Source, printable
from index.passage import Document, Span
from index.strict import TwiceError, loads
from index.tokens import INVISIBLE, LINE_HYPHEN

MAX_BYTES = 50_000_000
"""Larger files are skipped, unread."""
ID_LIMIT = 1_000
"""Characters of the longest id of a line in `.jsonl`: links to citations hold it, in up to twelve bytes a character."""
ATTEMPTS = 3
"""How often a file that changes while it is read is read."""

_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]++")
_HALVES = re.compile(rf"({_WORD.pattern})({LINE_HYPHEN.pattern})(?=({_WORD.pattern}))")
_HYPHENATED = re.compile(rf"({_WORD.pattern})[-\u2010](?=({_WORD.pattern}))")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2]))?$")
# A day and what parts it from the time: Python takes any character there, and so milliseconds since 1970 for a moment.
_MOMENT = re.compile(r"(?:[0-9W-]{10}|[0-9W]{8})[T ]")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A unit that became no document. ``path`` is its document id or, for a line of ``.jsonl``, ``<file>#line N``."""

    path: str
    reason: str
    kind: Literal["skipped", "failed"]


Entry = Document | Rejected


class _RefusedError(Exception):
    """What ``read`` turns into a ``Rejected``."""

    def __init__(self, kind: Literal["skipped", "failed"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def read(source: Source) -> list[Entry]:
    """The units of one file, in their order: a Document or a Rejected each. Raises nothing, whatever the bytes."""
    if source.refused:
        return [Rejected(source.doc_id, source.refused, "skipped")]
    try:
        loader = _loader(source.path)
        data = _stable_bytes(source.path)
        if not data.strip():
            raise _RefusedError("skipped", "empty")
        return loader(data, source.doc_id)
    except _RefusedError as refused:
        return [Rejected(source.doc_id, str(refused), refused.kind)]
    except OSError as error:
        return [Rejected(source.doc_id, f"cannot be read ({(error.strerror or str(error)).lower()})", "failed")]


def _loader(path: Path) -> Callable[[bytes, str], list[Entry]]:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise _RefusedError("failed", "the folder cannot be listed")
    if not stat.S_ISREG(mode):
        raise _RefusedError("skipped", "not a regular file")
    suffix = path.suffix.lower()
    if suffix in (".pdf", ".docx"):
        raise _RefusedError("skipped", f"{suffix} files are not read yet: their parser comes with the sandbox it needs")
    if suffix not in LOADERS:
        known = " ".join(sorted(LOADERS))
        raise _RefusedError("skipped", f"unknown format {printable(suffix)!r} (known: {known})")
    return LOADERS[suffix]


def _stable_bytes(path: Path) -> bytes:
    """The file's bytes as they stood at one moment, as far as size, times and inode can tell."""
    for _ in range(ATTEMPTS):
        # Without O_NONBLOCK a pipe put in the file's place since it was looked at would block for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise _RefusedError("skipped", "not a regular file")
            if before.st_size > MAX_BYTES:
                raise _RefusedError("skipped", f"larger than {MAX_BYTES // 1_000_000} MB ({before.st_size:,} bytes)")
            data = file.read(MAX_BYTES + 1)
        after = path.stat()
        if len(data) == before.st_size and _version(before) == _version(after):
            return data
    raise _RefusedError("failed", f"changed while it was read, {ATTEMPTS} times in a row")


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _decoded(data: bytes, declared: str | None = None) -> str:
    try:
        return decode(data, declared)
    except (UnicodeError, LookupError, ValueError):
        raise _RefusedError("skipped", "binary, or text in an unknown encoding") from None


def _document(
    doc_id: str,
    text: str,
    data: bytes,
    fields: dict[str, str | None],
    masked: Sequence[Span] = (),
) -> Document:
    hidden = merged([*masked, *(match.span() for match in INVISIBLE.finditer(text))])
    edges = [0, *(edge for span in hidden for edge in span), len(text)]
    if not any(text[start:end].strip() for start, end in zip(edges[::2], edges[1::2], strict=True)):
        raise _RefusedError("skipped", "empty")
    document = Document(
        doc_id,
        text,
        title=_line(fields.get("title")),
        source=_line(fields.get("source") or fields.get("author")),
        date=_iso_date(fields.get("date")),
        source_sha256=hashlib.sha256(data).hexdigest(),
        masked=hidden,
    )
    hyphens = list(_line_hyphens(document)) if LINE_HYPHEN.search(text) else []
    return replace(document, masked=merged([*hidden, *hyphens])) if hyphens else document


def _line_hyphens(document: Document) -> Iterator[Span]:
    """Hyphens of a hard-wrapped document that are none of their words'.

    A soft one is none. Of the others it shows where the document has the word in one piece elsewhere and nowhere with
    the hyphen in it; any other ("long-term", for all one can tell) stays.
    """
    if not document.hard_wrapped:
        return
    text = document.text.casefold()
    known = set(_WORD.findall(text))
    hyphenated = set(_HYPHENATED.findall(text))
    for match in _HALVES.finditer(document.text):
        left, hyphen, right = match.groups()
        halves = left.casefold(), right.casefold()
        whole = hyphen[0] == "\u00ad" or ("".join(halves) in known and halves not in hyphenated)
        if whole and left[-1].islower() and right[0].islower():
            yield match.span(2)


def _line(value: str | None) -> str | None:
    return " ".join(INVISIBLE.sub("", without_surrogates(value or "")).split()) or None


def _iso_date(value: str | None) -> str | None:
    """``value`` in ISO 8601 (a year, month, day or moment), None if it is no date."""
    value = (value or "").strip()
    if _MONTH.match(value):
        return value
    try:
        if len(value) <= 10 or _MOMENT.match(value):
            moment = datetime.datetime.fromisoformat(value)
            return moment.date().isoformat() if len(value) <= 10 else moment.isoformat()
    except ValueError:
        pass
    day = _DAY.match(value)
    try:
        return datetime.date.fromisoformat(day.group()).isoformat() if day else None
    except ValueError:
        return None


def _plain(data: bytes, doc_id: str) -> list[Entry]:
    return [_document(doc_id, _decoded(data), data, {})]


def _markdown(data: bytes, doc_id: str) -> list[Entry]:
    text = _decoded(data)
    fields, masked = markdown.parse(text)
    return [_document(doc_id, text, data, fields, masked)]


def _html(data: bytes, doc_id: str) -> list[Entry]:
    markup = _decoded(data, html.declared_encoding(data))
    try:
        text, fields = html.extract(markup)
    except html.ExtractionError as error:
        raise _RefusedError("failed", str(error)) from None
    text = without_surrogates(text)
    if not text.strip():
        raise _RefusedError("skipped", "no article text found")
    return [_document(doc_id, text, data, fields, html.cells(text))]


def _jsonl(data: bytes, doc_id: str) -> list[Entry]:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if wide:
        data = _decoded(data).encode("utf-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    found: list[Entry] = []
    seen: set[str] = set()
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_json_line(line.rstrip(b"\r"), doc_id, number, seen))
        except _RefusedError as refused:
            found.append(Rejected(f"{doc_id}#line {number}", f"line {number}: {refused}", refused.kind))
    if not found:  # nothing but a byte order mark
        raise _RefusedError("skipped", "empty")
    return found


def _json_line(line: bytes, doc_id: str, number: int, seen: set[str]) -> Document:
    try:
        record: Any = loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _RefusedError("failed", "not UTF-8") from None
    except TwiceError as error:
        raise _RefusedError("failed", f"field {str(error)[:80]!r} stands twice in one object") from None
    except (ValueError, RecursionError) as error:
        raise _RefusedError("failed", f"not JSON ({str(error)[:80]})") from None
    if not isinstance(record, dict):
        raise _RefusedError("failed", "expected a JSON object with the fields id and text")
    fields: dict[str, str | None] = {}
    for name in ("id", "_id", "title", "text", "date", "source"):
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "_id", "date"):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise _RefusedError("failed", f"field {name!r} must be a string, not {type(value).__name__}")
        fields[name] = None if value is None else without_surrogates(value)
    identity = _line(fields["id"]) or _line(fields["_id"])
    if identity is None:
        raise _RefusedError("failed", "field 'id' is missing or empty")
    if len(identity) > ID_LIMIT:
        raise _RefusedError("failed", f"field 'id' has {len(identity):,} characters: at most {ID_LIMIT:,} can be cited")
    if not (fields["text"] or "").strip():
        raise _RefusedError("failed", "field 'text' is missing or empty")
    if identity in seen:
        raise _RefusedError("failed", f"field 'id': {identity!r} stands in an earlier line, too")
    seen.add(identity)
    return _document(f"{doc_id}#{identity}", fields["text"] or "", line, fields)


LOADERS: dict[str, Callable[[bytes, str], list[Entry]]] = {
    ".txt": _plain,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".jsonl": _jsonl,
}
"""By lower-case suffix: a function from a file's bytes and its id to its units."""
