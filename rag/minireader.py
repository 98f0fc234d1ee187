"""The embedded reader's network: a BERT of twelve layers, 384 wide, with a span head; in onnxruntime, without torch.

The layers and the head stand in ``rag/models/reader.safetensors`` (float16; its card beside it says how they were
trained); the embeddings are the embedded encoder's own, unchanged. Passages that promise little after six layers are
left half-read (``rag.skim``).
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import numpy as np

from index.errors import ModelError
from index.layers import LAYERS, Layers, Precision, in_parallel
from index.minilm import Embeddings, encode_texts, weights
from rag import skim
from rag.spans import Floats, Window

SHA256 = "0b745a005f085222b181161bd9241eefdb97570f8cc92885e656ab29a386d0fc"
IDENTITY = f"minilm-reader@{SHA256[:16]}+{skim.SHA256[:8]}"
FILE = "models/reader.safetensors"
TOKENS = 384
"""Tokens of the longest window, question included."""
QUESTION_TOKENS = 64
STRIDE = 128
"""Tokens that two neighbouring windows of one text share."""
HEAD_ROWS = ("qa_outputs.weight", "qa_outputs.bias")


class MiniReader:
    """A ``rag.spans.Network``; calls may come from several threads."""

    def __init__(self, precision: Precision = "int8", *, skims: bool = True) -> None:
        """Start the graphs; ModelError when the weights are missing or are not the published ones.

        With ``skims`` false every window is read to the end, which is what to measure against.
        """
        from safetensors.numpy import load

        tensors = load(_published(FILE, SHA256))
        self.identity = IDENTITY
        self._head, self._bias = (tensors[name].astype(np.float32) for name in HEAD_ROWS)
        self._embed = Embeddings(weights())
        self._first, self._last = (Layers(tensors, precision, first) for first in (0, LAYERS))
        forecast = skim.Skim(load(_published(skim.FILE, skim.SHA256)))
        self._skim = forecast if skims else None

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

    def logits(self, windows: Sequence[Window]) -> list[Floats | None]:
        """Start and end logits, None of windows left half-read; windows are read side by side."""
        sizes = [len(window.ids) for window in windows]
        halves = in_parallel(self.half, windows, sizes)
        on = list(range(len(windows)))
        if self._skim:
            # Here, when all are half-read: numpy's own threads, beside those that read, would cost what this saves.
            foretold = [self._skim.foretell(half, window.first) for half, window in zip(halves, windows, strict=True)]
            on = skim.promising(foretold)
        read = in_parallel(self.rest, [(windows[n], halves[n]) for n in on], [sizes[n] for n in on])
        found = dict(zip(on, read, strict=True))
        return [found.get(n) for n in range(len(windows))]

    def half(self, window: Window) -> Floats:
        """Hidden states (tokens, 384) of question and stretch after the first six layers."""
        types = (np.arange(len(window.ids)) >= window.first).astype(np.int64)
        return self._first.run(self._embed(window.ids, types))

    def rest(self, begun: tuple[Window, Floats]) -> Floats:
        """The logits of a window, from its states after six layers."""
        window, hidden = begun
        values = self._last.run(hidden) @ self._head.T + self._bias
        return np.concatenate([values[:1], values[window.first : window.first + len(window.offsets)]])


def _published(file: str, sha256: str) -> bytes:
    place = resources.files("rag").joinpath(file)
    try:
        raw = place.read_bytes()
    except OSError:
        raise ModelError(f"the reader's weights rag/{file} are missing: install citespan again") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelError(f"the reader's weights rag/{file} are not the published ones: install citespan again")
    return raw


@lru_cache(maxsize=1)
def embedded_reader() -> MiniReader:
    """The one embedded reader of this process."""
    return MiniReader()
