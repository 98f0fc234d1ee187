"""What a passage promises after half of the reader's layers: a forecast of its best span's margin (see ``rag.spans``).

Most passages of a question do not answer it, and six of twelve layers tell: those that promise little are not read on
(Xin et al. 2020, "Early Exiting BERT for Efficient Document Ranking", SustaiNLP). ``python -m rag.training.skim`` wrote
``rag/models/skim.safetensors`` (float16) for the weights of ``rag.minireader``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.spans import Floats

SHA256 = "a18726b7a17078c58661ae41227c7b59788f47bba198f535dcc665dc29b3110e"
FILE = "models/skim.safetensors"
LIMIT = -8.0
"""Least margin foretold of a passage that is read on; below it a span supports no other (``rag.evidence.FLOOR``)."""
LEAST = 2
"""Passages that are read on whatever is foretold of them, the most promising ones."""
NAMES = ("pool.weight", "pool.bias", "inner.weight", "inner.bias", "outer.weight", "outer.bias")


class Skim:
    """A small network over the hidden states of no answer and of the passage's tokens.

    Some 64 learnt queries each take a mean of one learnt value of every token, weighed by a softmax over the tokens;
    those means and the state of [CLS] go through one inner layer (ReLU) to one number.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the tensors of ``NAMES``: the pool's weights (2 * queries, 384), the queries' rows first."""
        pool, pool_bias, inner, inner_bias, outer, outer_bias = (tensors[name].astype(np.float32) for name in NAMES)
        self._pool, self._pool_bias = np.ascontiguousarray(pool.T), pool_bias
        self._inner, self._inner_bias = inner, inner_bias
        self._outer, self._outer_bias = outer[0], float(outer_bias[0])

    def foretell(self, hidden: Floats, first: int) -> float:
        """The margin, from the hidden states (tokens, 384) after half of the layers.

        ``first`` is the passage's first token; the last one, [SEP], is left out.
        """
        rows = np.concatenate([hidden[:1], hidden[first:-1]]) @ self._pool + self._pool_bias
        queries, values = np.split(rows, 2, axis=1)
        shares = np.exp(queries - queries.max(0))
        means = (shares * values).sum(0) / shares.sum(0)
        inner = np.maximum(self._inner @ np.concatenate([hidden[0], means]) + self._inner_bias, 0)
        return float(self._outer @ inner) + self._outer_bias


def promising(foretold: Sequence[float]) -> list[int]:
    """Numbers, ascending, of those that are read on: ``LIMIT`` or more foretold, and the best ``LEAST`` in any case."""
    order = sorted(range(len(foretold)), key=lambda number: -foretold[number])
    return sorted(number for place, number in enumerate(order) if place < LEAST or foretold[number] >= LIMIT)
