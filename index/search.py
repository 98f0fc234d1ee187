"""The way out: query -> sparse + dense -> fuse -> hits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index import store
from index.dense import Dense
from index.duplicates import SKETCH
from index.embed import Encoder, load_encoder
from index.errors import IndexMismatch
from index.files import damaged
from index.fusion import DEPTH, WEIGHT, candidates, scaled_combination
from index.passage import Document, Hit, Passage
from index.recent import Recent
from index.recipe import RECIPE
from index.sparse import Sparse
from index.tokens import tokenize


class Index:
    """One generation, opened for questions. Safe to use from several threads; it never changes."""

    def __init__(self, generation: store.Generation, encoder: Encoder) -> None:
        """Take a generation and the encoder it was built by; IndexDamaged if its arrays do not fit together."""
        self.generation = generation
        self.encoder = encoder
        try:
            arrays = generation.arrays
            self._table, self._sentences = _checked_passages(arrays["passages"], arrays["sentences"], generation)
            self._sketches = arrays["sketches"]
            self._vectors = arrays["vectors"]
            sparse = {name.removeprefix("sparse."): a for name, a in arrays.items() if name.startswith("sparse.")}
        except KeyError as error:
            raise damaged(generation.folder, f"the array {error} is missing") from None
        self.sparse = Sparse.from_arrays(sparse)
        self.dense = Dense(self._vectors)
        if (
            self._vectors.shape != (len(self._table), encoder.dim)
            or len(self.sparse) != len(self._table)
            or self._sketches.shape != (len(generation.records), SKETCH)
            or self._sketches.dtype != np.uint64
        ):
            raise damaged(generation.folder, "its arrays have different lengths")
        self._document = Recent(generation.document)

    @classmethod
    def open(cls, root: Path) -> "Index":
        """Open the current generation at ``root`` with the encoder it was built by.

        Raises IndexMissing, IndexDamaged, IndexMismatch (an unknown format, another recipe, or the encoder of that name
        is not the one it was built by), ModelError or InputError (what stands there may be sound, but cannot be read).
        """
        generation = store.open_current(root)
        if generation.manifest["recipe"] != RECIPE:  # its passages and terms are not those that questions are put to
            raise IndexMismatch(
                f"the index at {root} was built by another version of Citespan: "
                "build it again with `rag index PATH --index DIR`"
            )
        encoder = load_encoder(generation.manifest["model"], query_only=True)
        if encoder.identity != generation.manifest["encoder"]:
            raise IndexMismatch(
                f"the index at {root} was built by another version of the encoder {encoder.name}: "
                "build it again with `rag index PATH --index DIR`"
            )
        return cls(generation, encoder)

    def __len__(self) -> int:
        """The number of passages."""
        return len(self._table)

    @property
    def doc_ids(self) -> list[str]:
        """The documents' ids, in row order."""
        return [record.doc_id for record in self.generation.records]

    def document(self, doc_id: str) -> Document:
        """The stored document; KeyError if there is none of that id."""
        return self._document(self.generation.rows[doc_id])

    def path(self, doc_id: str) -> str:
        """The file the document came from, as an absolute path."""
        return self.generation.records[self.generation.rows[doc_id]].path

    def sketches(self, doc_ids: Sequence[str]) -> list[np.ndarray]:
        """The documents' sketches (``index.duplicates``)."""
        return [self._sketches[self.generation.rows[doc_id]] for doc_id in doc_ids]

    def passage(self, row: int) -> Passage:
        """The passage of that id; IndexDamaged if it is no slice of its document."""
        document_row, start, end, first, last = (int(value) for value in self._table[row])
        document = self._document(document_row)
        sentences = tuple((int(a), int(b)) for a, b in self._sentences[first:last])
        masked = document.masked_in(start, end)
        try:
            return Passage(row, document.doc_id, start, end, document.text[start:end], sentences, masked)
        except ValueError as error:
            raise damaged(self.generation.folder, str(error)) from None

    @property
    def passages(self) -> list[Passage]:
        """All passages, in order of their ids."""
        return [self.passage(row) for row in range(len(self))]

    def search(self, query: str, k: int = 10, exclude: frozenset[int] = frozenset()) -> list[Hit]:
        """The ``k`` best passages for ``query``, best first, ties by passage_id; those in ``exclude`` taken away."""
        if not len(self):
            return []
        tokens = tokenize(query)
        vector = self.encoder.encode_query(query)
        found = candidates(self.sparse, self.dense, tokens, vector, max(DEPTH, k), exclude)
        rows, scores = scaled_combination(found, WEIGHT, k)
        at = np.searchsorted(found.rows, rows)
        signals: dict[str, np.ndarray] = {
            "cosine": found.cosines[at],
            "bm25": found.bm25[at],
            **self.sparse.signals(tokens, rows),
        }
        return [
            Hit(self.passage(int(row)), float(scores[i]), {name: float(values[i]) for name, values in signals.items()})
            for i, row in enumerate(rows)
        ]


def _checked_passages(
    table: np.ndarray, sentences: np.ndarray, generation: store.Generation
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds only; that a passage is a slice of its text is checked when it is read."""
    if table.dtype != np.int64 or table.ndim != 2 or table.shape[1] != 5:
        raise damaged(generation.folder, "its passages have another shape")
    if sentences.dtype != np.int64 or sentences.ndim != 2 or sentences.shape[1] != 2:
        raise damaged(generation.folder, "its sentences have another shape")
    rows, start, end, first, last = table.T
    if len(table) and (
        rows.min() < 0
        or rows.max() >= len(generation.records)
        or start.min() < 0
        or (end < start).any()
        or first.min() < 0
        or (last < first).any()
        or last.max() > len(sentences)
    ):
        raise damaged(generation.folder, "its passages are out of bounds")
    return table, sentences
