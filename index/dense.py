"""Dense retrieval: inner products of unit vectors (their cosine), answered by FAISS, exactly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexDamaged
from index.ranking import best_first

_SAMPLE = 1024  # passages that stand for all where only the spread of cosines is wanted: known to 2 % then
_BLOCK = 65_536  # rows checked at once: bounds the memory that the check takes


class Dense:
    """The vectors of n passages; immutable after construction, and safe to search from many threads.

    FAISS keeps the only copy made of the vectors; the array given is kept as well, and may be memory-mapped.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Take ``vectors``, float32 (n, dim), unit rows, memory-mapped or not.

        Raises ``IndexDamaged`` for another type or shape, or a number that is not finite.
        """
        if vectors.ndim != 2 or vectors.dtype != np.float32 or vectors.shape[1] < 1:
            raise IndexDamaged(
                f"The vectors are {vectors.dtype.name} {vectors.shape}, not rows of float32; "
                "build the index again with `rag index`."
            )
        self._count, self._dim = int(vectors.shape[0]), int(vectors.shape[1])
        self._vectors = vectors
        self._sample = np.array(vectors[:: -(-self._count // _SAMPLE) or 1])
        self._index: Any = None
        if not self._count:
            return
        for start in range(0, self._count, _BLOCK):
            block = vectors[start : start + _BLOCK]
            if not np.isfinite(np.einsum("ij,ij->i", block, block)).all():
                raise IndexDamaged(
                    "A vector of the index holds a number that is not finite; build the index again with `rag index`."
                )
        import faiss  # here: opening an index to look at its documents needs no FAISS

        self._index = faiss.IndexFlatIP(self._dim)
        self._index.add(np.ascontiguousarray(vectors))

    def __len__(self) -> int:
        """The number of passages."""
        return self._count

    def search(self, query: NDArray[np.float32], depth: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``depth`` passages nearest to ``query`` (float32 (dim,)): (int64 rows, float32 cosines).

        Best first, ties by row. Raises ``ValueError`` for a query of another shape or with a number that is not finite.
        """
        if query.shape != (self._dim,) or not np.isfinite(query).all():
            raise ValueError(f"the query is no finite vector of {self._dim} numbers")
        depth = min(depth, self._count)
        if depth <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        one = np.ascontiguousarray(query, np.float32)[None]
        # FAISS keeps whichever it met of equal cosines at the cut: ask for more until the cut lies between two values.
        reach = depth
        while True:
            reach = min(2 * reach, self._count)
            cosines, rows = self._index.search(one, reach)
            if reach == self._count or cosines[0, reach - 1] < cosines[0, depth - 1]:
                break
        ranked_rows, ranked = best_first(rows[0], cosines[0], depth)
        return ranked_rows, ranked

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosine of each of ``rows`` with ``query`` (float32 (dim,)): float32 (m,), the same for equal vectors."""
        # einsum, because a BLAS product may round equal rows differently by their place
        found: NDArray[np.float32] = np.einsum("ij,j->i", self._vectors[rows], query)
        return found

    def spread(self, query: NDArray[np.float32]) -> float:
        """The standard deviation of the query's cosines over the corpus, estimated from evenly spaced passages.

        0 with fewer than two passages.
        """
        return float(np.std(np.einsum("ij,j->i", self._sample, query))) if self._count > 1 else 0.0
