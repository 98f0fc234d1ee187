"""What a passage promises after half of the reader's layers: a forecast of its best span's margin (see ``rag.spans``).

Most passages of a question do not answer it, and six of twelve layers tell: those that promise little, and those that
promise far less than what was found, are not read on (Xin et al. 2020, "Early Exiting BERT for Efficient Document
Ranking", SustaiNLP). ``python -m rag.training.skim`` wrote ``rag/models/skim.safetensors`` (float16) for the weights of
``rag.minireader``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.layers import Graph
from rag.spans import Floats

SHA256 = "a18726b7a17078c58661ae41227c7b59788f47bba198f535dcc665dc29b3110e"
FILE = "models/skim.safetensors"
GRAPH = "models/skim.onnx"
"""Written by ``python -m rag.training.graph``."""
LIMIT = -8.0
"""Least margin foretold of a passage that is read on; below it a span supports no other (``rag.evidence.FLOOR``)."""
LEAST = 2
"""Passages that are read on first, whatever is foretold of them: the most promising ones."""
BEHIND = 12.0
"""What the margin foretold of a passage that is read on may be below the best one found in the first ones."""
IDENTITY = f"{SHA256[:8]}{LIMIT:+g}{-BEHIND:+g}"
"""What the choice of passages depends on."""
NAMES = ("pool.weight", "pool.bias", "inner.weight", "inner.bias", "outer.weight", "outer.bias")


class Skim:
    """A small network over the hidden states of no answer and of the passage's tokens.

    Some 64 learnt queries each take a mean of one learnt value of every token, weighed by a softmax over the tokens;
    those means and the state of [CLS] go through one inner layer (ReLU) to one number.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the tensors of ``NAMES``: the pool's weights (2 * queries, 384), the queries' rows first."""
        self._tensors = {name: tensors[name].astype(np.float32) for name in NAMES}
        self._graph = Graph(Path(__file__).parent / GRAPH, {})

    def foretell(self, hidden: Floats, first: int) -> float:
        """The margin, from the hidden states (tokens, 384) after half of the layers.

        ``first`` is the passage's first token; the last one, [SEP], is left out. In onnxruntime, on the caller's
        thread: the threads of numpy's products spin on when they are done, on the cores of those that read.
        """
        return float(self._graph.run({"hidden": hidden, "first": np.array([first]), **self._tensors})[0, 0])


def foremost(foretold: Sequence[float]) -> list[int]:
    """Numbers, ascending, of those that are read on first."""
    return sorted(sorted(range(len(foretold)), key=lambda number: -foretold[number])[:LEAST])


def more(foretold: Sequence[float], best: float, holding: Sequence[bool]) -> list[int]:
    """Numbers, ascending, of the others that are read on: ``LIMIT`` or more foretold, and not far behind ``best``.

    ``best`` is the highest margin found in the first ones. Who is ``holding`` its words may support them, however far
    behind.
    """
    done = foremost(foretold)
    return [
        number
        for number, margin in enumerate(foretold)
        if number not in done and margin >= LIMIT and (margin >= best - BEHIND or holding[number])
    ]
