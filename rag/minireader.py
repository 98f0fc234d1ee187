"""The embedded reader's network: a BERT of twelve layers, 384 wide, with a span head; in onnxruntime, without torch.

The layers and the head stand in ``rag/models/reader.safetensors`` (float16; its card beside it says how they were
trained); the embeddings are the embedded encoder's own, unchanged.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import numpy as np

from index.errors import ModelError
from index.layers import LAYERS, Layers, Precision, in_parallel, layer_count
from index.minilm import Embeddings, encode_texts, weights
from rag.spans import Floats, Window

SHA256 = "0b745a005f085222b181161bd9241eefdb97570f8cc92885e656ab29a386d0fc"
IDENTITY = f"minilm-reader@{SHA256[:16]}"
FILE = "models/reader.safetensors"
TOKENS = 384
"""Tokens of the longest window, question included."""
QUESTION_TOKENS = 64
STRIDE = 128
"""Tokens that two neighbouring windows of one text share."""
HEAD_ROWS = ("qa_outputs.weight", "qa_outputs.bias")


class MiniReader:
    """A ``rag.spans.Network``; calls may come from several threads."""

    def __init__(self, precision: Precision = "int8") -> None:
        """Start the graph; ModelError when the weights are missing or are not the published ones."""
        from safetensors.numpy import load

        raw = _verified()
        tensors = load(raw)
        self.identity = IDENTITY
        self._head, self._bias = (tensors[name].astype(np.float32) for name in HEAD_ROWS)
        self._embed = Embeddings(weights())
        self._layers = [Layers(tensors, precision, first) for first in range(0, layer_count(tensors), LAYERS)]

    def windows(self, question: str, texts: Sequence[str]) -> list[Window]:
        """Cover each text by windows of at most ``TOKENS`` tokens, neighbours sharing ``STRIDE``."""
        asked, *read = encode_texts([question, *texts])
        cls, *words, sep = asked.ids
        prefix = [cls, *words[:QUESTION_TOKENS], sep]
        room = TOKENS - len(prefix) - 1
        found = []
        for number, encoding in enumerate(read):
            ids, offsets = encoding.ids[1:-1], np.array(encoding.offsets[1:-1], np.int64).reshape(-1, 2)
            for at in range(0, max(1, len(ids) - STRIDE), room - STRIDE):
                part = ids[at : at + room]
                found.append(Window(number, np.array([*prefix, *part, sep]), len(prefix), offsets[at : at + room]))
        return found

    def logits(self, windows: Sequence[Window]) -> list[Floats]:
        """Start and end logits; windows are read side by side."""
        return in_parallel(self._read, windows, [len(window.ids) for window in windows])

    def _read(self, window: Window) -> Floats:
        types = (np.arange(len(window.ids)) >= window.first).astype(np.int64)
        hidden = self._embed(window.ids, types)
        for six in self._layers:
            hidden = six.run(hidden)
        values = hidden @ self._head.T + self._bias
        return np.concatenate([values[:1], values[window.first : window.first + len(window.offsets)]])


def _verified() -> bytes:
    place = resources.files("rag").joinpath(FILE)
    try:
        raw = place.read_bytes()
    except OSError:
        raise ModelError(f"the reader's weights rag/{FILE} are missing: install citespan again") from None
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise ModelError(f"the reader's weights rag/{FILE} are not the published ones: install citespan again")
    return raw


@lru_cache(maxsize=1)
def embedded_reader() -> MiniReader:
    """The one embedded reader of this process."""
    return MiniReader()
