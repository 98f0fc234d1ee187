"""Sparse retrieval: BM25 with the weights of ``rank_bm25.BM25Okapi``, served from an inverted index.

The score of a passage for a query is, over the query's tokens t in their order (a repeated token counts again),

    sum of  idf(t) * tf(t) * (k1 + 1) / (tf(t) + k1 * (1 - b + b * length / mean length))

Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", in the variant that
``rank_bm25`` computes: idf(t) = ln(n - df + 0.5) - ln(df + 0.5) over n passages, df of which hold t, and where that
is negative, ``epsilon`` times the mean idf. ``rank_bm25`` walks over every passage for every token; here each term
keeps the passages that hold it, and the second factor of the product (its saturation) as float64. The products and
their sums are formed by the same expressions in the same order, so that every score is the library's, bit for bit.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexDamaged
from index.ranking import best_first

# Chosen on the eight open sets of eval.weights from a coarse grid: macro nDCG@10 is 60.5 here, 60.2 at 1.2 and 0.75,
# 59.9 at the library's 1.5 and 0.75, 59.4 at 0.9 and 0.4. Its epsilon makes no difference.
K1 = 1.0
B = 0.75
EPSILON = 0.25

_DTYPES: dict[str, Any] = {
    "terms": np.uint8,
    "indptr": np.int64,
    "rows": np.int32,
    "saturation": np.float64,
    "idf": np.float64,
    "passages": np.int64,
    "k1": np.float64,
}
_NEWLINE = 10


class Sparse:
    """An inverted index over n passages with v terms and p postings; immutable, and safe to share between threads.

    Arrays, as ``arrays`` gives and ``from_arrays`` takes them: ``terms`` uint8, the vocabulary in UTF-8, ascending by
    bytes, a newline after each; ``indptr`` int64 (v + 1,), where each term's postings begin; ``rows`` int32 (p,), the
    passages of each term ascending; ``saturation`` float64 (p,); ``idf`` float64 (v,); ``passages`` int64 (1,), n;
    ``k1`` float64 (1,). They may be memory-mapped: opening reads them once to check them and keeps no other copy than
    the vocabulary's offsets.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep ``arrays`` as they are; use ``build`` or ``from_arrays``, which make or check them."""
        self._arrays = {name: arrays[name] for name in _DTYPES}
        self._terms = arrays["terms"]
        self._ends = np.flatnonzero(arrays["terms"] == _NEWLINE)
        self._indptr = arrays["indptr"]
        self._rows = arrays["rows"]
        self._saturation = arrays["saturation"]
        self._idf = arrays["idf"]
        self._count = int(arrays["passages"][0])
        self._k1 = float(arrays["k1"][0])

    def __len__(self) -> int:
        """The number of passages."""
        return self._count

    @classmethod
    def build(
        cls, token_lists: Sequence[Sequence[str]], *, k1: float = K1, b: float = B, epsilon: float = EPSILON
    ) -> "Sparse":
        """Index one list of tokens a passage; a token may be any string without a newline (else ``ValueError``).

        An empty corpus, or one of empty lists only, is an index that finds nothing (``rank_bm25`` divides by zero).
        """
        terms: list[str] = []
        postings = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
        idf: dict[str, float] = {}
        if any(token_lists):
            from rank_bm25 import BM25Okapi  # here: answering needs the weights, not the library

            model = BM25Okapi(token_lists, k1=k1, b=b, epsilon=epsilon)
            idf = model.idf
            terms = sorted(idf, key=_encoded)
            postings = _postings(model, terms)
        if any("\n" in term for term in terms):
            raise ValueError("a token holds a newline, which ends a term in the stored vocabulary")
        indptr, rows, saturation = (
            (postings[0], postings[1], postings[2]) if terms else (np.zeros(1, np.int64), *postings[1:])
        )
        return cls(
            {
                "terms": np.frombuffer(b"".join(_encoded(term) + b"\n" for term in terms), np.uint8),
                "indptr": indptr,
                "rows": rows,
                "saturation": saturation,
                # `or 0.0` is the library's own: an idf of -0.0 counts as 0
                "idf": np.array([idf[term] or 0.0 for term in terms], np.float64),
                "passages": np.array([len(token_lists)], np.int64),
                "k1": np.array([k1], np.float64),
            }
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What ``from_arrays`` takes, to be stored (not copies)."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Sparse":
        """Open stored arrays; raises ``IndexDamaged`` when one is missing, of another type or shape, or out of bounds.

        After that no query can read outside an array. That the figures are the ones that were written, and that
        ``len()`` is the number of passages stored, is for the store to check.
        """
        for name, dtype in _DTYPES.items():
            array = arrays.get(name)
            if array is None or array.dtype != dtype or array.ndim != 1:
                _damaged(f"{name} is missing or no row of {np.dtype(dtype).name}")
        terms, indptr, rows, idf = arrays["terms"], arrays["indptr"], arrays["rows"], arrays["idf"]
        if len(arrays["passages"]) != 1 or len(arrays["k1"]) != 1:
            _damaged("passages and k1 are not one number each")
        count, k1 = int(arrays["passages"][0]), float(arrays["k1"][0])
        if not 0 <= count <= np.iinfo(np.int32).max or not 0 <= k1 < np.inf:
            _damaged("passages or k1 is out of bounds")
        if int(np.count_nonzero(terms == _NEWLINE)) != len(idf) or (len(terms) > 0 and terms[-1] != _NEWLINE):
            _damaged("the vocabulary and the idf do not have the same number of terms")
        if (
            len(indptr) != len(idf) + 1
            or indptr[0] != 0
            or indptr[-1] != len(rows)
            or bool(np.any(indptr[1:] <= indptr[:-1]))
        ):
            _damaged("the postings' bounds do not ascend from zero to their number")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < count:
            _damaged("a posting names a passage that is not there")
        starts = np.zeros(len(rows), np.bool_)
        starts[indptr[:-1]] = True
        if bool(np.any((rows[1:] <= rows[:-1]) & ~starts[1:])):
            _damaged("the postings of a term do not ascend")
        saturation = arrays["saturation"]
        if len(saturation) != len(rows) or not bool(np.isfinite(saturation).all() and np.isfinite(idf).all()):
            _damaged("the weights are not one finite number for each posting and term")
        return cls(arrays)

    def scores_at(self, tokens: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The scores of these passages, float64 (m,): equal, bit for bit, to ``BM25Okapi.get_scores(tokens)[rows]``."""
        scores = np.zeros(len(rows), np.float64)
        for term in self._lookup(tokens):
            scores += self._idf[term] * self._saturation_at(term, rows)
        return scores

    def mean_idf(self, tokens: Sequence[str]) -> float:
        """The mean idf of the query's tokens as ``signals`` weighs them; 0 without tokens or passages."""
        return sum(self._weight(self._find(token)) for token in tokens) / max(len(tokens), 1)

    def search(self, tokens: Sequence[str], depth: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The ``depth`` best passages that hold a token: (int64 rows, float64 scores), best first, ties by row.

        Work and memory touched grow with the postings of the query's terms, not with the corpus.
        """
        # Both come zeroed from the system, page by page as they are touched: no pass over all passages.
        scores = np.zeros(self._count, np.float64)
        held = np.zeros(self._count, np.bool_)
        found: list[NDArray[np.int32]] = []
        for term in self._lookup(tokens):
            rows, saturation = self._posting(term)
            scores[rows] += self._idf[term] * saturation
            found.append(rows[~held[rows]])
            held[rows] = True
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        candidates = np.concatenate(found)
        return best_first(candidates, scores[candidates], depth)

    def signals(self, tokens: Sequence[str], rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """How well each of ``rows`` matches, as figures that compare between queries: float64, one a row, 0 to 1.

        ``idf_matched``: the share of the query's idf mass whose terms stand in the passage. ``bm25_share``: the same
        with each term's share of its possible weight, tf / (tf + k1 * ...), that is BM25 over the most that it could
        give. The idf here is ln(1 + (n - df + 0.5) / (df + 0.5)) (Robertson & Zaragoza 2009 with the 1 that Lucene
        adds), above zero even in a corpus of one passage, where the ranking's own is negative. A term that the corpus
        does not hold weighs as much as one in a single passage: a question about things that are never named is badly
        matched. Repeated tokens count again; a query without tokens matches nothing.
        """
        mass = 0.0
        matched = np.zeros(len(rows), np.float64)
        weighed = np.zeros(len(rows), np.float64)
        for token in tokens:
            term = self._find(token)
            idf = self._weight(term)
            mass += idf
            if term is not None:
                saturation = self._saturation_at(term, rows)
                matched += idf * (saturation > 0)
                weighed += idf * saturation / (self._k1 + 1)
        if mass > 0:
            matched /= mass
            weighed /= mass
        return {"bm25_share": np.clip(weighed, 0, 1), "idf_matched": np.clip(matched, 0, 1)}

    def term_parts(self, tokens: Sequence[str], row: int) -> dict[str, float]:
        """Each token's part in the score of ``row`` (tokens that it does not hold are left out; repeats add up)."""
        parts: dict[str, float] = {}
        for token in tokens:
            term = self._find(token)
            if term is None:
                continue
            saturation = float(self._saturation_at(term, np.array([row], np.int64))[0])
            if saturation > 0:
                parts[token] = parts.get(token, 0.0) + float(self._idf[term]) * saturation
        return parts

    def _weight(self, term: int | None) -> float:
        holding = 1 if term is None else int(self._indptr[term + 1] - self._indptr[term])
        return math.log1p((self._count - holding + 0.5) / (holding + 0.5)) if self._count else 0.0

    def _lookup(self, tokens: Sequence[str]) -> list[int]:
        found = (self._find(token) for token in tokens)
        return [term for term in found if term is not None]

    def _find(self, token: str) -> int | None:
        # A search over the stored bytes: a dict of 200,000 terms would cost more to fill than the query does.
        wanted = _encoded(token)
        term = bisect_left(range(len(self._ends)), wanted, key=self._term)
        return term if term < len(self._ends) and self._term(term) == wanted else None

    def _term(self, term: int) -> bytes:
        start = int(self._ends[term - 1]) + 1 if term else 0
        return self._terms[start : int(self._ends[term])].tobytes()

    def _posting(self, term: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        start, end = int(self._indptr[term]), int(self._indptr[term + 1])
        return self._rows[start:end], self._saturation[start:end]

    def _saturation_at(self, term: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        held, saturation = self._posting(term)
        places = np.minimum(np.searchsorted(held, rows), len(held) - 1)
        return np.where(held[places] == rows, saturation[places], 0.0)


def _postings(model: Any, terms: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Bounds, rows and saturations of every term, from the counts of a ``BM25Okapi``."""
    number = {term: place for place, term in enumerate(terms)}
    size = sum(len(counts) for counts in model.doc_freqs)
    ids = np.fromiter((number[term] for counts in model.doc_freqs for term in counts), np.int64, size)
    tf = np.fromiter((tf for counts in model.doc_freqs for tf in counts.values()), np.int64, size)
    rows = np.repeat(np.arange(len(model.doc_freqs), dtype=np.int32), [len(counts) for counts in model.doc_freqs])
    order = np.argsort(ids, kind="stable")  # stable: rows stay ascending within a term
    rows, tf = rows[order], tf[order]
    length = np.array(model.doc_len)[rows]
    # the library's own expression, letter for letter: another order of operations rounds otherwise
    saturation = tf * (model.k1 + 1) / (tf + model.k1 * (1 - model.b + model.b * length / model.avgdl))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(ids, minlength=len(terms))))).astype(np.int64)
    return indptr, rows, saturation


def _encoded(term: str) -> bytes:
    return term.encode("utf-8", "surrogatepass")


def _damaged(what: str) -> None:
    raise IndexDamaged(f"The sparse index is damaged: {what}; build the index again with `rag index`.")
