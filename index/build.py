"""The way in: files -> load -> mask -> split -> encode -> publish."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index import store
from index.boilerplate import mask
from index.duplicates import SKETCH, sketch
from index.embed import EMBEDDED, EmbeddedEncoder, Encoder, load_encoder
from index.errors import IndexDamaged, IndexMismatch, IndexMissing, InputError
from index.find import Source, find
from index.load import Rejected, read
from index.minilm import token_counts
from index.passage import Document, Passage
from index.publish import publish, writing
from index.recipe import RECIPE
from index.sparse import Sparse
from index.split import BUDGET, search_text, split
from index.tokens import tokenize

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What became of the files: ``scanned == indexed + unchanged + len(skipped) + len(failed)``, in units.

    A unit is a file or, in a ``.jsonl`` file, a line. ``seconds`` is wall time.
    """

    generation: str
    documents: int
    passages: int
    scanned: int
    indexed: int
    unchanged: int
    skipped: tuple[Rejected, ...]
    failed: tuple[Rejected, ...]
    seconds: float


@dataclass(slots=True)
class _Corpus:
    """The documents of one build, masked and in order of doc_id, with their files and what was not read."""

    documents: list[Document] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unchanged: int = 0


def build(paths: Sequence[Path], root: Path, model: str | None = None, progress: Progress | None = None) -> BuildReport:
    """Index the files at ``paths`` into a new generation at ``root``: these paths define the index.

    ``model`` names the encoder; None keeps that of the index at ``root``, or takes the embedded one. Vectors of
    unchanged text are taken over. Raises InputError (no such path, nothing readable), ModelError, IndexBusy; the index
    that stood there before is then intact.
    """
    started = time.monotonic()
    sources = _sources(paths, root)
    with writing(root):
        previous = _previous(root)
        encoder = load_encoder(model or (previous.manifest["model"] if previous else store.model_of(root)))
        facts = _stats(sources)  # before they are read: a file that changes meanwhile makes the index stale
        corpus = _load(sources, previous, progress)
        if not corpus.documents:
            raise InputError(_nothing(paths, corpus.rejected))
        generation = _publish(root, corpus, encoder, previous, paths, facts, progress)
    skipped = tuple(r for r in corpus.rejected if r.kind == "skipped")
    failed = tuple(r for r in corpus.rejected if r.kind == "failed")
    return BuildReport(
        generation=generation.name,
        documents=len(corpus.documents),
        passages=len(generation.arrays["passages"]),
        scanned=len(corpus.documents) + len(corpus.rejected),
        indexed=len(corpus.documents) - corpus.unchanged,
        unchanged=corpus.unchanged,
        skipped=skipped,
        failed=failed,
        seconds=round(time.monotonic() - started, 3),
    )


def build_documents(documents: Sequence[Document], root: Path, progress: Progress | None = None) -> store.Generation:
    """Index documents that are in memory already (a question set that brings its corpus), as they are, unmasked."""
    ordered = sorted(documents, key=lambda document: document.doc_id)
    corpus = _Corpus(ordered, [d.doc_id for d in ordered])
    with writing(root):
        return _publish(root, corpus, load_encoder(None), _previous(root), [], {}, progress)


def is_stale(generation: store.Generation) -> bool:
    """Whether the files the index was built from have changed, gone or been joined by others since.

    Told by a file's path, size, inode and times of modification and change, as version control does, and by whether it
    may be read; none is read. The time of change tells what was given its old time of modification again. An index that
    this version would build otherwise (another recipe, other weights of the embedded encoder) is stale, too.
    """
    manifest = generation.manifest
    reweighted = manifest["model"] == EMBEDDED and manifest["encoder"] != EmbeddedEncoder.identity
    if manifest["recipe"] != RECIPE or reweighted:
        return True
    try:
        found = _sources([Path(path) for path in manifest["paths"]], generation.folder.parent)
    except InputError:
        return True
    return bool(_stats(found) != manifest["stats"])


def _sources(paths: Sequence[Path], root: Path) -> list[Source]:
    """The files at ``paths``, without those of an index that lies among them."""
    sources, inside = find(paths), _real(root)
    if not any(inside.is_relative_to(real) or real.is_relative_to(inside) for real in map(_real, paths)):
        return sources  # of which none lies elsewhere: that need not be looked up for each
    return [source for source in sources if not _real(source.path).is_relative_to(inside)]


def _real(path: Path) -> Path:
    """The path without its links. ``Path.resolve`` raises at a link that leads to itself, which ``read`` reports."""
    return Path(os.path.realpath(path))


def _previous(root: Path) -> store.Generation | None:
    try:
        return store.open_current(root)
    except (IndexMissing, IndexDamaged, IndexMismatch):
        return None  # nothing to take over; the new generation stands on its own


def _load(sources: Sequence[Source], previous: store.Generation | None, progress: Progress | None) -> _Corpus:
    corpus = _Corpus()
    known = {(r.doc_id, r.source_sha256) for r in previous.records} if previous else set()
    origin: dict[str, str] = {}
    loaded: list[Document] = []
    for done, source in enumerate(sources, 1):
        for unit in read(source):
            if isinstance(unit, Rejected):
                corpus.rejected.append(unit)
            elif unit.doc_id in origin:  # a line of a.jsonl, and a file that is called "a.jsonl#b.txt"
                reason = f"{origin[unit.doc_id]!r} has a document of this id, too: rename one of them"
                corpus.rejected.append(Rejected(unit.doc_id, reason, "failed"))
            else:
                loaded.append(unit)
                origin[unit.doc_id] = str(_real(source.path))
        if progress:
            progress("reading", done, len(sources))
    for document in sorted(mask(loaded), key=lambda document: document.doc_id):
        corpus.documents.append(document)
        corpus.paths.append(origin[document.doc_id])
        corpus.unchanged += (document.doc_id, document.source_sha256) in known
    return corpus


