"""Texts -> unit vectors: the Encoder protocol, the embedded model, and any other one from the user's disk.

The embedded all-MiniLM-L6-v2 encodes queries, and a handful of passages, through ``index.minilm``, without torch;
bulk goes through sentence-transformers, imported only then. Both give the same vectors (cosine >= 0.9999). Any other
model is loaded by sentence-transformers from a folder or from the local Hugging Face cache, with the prompts its
own configuration names. Nothing here opens a connection, and no code that lies next to a model is ever run.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from index import minilm
from index.errors import ModelError
from index.layers import DIM, Floats
from index.minilm import encodable, unit_rows

EMBEDDED = "all-MiniLM-L6-v2"
SMALL_JOB = 64
"""Up to so many passages the embedded model stays torch-free: importing sentence-transformers alone takes longer."""

_BATCH = 32
_CONTENT = {".json", ".txt", ".model", ".safetensors", ".bin"}
"""Suffixes of the files that decide what vectors a model gives: configuration, prompts, vocabulary, weights."""
_OTHER_BACKENDS = {"onnx", "openvino"}
_OURS = "sentence_transformers."

Progress = Callable[[int], None]


class Encoder(Protocol):
    """Texts -> unit vectors of one model."""

    @property
    def name(self) -> str:
        """The model as it was asked for."""

    @property
    def identity(self) -> str:
        """What a stored vector depends on: the model's name and a hash of its weights, vocabulary and prompts."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """Encode passages, (n, dim) unit rows in the order given; ``progress`` gets how many more are done."""

    def encode_query(self, text: str) -> Floats:
        """Encode one query, (dim,) of unit length."""


def load_encoder(model: str | None = None, *, query_only: bool = False) -> Encoder:
    """The encoder of that name or folder; None (or its own name) means the embedded model.

    ``query_only`` promises that no passages will be encoded: the embedded model then starts its graph now, not at the
    first query. ModelError when the model is missing, altered, refused or cannot be loaded.
    """
    if model is None or model == EMBEDDED:
        return EmbeddedEncoder(eager=query_only)
    return FolderEncoder(model)


class EmbeddedEncoder:
    """The embedded all-MiniLM-L6-v2: 384 dimensions, 256 tokens, no prompts."""

    name = EMBEDDED
    identity = (
        f"{EMBEDDED}@{hashlib.sha256((minilm.WEIGHTS_SHA256 + minilm.TOKENIZER_SHA256).encode()).hexdigest()[:16]}"
    )
    dim = DIM

    def __init__(self, *, eager: bool = False) -> None:
        """Start checking the weights; ``eager`` also starts the graph."""
        self._bulk: Any = None
        minilm.weights()
        if eager:
            minilm.embedded()

    def encode_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """See ``Encoder``; more than 64 texts go through sentence-transformers."""
        if self._bulk is None and len(texts) <= SMALL_JOB:
            vectors = np.empty((len(texts), self.dim), np.float32)
            for rows, encoded in minilm.embedded().encode(texts) if texts else ():
                vectors[rows] = encoded
                if progress is not None:
                    progress(len(rows))
            return vectors
        if self._bulk is None:
            folder = minilm.model_folder()
            minilm.weights().check()
            minilm.tokenizer()
            _refuse_code(folder)
            self._bulk = _load(folder, self.name)
        return _encode_in_batches(self._bulk.encode_document, texts, self.dim, progress)

    def encode_query(self, text: str) -> Floats:
        """See ``Encoder``; never imports torch."""
        ((_, vectors),) = minilm.embedded().encode([text])
        query: Floats = vectors[0]
        return query


