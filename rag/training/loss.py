"""What the reader is taught by: the likelihood of the right starts and ends and, where there is a teacher, its odds.

One passage: a softmax over [CLS] and the passage's tokens, and the negative logarithm of what falls on all right places
together. Several passages of one question: one softmax over no answer and the tokens of all of them (Clark & Gardner
2018, "shared normalisation", arXiv:1710.10723). There each logit counts less that of [CLS] in its own passage, and no
answer is 0, because answering compares spans of several passages by that margin; plus a share of the mean loss of each
passage by itself.

A teacher's odds are learnt beside the right places: the Kullback-Leibler divergence of the same softmaxes, both of
logits divided by a temperature, times its square (Hinton et al. 2015, "Distilling the knowledge in a neural
network", arXiv:1503.02531).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rag.training.data import Group

_NEVER = -1e4
"""Logit of a cell that stands for no token: its share is 0, and 0 x its logarithm no NaN."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one softmax each. ``tokens`` (cells,) fill the ``places`` (cells,) of a (``rows``, ``width``) table.

    ``starts`` and ``ends``, (rows, most of a row), are the right tokens. The packed tokens of a batch are numbered in
    order; behind them stand two more, one that is never right and one that stands for no answer.
    """

    tokens: Tensor
    places: Tensor
    rows: int
    width: int
    starts: Tensor
    ends: Tensor


@dataclass(frozen=True, slots=True)
class Targets:
    """What is right in a batch of groups: a row of ``alone`` a passage, a row of ``shared`` a group of several.

    ``first`` (tokens,) is the [CLS] of each token's passage; ``weight`` (passages,) what a passage's own loss counts in
    its group; ``groups`` their number.
    """

    alone: Table
    shared: Table
    first: Tensor
    weight: Tensor
    groups: int


def targets(groups: Sequence[Group], alone: float, device: torch.device | None = None) -> Targets:
    """The targets of groups whose passages are packed in order, on ``device`` (default: the processor).

    ``alone`` weighs the loss of each passage taken by itself, in groups of several.
    """
    examples = list(chain.from_iterable(groups))
    lengths = np.array([len(example.ids) for example in examples])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    never, nothing = int(begins[-1]), int(begins[-1]) + 1
    inside = [np.arange(a + e.first, b - 1) for e, a, b in zip(examples, begins, begins[1:], strict=False)]
    starts = [[int(a) + place for place in e.starts] for e, a in zip(examples, begins, strict=False)]
    ends = [[int(a) + place for place in e.ends] for e, a in zip(examples, begins, strict=False)]
    null = [[int(begin)] for begin in begins[:-1]]
    rows = [np.concatenate([first, part]) for first, part in zip(null, inside, strict=True)]
    single = [[places or none for places, none in zip(side, null, strict=True)] for side in (starts, ends)]
    shared: list[NDArray[np.int64]] = []
    joint: tuple[list[list[int]], list[list[int]]] = [], []
    weight: list[float] = []
    for group in groups:
        several = slice(len(weight), len(weight) + len(group))
        weight += [alone / len(group) if len(group) > 1 else 1.0] * len(group)
        if len(group) > 1:
            shared.append(np.concatenate([[nothing], *inside[several]]))
            joint[0].append(list(chain.from_iterable(starts[several])) or [nothing])
            joint[1].append(list(chain.from_iterable(ends[several])) or [nothing])
    return Targets(
        _table(rows, single[0], single[1], never, device),
        _table(shared, joint[0], joint[1], never, device),
        torch.as_tensor(np.repeat(begins[:-1], lengths), device=device),
        torch.tensor(weight, device=device),
        len(groups),
    )


def _table(
    rows: Sequence[NDArray[np.int64]],
    starts: Sequence[list[int]],
    ends: Sequence[list[int]],
    never: int,
    device: torch.device | None,
) -> Table:
    width = max(map(len, rows), default=1)
    places = [np.arange(len(row)) + n * width for n, row in enumerate(rows)]
    return Table(
        torch.as_tensor(np.concatenate([np.zeros(0, np.int64), *rows]), device=device),
        torch.as_tensor(np.concatenate([np.zeros(0, np.int64), *places]), device=device),
        len(rows),
        width,
        _ragged(starts, never, device),
        _ragged(ends, never, device),
    )


def _ragged(rows: Sequence[list[int]], fill: int, device: torch.device | None) -> Tensor:
    width = max(map(len, rows), default=1)
    filled = [row + [fill] * (width - len(row)) for row in rows]
    return torch.tensor(filled, dtype=torch.int64, device=device).view(len(rows), width)


def loss(right: Targets, logits: Tensor, taught: Tensor | None = None, share: float = 0.0, heat: float = 1.0) -> Tensor:
    """Mean loss a group of fp32 ``logits`` (tokens, 2).

    With ``taught``, a teacher's logits of the same tokens, ``share`` of it is the divergence from them at the
    temperature ``heat``.
    """
    parts = []
    theirs = _extended(taught, right.first) if taught is not None else (None, None)
    for table, mine, other in zip((right.alone, right.shared), _extended(logits, right.first), theirs, strict=True):
        cells = _cells(table, mine)
        values = (cells.logsumexp(1).sum(1) - _right(mine, table.starts, 0) - _right(mine, table.ends, 1)) / 2
        if other is not None:
            values = (1 - share) * values + share * _divergence(cells, _cells(table, other), heat)
        parts.append(values)
    return ((parts[0] * right.weight).sum() + parts[1].sum()) / right.groups


def _extended(logits: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and margins over each passage's own [CLS], with the two tokens that stand for none."""
    more = logits.new_tensor([[_NEVER, _NEVER], [0.0, 0.0]])
    # index_select, here and below: on a GPU going back through plain indexing takes longer than the network.
    return torch.cat([logits, more]), torch.cat([logits - logits.index_select(0, first), more])


def _cells(table: Table, values: Tensor) -> Tensor:
    """(rows, width, 2): what each softmax is over."""
    empty = values.new_full((table.rows * table.width, 2), _NEVER)
    filled = empty.index_copy(0, table.places, values.index_select(0, table.tokens))
    return filled.view(table.rows, table.width, 2)


def _right(values: Tensor, places: Tensor, side: int) -> Tensor:
    """(rows,): the logarithm of what falls on the right places, but for the softmax's sum."""
    return values[:, side].index_select(0, places.reshape(-1)).view(places.shape).logsumexp(1)


def _divergence(mine: Tensor, theirs: Tensor, heat: float) -> Tensor:
    """(rows,): KL of a teacher's softmax from the reader's, mean of starts and ends."""
    own, other = torch.log_softmax(mine / heat, 1), torch.log_softmax(theirs / heat, 1)
    return (other.exp() * (other - own)).sum(1).mean(1) * heat**2