def _publish(
    root: Path,
    corpus: _Corpus,
    encoder: Encoder,
    previous: store.Generation | None,
    paths: Sequence[Path],
    stats: dict[str, list[int]],
    progress: Progress | None,
) -> store.Generation:
    passages, rows = _split(corpus.documents, progress)
    texts = [retrieval_text(corpus.documents[row], passage) for passage, row in zip(passages, rows, strict=True)]
    keys = _keys(texts, encoder)
    vectors = _encode(texts, keys, encoder, previous, progress)
    sketches = [sketch(document) for document in corpus.documents]
    arrays = {
        **_passage_arrays(passages, rows),
        "keys": keys,
        "vectors": vectors,
        "sketches": np.stack(sketches) if sketches else np.zeros((0, SKETCH), np.uint64),
        **{f"sparse.{name}": array for name, array in Sparse.build([tokenize(t) for t in texts]).arrays().items()},
    }
    settings: dict[str, Any] = {
        "recipe": RECIPE,
        "model": encoder.name,
        "encoder": encoder.identity,
        "passages": len(passages),
        "budget": BUDGET,
        "paths": [str(path.absolute()) for path in paths],
        "stats": stats,
    }
    return publish(root, corpus.documents, corpus.paths, arrays, settings)


def retrieval_text(document: Document, passage: Passage) -> str:
    """What encoder and BM25 see of a passage: its document's title, unless only the file's name, and its text."""
    text = search_text(document, passage)
    title = document.title
    if not title or title == Path(document.doc_id).name or title == Path(document.doc_id).stem or title in text:
        return text
    return f"{title}\n{text}"


def _split(documents: Sequence[Document], progress: Progress | None) -> tuple[list[Passage], list[int]]:
    passages: list[Passage] = []
    rows: list[int] = []
    for row, document in enumerate(documents):
        new = split(document, token_counts, first_id=len(passages))
        passages.extend(new)
        rows.extend([row] * len(new))
        if progress:
            progress("splitting", row + 1, len(documents))
    return passages, rows


def _passage_arrays(passages: Sequence[Passage], rows: Sequence[int]) -> dict[str, np.ndarray]:
    """Int64 ``passages`` (n, 5): document row, start, end, first sentence, one past the last; ``sentences`` (m, 2)."""
    table = np.zeros((len(passages), 5), np.int64)
    sentences: list[tuple[int, int]] = []
    for i, (passage, row) in enumerate(zip(passages, rows, strict=True)):
        first = len(sentences)
        sentences.extend(passage.sentences)
        table[i] = (row, passage.start, passage.end, first, len(sentences))
    return {"passages": table, "sentences": np.array(sentences, np.int64).reshape(-1, 2)}


def _keys(texts: Sequence[str], encoder: Encoder) -> np.ndarray:
    """uint8 (n, 32): what a stored vector depends on, hashed (text, encoder)."""
    prefix = hashlib.sha256(encoder.identity.encode() + b"\0")
    keys = np.zeros((len(texts), 32), np.uint8)
    for i, text in enumerate(texts):
        digest = prefix.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        keys[i] = np.frombuffer(digest.digest(), np.uint8)
    return keys


def _encode(
    texts: Sequence[str],
    keys: np.ndarray,
    encoder: Encoder,
    previous: store.Generation | None,
    progress: Progress | None,
) -> np.ndarray:
    vectors = np.zeros((len(texts), encoder.dim), np.float32)
    known: dict[bytes, int] = {}
    old_keys, old_vectors = _reusable(previous)
    if old_vectors.shape[1] == encoder.dim:
        known = {key.tobytes(): row for row, key in enumerate(old_keys)}
    missing = []
    for i, key in enumerate(keys):
        row = known.get(key.tobytes())
        if row is None:
            missing.append(i)
        else:
            vectors[i] = old_vectors[row]
    if missing:
        done = 0

        def report(more: int) -> None:
            nonlocal done
            done += more
            if progress:
                progress("encoding", done, len(missing))

        vectors[missing] = encoder.encode_passages([texts[i] for i in missing], report)
    return vectors


def _reusable(previous: store.Generation | None) -> tuple[np.ndarray, np.ndarray]:
    """Keys and vectors of the generation before, row by row; none when there is none or they do not fit together."""
    arrays = previous.arrays if previous else {}
    keys, vectors = arrays.get("keys"), arrays.get("vectors")
    if (
        keys is None
        or vectors is None
        or keys.dtype != np.uint8
        or vectors.dtype != np.float32
        or vectors.ndim != 2
        or keys.shape != (len(vectors), 32)
        or not np.isfinite(vectors).all()
    ):
        return np.zeros((0, 32), np.uint8), np.zeros((0, 0), np.float32)
    return keys, vectors


def _stats(sources: Sequence[Source]) -> dict[str, list[int]]:
    stats = {}
    for source in sources:
        try:
            facts = source.path.stat()
            readable = os.access(source.path, os.R_OK)  # a change of permissions alters nothing else here
            stats[source.doc_id] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, int(readable)]
        except OSError:
            stats[source.doc_id] = [-1, -1, -1, -1, 0]
    return stats


def _nothing(paths: Sequence[Path], rejected: Sequence[Rejected]) -> str:
    where = ", ".join(map(str, paths))
    if not rejected:
        return f"{where} holds no files: give a folder with .txt, .md, .html or .jsonl articles"
    first = rejected[0]
    more = f" and {len(rejected) - 1} more" if len(rejected) > 1 else ""
    return f"nothing in {where} could be indexed: {first.path} ({first.reason}){more}"
