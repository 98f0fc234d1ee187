"""Near-copies: an article that an agency sent to five outlets is one independent source, not five.

Each document is sketched by the smallest hashes of its five-word shingles (a bottom-k sketch: Broder, "On the
resemblance and containment of documents", 1997), so that two documents are compared in microseconds, however long.
"""

import hashlib
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from index.passage import Document
from index.tokens import tokenize

SHINGLE = 5
SKETCH = 256
SAME = 0.3
CONTAINED = 0.7
SAMPLE = 16
BRIEF = 8
_NONE = np.uint64(2**64 - 1)


def sketch(document: Document) -> np.ndarray:
    """The ``SKETCH`` smallest 64-bit hashes of the document's shingles: uint64 (SKETCH,), ascending, then 2**64-1."""
    edges = [0, *(edge for span in document.masked for edge in span), len(document.text)]
    words = tokenize(" ".join(document.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)))
    shingles = {" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}
    hashes = sorted(
        int.from_bytes(hashlib.blake2b(s.encode(), digest_size=8).digest(), "little") for s in shingles if s
    )[:SKETCH]
    return np.array(hashes + [int(_NONE)] * (SKETCH - len(hashes)), np.uint64)


def resemblance(a: np.ndarray, b: np.ndarray) -> float:
    """Estimate of the Jaccard similarity of two documents' shingles, in [0, 1], from their sketches.

    |bottom-k(A u B) in both| / |bottom-k(A u B)| (Broder 1997); exact while they have at most k shingles together.
    """
    a, b = a[a != _NONE], b[b != _NONE]
    union = np.union1d(a, b)[:SKETCH]
    if not len(union):
        return 0.0
    both = np.intersect1d(a, b, assume_unique=True)
    return float(np.isin(union, both, assume_unique=True).sum() / len(union))


def containment(a: np.ndarray, b: np.ndarray) -> float:
    """Estimate of the share of the shorter document's shingles that the longer holds too, in [0, 1].

    Up to the smaller of the two sketches' largest hashes, both name all hashes of their documents. 0 when fewer than
    ``SAMPLE`` of the shorter document's lie there: it has few words, or is less than about a sixteenth of the longer.
    Where both sketches hold all of their documents nothing is estimated, and ``BRIEF`` are enough.
    """
    limit = min(a[-1], b[-1])
    least = BRIEF if limit == _NONE else SAMPLE
    a, b = a[(a <= limit) & (a != _NONE)], b[(b <= limit) & (b != _NONE)]
    fewer = min(len(a), len(b))
    return len(np.intersect1d(a, b, assume_unique=True)) / fewer if fewer >= least else 0.0


def _copies(a: np.ndarray, b: np.ndarray) -> bool:
    return resemblance(a, b) >= SAME or containment(a, b) >= CONTAINED


def sources(sketches: Sequence[np.ndarray]) -> list[int]:
    """For each document the position of the first that it is a near-copy of (its own when of none), transitively.

    Near-copies have a resemblance of at least ``SAME``, or the one holds at least ``CONTAINED`` of the other (which is
    cut after its first paragraphs, say); so many different positions, so many independent sources. A digest that holds
    two stories whole makes one source of them.
    """
    first = list(range(len(sketches)))
    for i, j in combinations(range(len(sketches)), 2):
        if first[i] != first[j] and _copies(sketches[i], sketches[j]):
            kept, dropped = sorted((first[i], first[j]))
            first = [kept if position == dropped else position for position in first]
    return first
