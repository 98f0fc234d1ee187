"""The documents that were read last, kept within bounds."""

import threading
from collections.abc import Callable

from index.passage import Document

DOCUMENTS = 256
CHARACTERS = 64_000_000
"""Of all kept texts together; of four bytes each at most."""


class Recent:
    """Reads documents by row and keeps those used last. Safe to use from several threads."""

    def __init__(self, read: Callable[[int], Document]) -> None:
        """Keep what ``read`` gives; what it raises is passed on, and not kept."""
        self._read = read
        self._kept: dict[int, Document] = {}  # the one used last stands last
        self._characters = 0
        self._lock = threading.Lock()

    def __call__(self, row: int) -> Document:
        """The document in ``row``; the last one is kept however long it is, for a question reads it many times."""
        with self._lock:
            if (kept := self._kept.pop(row, None)) is not None:
                self._kept[row] = kept
                return kept
        document = self._read(row)  # unlocked: two threads may read one document, none waits for a long one
        with self._lock:
            if (kept := self._kept.pop(row, None)) is not None:
                self._characters -= len(kept.text)
            self._kept[row] = document
            self._characters += len(document.text)
            while len(self._kept) > 1 and (len(self._kept) > DOCUMENTS or self._characters > CHARACTERS):
                self._characters -= len(self._kept.pop(next(iter(self._kept))).text)
        return document
