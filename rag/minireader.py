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
from numpy.lib.stride_tricks import sliding_window_view

from index.errors import ModelError
from index.layers import LAYERS, Layers, Precision, in_parallel
from index.minilm import Embeddings, Integers, encode_texts, weights
from rag import skim
from rag.spans import Floats, Window, best_span

SHA256 = "0b745a005f085222b181161bd9241eefdb97570f8cc92885e656ab29a386d0fc"
IDENTITY = f"minilm-reader@{SHA256[:16]}+{skim.IDENTITY}"
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
        found: dict[int, Floats] = {}
        begun = in_parallel(self._begin, windows, sizes)

        def read_on(numbers: Sequence[int]) -> None:
            halves = [(windows[n], begun[n][0]) for n in numbers]
            found.update(zip(numbers, in_parallel(self.rest, halves, [sizes[n] for n in numbers]), strict=True))

        if self._skim and windows:
            foretold = [margin for _, margin in begun]
            read_on(skim.foremost(foretold))
            spans = {number: best_span(logits) for number, logits in found.items()}
            best = max(spans, key=lambda number: spans[number][2])
            start, end, margin = spans[best]
            words = windows[best].stretch[start : end + 1]
            read_on(skim.more(foretold, margin, [_holds(window.stretch, words) for window in windows]))
        else:
            read_on(range(len(windows)))
        return [found.get(n) for n in range(len(windows))]

    def _begin(self, window: Window) -> tuple[Floats, float]:
        """The states half-way, and the margin that they foretell (0 without a forecast)."""
        half = self.half(window)
        return half, self._skim.foretell(half, window.first) if self._skim else 0.0

    def half(self, window: Window) -> Floats:
        """Hidden states (tokens, 384) of question and stretch after the first six layers."""
        types = (np.arange(len(window.ids)) >= window.first).astype(np.int64)
        return self._first.run(self._embed(window.ids, types))

    def rest(self, begun: tuple[Window, Floats]) -> Floats:
        """The logits of a window, from its states after six layers."""
        window, hidden = begun
        # einsum: a matrix product may start numpy's own threads, which spin on beside those that read.
        values = np.einsum("ij,kj->ik", self._last.run(hidden), self._head) + self._bias
        return np.concatenate([values[:1], values[window.first : window.first + len(window.offsets)]])


def _holds(ids: Integers, words: Integers) -> bool:
    """Whether ``words`` stand in ``ids``, one behind the other."""
    return 0 < len(words) <= len(ids) and bool((sliding_window_view(ids, len(words)) == words).all(1).any())


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