class FolderEncoder:
    """Any sentence-transformers model that lies on this computer, with the prompts of its own configuration.

    sentence-transformers' ``encode_query`` and ``encode_document`` put before a text the prompt that
    ``config_sentence_transformers.json`` gives under "query", and "document", "passage" or "corpus".
    """

    def __init__(self, model: str) -> None:
        """Find, check and load it: a folder, or a name that the local Hugging Face cache knows."""
        folder = _folder_of(model)
        # An index keeps the name: a folder must be found again from elsewhere.
        self.name = str(folder.resolve()) if _expanded(model).is_dir() else model
        _refuse_code(folder)
        self.identity = f"{Path(model).name}@{_content_hash(folder)[:16]}"
        self._model = _load(folder, self.name)
        self.dim = len(self.encode_query("dimension"))

    def encode_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """See ``Encoder``."""
        return _encode_in_batches(self._model.encode_document, texts, self.dim, progress)

    def encode_query(self, text: str) -> Floats:
        """See ``Encoder``."""
        query: Floats = _encode(self._model.encode_query, [text])[0]
        return query


def _expanded(model: str) -> Path:
    """The path with the user's home in place of ``~``. ``Path.expanduser`` raises at one of an unknown user."""
    return Path(os.path.expanduser(model))  # noqa: PTH111


def _folder_of(model: str) -> Path:
    """Where the model's files lie; ModelError saying how to get them when they do not."""
    folder = _expanded(model)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{model} is a file; expected the folder of a sentence-transformers model, or a model's name.")
    with offline():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

        for repository in (model, f"sentence-transformers/{model}") if "/" not in model else (model,):
            try:
                return Path(snapshot_download(repository, local_files_only=True))
            except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError):
                continue
    raise ModelError(
        f"The model {model} is neither a folder nor in the local Hugging Face cache, and nothing is downloaded here; "
        f"fetch it first with `hf download {model}`, or give a folder."
    )


def _refuse_code(folder: Path) -> None:
    """ModelError when loading this folder could run code that comes with it.

    sentence-transformers has run ``.py`` files of local model folders (CVE-2026-68770), and before version 6 imported
    any class that ``modules.json`` named.
    """
    code = next((path for path in sorted(folder.rglob("*.py"))), None)
    if code is not None:
        raise ModelError(f"The model folder {folder} holds code ({code.name}), which is never run; give one without.")
    modules = folder / "modules.json"
    if not modules.is_file():
        return
    try:
        types = [str(entry["type"]) for entry in json.loads(modules.read_text("utf-8"))]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{modules} is not a list of modules as sentence-transformers writes it; {error}.") from error
    for name in types:
        if not name.startswith(_OURS):
            raise ModelError(f"{modules} names the class {name}; only those of sentence-transformers are loaded.")


def _content_hash(folder: Path) -> str:
    """sha256 over names and contents of the files that decide the vectors, in order of their names."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix in _CONTENT and inside.parts[0] not in _OTHER_BACKENDS and path.is_file():
            with path.open("rb") as file:
                total.update(f"{inside.as_posix()}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


@contextmanager
def offline() -> Iterator[None]:
    """Hugging Face's libraries without the network, progress bars and warnings: failures are told by exceptions."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _load(folder: Path, name: str) -> Any:
    """The folder as a SentenceTransformer; ModelError when it is none."""
    with offline():
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            return SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever a foreign model's files can raise
            why = " ".join(str(error).split())[:200]
            raise ModelError(
                f"The model {name} cannot be loaded by sentence-transformers ({type(error).__name__}: {why})."
            ) from error


def _encode(encode: Callable[..., Any], texts: Sequence[str]) -> Floats:
    """Unit rows by one of a SentenceTransformer's encode methods."""
    plain = [encodable(text) for text in texts]
    vectors = encode(plain, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)
    return unit_rows(np.asarray(vectors, np.float32))


def _encode_in_batches(encode: Callable[..., Any], texts: Sequence[str], dim: int, progress: Progress | None) -> Floats:
    """As ``_encode``, longest texts first so that little is padded (and memory fails early), in the order given."""
    vectors = np.empty((len(texts), dim), np.float32)
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    for at in range(0, len(order), _BATCH):
        rows = order[at : at + _BATCH]
        vectors[rows] = _encode(encode, [texts[row] for row in rows])
        if progress is not None:
            progress(len(rows))
    return vectors
