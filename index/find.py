"""Paths in, Sources out: every file there is to read, each once, with the id of its document."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read and the id of its document (or the head of its documents' ids).

    ``refused`` says why it is not to be read, if so.
    """

    path: Path
    doc_id: str
    refused: str | None = None


def find(paths: Sequence[Path]) -> list[Source]:
    """Every file below the given folders, and the given files, in order of their ids.

    An id is the path below the folder given, "/" between its parts; with several PATHs it begins with the folder's
    name; of a file given it is the name. Bytes of a name that are not UTF-8 are written ``\\xff``. What begins with "."
    is not scanned. A link is followed while it stays inside the folder given. No file or folder is scanned twice, also
    not when one PATH lies in another: what it holds belongs to the PATH given first.
    Pipes, devices, folders that cannot be listed and links to elsewhere or to nothing are in the result: ``read``
    rejects them with the reason.

    Raises InputError if a PATH does not exist or cannot be read, or if two files get one id.
    """
    if not paths:
        raise InputError("No path was given; name at least one folder or file of articles.")
    sources: list[Source] = []
    visited: set[str] = set()
    for path in paths:
        try:
            folder = stat.S_ISDIR(path.stat().st_mode)
            if folder:
                os.scandir(path).close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"{printable(str(path))!r} was given as a folder or file of articles, but it cannot be read"
                f" ({reason.lower()}): check the path and its permissions."
            ) from None
        if folder:
            root = path.resolve()
            prefix = f"{root.name}/" if len(paths) > 1 and root.name else ""
            sources += [Source(file, printable(prefix + name), why) for file, name, why in _walk(path, visited)]
        elif (real := os.path.realpath(path)) not in visited:
            visited.add(real)
            sources.append(Source(path, printable(path.resolve().name if path.name in ("", "..") else path.name)))
    seen: dict[str, Path] = {}
    for source in sources:
        other = seen.setdefault(source.doc_id, source.path)
        if other is not source.path:
            raise InputError(
                f"{printable(str(other))!r} and {printable(str(source.path))!r} would both get the document id"
                f" {source.doc_id!r}: rename one of them or give a folder that holds both."
            )
    return sorted(sources, key=lambda source: source.doc_id)


def _walk(root: Path, visited: set[str]) -> Iterator[tuple[Path, str, str | None]]:
    """Files below ``root``, their path in it, and why one is not to be read, if so.

    Folders that cannot be listed come as if they were files. What is ``visited``, by its real path, is left out, and
    what is met is added.
    """
    inside = os.path.realpath(root)
    folders: list[tuple[Path, str]] = [(root, "")]
    links: list[tuple[Path, str]] = []
    while folders or links:
        path, name = folders.pop() if folders else links.pop(0)
        real = os.path.realpath(path)
        if real in visited:
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield path, name, "a link to nothing" if isinstance(error, FileNotFoundError) else None
            continue
        if os.path.commonpath([inside, real]) != inside:
            yield path, name, "a link that leads out of the folder given"
            continue
        visited.add(real)
        if not stat.S_ISDIR(mode):
            yield path, name, None
            continue
        try:
            with os.scandir(path) as entries:
                found = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except OSError:
            yield path, name, None
            continue
        for entry in found:
            below = path / entry, f"{name}/{entry}" if name else entry
            (links if below[0].is_symlink() else folders).append(below)


def printable(name: str) -> str:
    """A file's name as text; bytes that are not UTF-8 are written ``\\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
