"""The articles a set is asked of: those that it brings, or an index of those that it was written for."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.asked import Library
from eval.questions import QuestionSet
from eval.records import read_json
from index.errors import IndexMissing, InputError
from index.find import find
from index.load import read
from index.passage import Document
from rag.progress import progress


def opened(
    question_set: QuestionSet,
    corpus: Path | None,
    ready: Callable[[], Path],
    library_at: Callable[[Path], Library],
    *,
    skip: bool,
) -> Library | str:
    """The index that the set is asked of; with ``skip`` why there is none, where the set's articles are not there.

    ``ready`` gives the folder of the index of a set that brings no corpus, and builds it first where ``corpus`` is
    given; ``library_at`` opens it. Without ``skip`` articles that are absent, or are others than the set was written
    for, are an InputError, and an index that is absent is IndexMissing.
    """
    if question_set.corpus is not None:
        return library_at(own_index(question_set))
    if corpus is not None and not corpus.exists():
        return _absent(f"the corpus of {question_set.path} is not there ({corpus})", skip=skip)
    try:
        library = library_at(ready())
    except IndexMissing as error:
        # One that this run was to build is missed by a fault of ours, not because the articles are elsewhere.
        if not skip or corpus is not None:
            raise
        return str(error)
    differences = _differences(question_set, corpus, library)
    return library if differences is None else _absent(differences, skip=skip)


def articles(corpus: Path) -> list[Document]:
    """The documents of a folder or file as they are read, nothing masked."""
    return [unit for source in find([corpus]) for unit in read(source) if isinstance(unit, Document)]


def own_index(question_set: QuestionSet) -> Path:
    """The index of the corpus that a set brings; vectors of an earlier one are taken over."""
    from index.build import build_documents
    from index.user import user_folder

    root = user_folder("cache") / "eval" / question_set.sha256[:24]
    with progress() as report:
        build_documents(question_set.corpus or (), root, report)
    return root


def hashes_file(question_set: QuestionSet) -> Path:
    """The file that maps doc_ids to the SHA-256 of the articles' files; a set without it goes with any corpus."""
    return question_set.path.with_suffix(".sha256.json")


def met(library: Library) -> set[str]:
    """The ids of all documents and of the files that could not be read: these are for blame, not for a complaint."""
    return {*library.doc_ids, *_manifest(library).get("stats", ())}


def _absent(why: str, *, skip: bool) -> str:
    if not skip:
        raise InputError(f"{why}; give the articles the set was written for, or --skip-if-absent.")
    return why


def _differences(question_set: QuestionSet, corpus: Path | None, library: Library) -> str | None:
    """Why the articles are not those that the set was written for, by the file of their hashes; None if they are.

    InputError for an article whose very file is there and that the index lacks all the same: ingestion lost it, or gave
    it another id, and a run that is skipped for it would never show that.
    """
    path = hashes_file(question_set)
    if not path.is_file():
        return None
    hashes: Mapping[str, object] = read_json(path, "an object of doc_id and SHA-256").data
    known = set(library.doc_ids)
    absent = [doc_id for doc_id in hashes if doc_id not in known]
    places = _places(corpus, library)
    for doc_id in absent:
        if (file := _file(doc_id, places)) and hashes[doc_id] in _digests(file):
            raise InputError(f"{file} is there, but {doc_id!r} is not in the index: `rag index` says what it rejects.")
    changed = [
        doc_id for doc_id in hashes if doc_id in known and library.document(doc_id).source_sha256 != hashes[doc_id]
    ]
    if added := sorted(known - hashes.keys()):
        return f"{added[0]} is none of the {len(hashes)} articles of {question_set.path}"
    if not absent and not changed:
        return None
    what = f"{absent[0]} is not in the index" if absent else f"{changed[0]} is another text"
    return f"{len(absent) + len(changed)} of the {len(hashes)} articles of {question_set.path} differ ({what})"


def _places(corpus: Path | None, library: Library) -> list[Path]:
    """The folders and files that the index is of."""
    if corpus is not None:
        return [corpus]
    return [Path(path) for path in _manifest(library).get("paths", ())]


def _file(doc_id: str, places: Sequence[Path]) -> Path | None:
    """The file of a document, by its id (``index.find``), where it is on disk; that of a JSON line is before "#"."""
    for root in places:
        for name in (doc_id, doc_id.partition("#")[0]):
            # With several PATHs an id begins with the folder's own name; a file given is called by its name alone.
            named = [root.parent / name] if name.partition("/")[0] == root.name else []
            for file in (root / name, *named):
                if os.path.isfile(file):  # noqa: PTH113 (False, too, for a name that no file can have)
                    return file
    return None


def _digests(file: Path) -> set[str]:
    """SHA-256 of a file and of each of its lines, as documents have them (``source_sha256``)."""
    data = file.read_bytes()
    return {hashlib.sha256(part).hexdigest() for part in (data, *(line.rstrip(b"\r") for line in data.split(b"\n")))}


def _manifest(library: Library) -> Mapping[str, Any]:
    """What an index on disk says of itself; empty for another library."""
    from index.search import Index

    index: object = library
    return index.generation.manifest if isinstance(index, Index) else {}
