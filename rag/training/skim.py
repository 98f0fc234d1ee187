"""Train what tells, after half of the reader's layers, which passages to read on (``rag.skim``).

``python -m rag.training.skim --data DIR --out FILE``. DIR is that of ``rag.training.reader``. The embedded reader
reads questions of the training sets with retrieved passages, a third of them without an answer, and a small network
learns to foretell the margin of each passage's best span from the states half-way. Some 16 minutes on two cores, and
6 GB of memory; the same seed, data and machine give the same weights. A killed run starts afresh. What is printed at
the end is of questions that neither the reader nor this has learnt.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its customary name)
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from index.errors import InputError
from index.layers import DIM, in_parallel
from index.minilm import model_folder
from rag.minireader import IDENTITY, MiniReader
from rag.skim import NAMES, Skim, foremost, more
from rag.spans import Window, best_span
from rag.terminal import exit_code
from rag.training.arguments import count, from_zero
from rag.training.data import Group, Question, Tokens, fingerprint
from rag.training.examples import read_sources, split_news, split_questions
from rag.training.loop import say, write_tensors
from rag.training.retrieved import Passages, drawn_groups

SIZE, HITS = 8, 12
"""Passages of a question, and hits they are drawn from."""
UNANSWERABLE = 1 / 3
NEWS_SHARE = 0.375
"""Questions on news for each one of SQuAD."""
QUERIES, INNER = 64, 128
EPOCHS, BATCH, PEAK, DECAY, DROPOUT = 6, 64, 1.5e-3, 0.05, 0.1
CLIP = -13.0, 4.0
"""Margins beyond are as good as these: what is read on, or is not, in any case."""
HELD = 400
"""Questions of either kind that are reported on, at most."""


@dataclass(frozen=True, slots=True)
class HalfRead:
    """One question's passages: ``rows`` float16 (1 + tokens, 384) each, [CLS] first; ``margins`` (passages,)."""

    rows: list[NDArray[np.float16]]
    margins: NDArray[np.float32]


def half_read(network: MiniReader, group: Group) -> HalfRead:
    """What the reader sees of a question's passages half-way, and what comes out at the end."""

    def read(window: Window) -> tuple[NDArray[np.float16], float]:
        hidden = network.half(window)
        rows = np.concatenate([hidden[:1], hidden[window.first : -1]])
        return rows.astype(np.float16), best_span(network.rest((window, hidden)))[2]

    windows = [
        Window(0, example.ids.astype(np.int64), example.first, np.zeros((len(example.ids) - example.first - 1, 2), int))
        for example in group
    ]
    rows, margins = zip(*in_parallel(read, windows, [len(window.ids) for window in windows]), strict=True)
    return HalfRead(list(rows), np.array(margins, np.float32))


def foretold(tensors: dict[str, Tensor], rows: Tensor, sizes: Tensor, drop: float = 0.0) -> Tensor:
    """``Skim.foretell`` in torch, of several passages: (passages, most tokens, 384), filled up behind ``sizes``."""
    rows = F.dropout(rows, drop, drop > 0)
    behind = torch.arange(rows.shape[1]) >= sizes[:, None]
    queries, values = F.linear(rows, tensors["pool.weight"], tensors["pool.bias"]).chunk(2, -1)
    means = (queries.masked_fill(behind[..., None], -1e4).softmax(1) * values).sum(1)
    inner = F.relu(F.linear(torch.cat([rows[:, 0], means], -1), tensors["inner.weight"], tensors["inner.bias"]))
    return F.linear(inner, tensors["outer.weight"], tensors["outer.bias"])[:, 0]


def fit(read: Sequence[HalfRead], seed: int) -> dict[str, Tensor]:
    """Learn from the passages, ``BATCH`` of like length at a time; AdamW, warm-up over 100 steps, then linear to 0."""
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # of the dropout
    shapes = (2 * QUERIES, DIM), (INNER, DIM + QUERIES), (1, INNER)
    tensors: dict[str, Tensor] = {}
    for weight, bias, shape in zip(NAMES[::2], NAMES[1::2], shapes, strict=True):
        bound = shape[1] ** -0.5
        tensors[weight] = ((torch.rand(shape, generator=draw) * 2 - 1) * bound).requires_grad_()
        tensors[bias] = torch.zeros(shape[0], requires_grad=True)
    passages = [(rows, value) for one in read for rows, value in zip(one.rows, one.margins.tolist(), strict=True)]
    passages.sort(key=lambda passage: len(passage[0]))
    batches = [passages[at : at + BATCH] for at in range(0, len(passages), BATCH)]
    optimiser = torch.optim.AdamW(tensors.values(), PEAK, weight_decay=DECAY)
    steps = EPOCHS * len(batches)
    for step in range(steps):
        if step % len(batches) == 0:
            random.Random(f"{seed} {step}").shuffle(batches)  # noqa: S311
        batch = batches[step % len(batches)]
        for settings in optimiser.param_groups:
            settings["lr"] = PEAK * min(1.0, (step + 1) / 100) * (1 - step / steps)
        wanted = torch.tensor([value for _, value in batch]).clamp(*CLIP)
        lost = F.smooth_l1_loss(foretold(tensors, *_padded([rows for rows, _ in batch]), DROPOUT), wanted)
        optimiser.zero_grad()
        lost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % len(batches) == 0:
            say(f"epoch {step // len(batches) + 1}: loss {float(lost.detach()):.3f}")
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _padded(rows: Sequence[NDArray[np.float16]]) -> tuple[Tensor, Tensor]:
    sizes = torch.tensor([len(one) for one in rows])
    return pad_sequence([torch.from_numpy(one).float() for one in rows], batch_first=True), sizes


def figures(skim: Skim, read: Sequence[HalfRead]) -> dict[str, float]:
    """What the forecast is worth on these questions.

    ``correlation`` of the margin, foretold and read; ``read_on``, the share of passages; ``lost``, the share of
    questions with a margin above 0 whose passage of the highest one is left half-read. (That a passage holds the words
    found is not looked at.)
    """
    pairs: list[tuple[float, float]] = []
    on: list[bool] = []
    lost: list[bool] = []
    for one in read:
        guesses = [skim.foretell(np.concatenate([rows, rows[:1]]).astype(np.float32), 1) for rows in one.rows]
        done = foremost(guesses)
        chosen = done + more(guesses, float(one.margins[done].max()), [False] * len(guesses))
        pairs += zip(guesses, one.margins.tolist(), strict=True)
        on += [number in chosen for number in range(len(guesses))]
        best = int(one.margins.argmax())
        if one.margins[best] > 0:
            lost.append(best not in chosen)
    correlation = float(np.corrcoef(np.array(pairs).T)[0, 1])
    return {
        "questions": len(read),
        "correlation": round(correlation, 4),
        "read_on": round(float(np.mean(on)), 4),
        "lost": round(float(np.mean(lost)), 4) if lost else 0.0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.skim", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--questions", type=count, default=6_000, help="of SQuAD; default: 6000")
    parser.add_argument("--seed", type=from_zero, default=0, help="of draws and of the first weights; default: 0")
    options = parser.parse_args(arguments)
    return exit_code("rag.training.skim", lambda: _train(options))


def _train(options: argparse.Namespace) -> None:
    sources = read_sources(options.data)
    tokens = Tokens(model_folder())
    network = MiniReader()

    def read(name: str, passages: Passages, pool: Sequence[Question], most: int) -> list[HalfRead]:
        groups = drawn_groups(pool, passages, tokens, options.seed, most, UNANSWERABLE)
        if not groups:
            raise InputError(f"{options.data}: too few paragraphs for {SIZE} passages a question ({name})")
        say(f"{name}: reading {len(groups)} questions")
        return [half_read(network, group) for group in groups]

    squad, squad_held = split_questions(sources.squad, 0)
    news, news_held = split_news(sources.news)
    paragraphs = Passages(sources.squad, SIZE, HITS)
    learnt = read("SQuAD", paragraphs, squad, options.questions)
    learnt += read("news", Passages(news, SIZE, HITS), news, round(NEWS_SHARE * options.questions))
    tensors = {name: tensor.half() for name, tensor in fit(learnt, options.seed).items()}
    skim = Skim({name: tensor.numpy() for name, tensor in tensors.items()})
    most = min(HELD, options.questions)
    scores = {
        "squad_held_out": figures(skim, read("SQuAD, held out", paragraphs, squad_held, most)),
        "news_held_out": figures(skim, read("news, held out", Passages(news_held, SIZE, HITS), news_held, most)),
    }
    record = {"reader": IDENTITY.partition("+")[0], "data": sources.sha256, "seed": options.seed, "scores": scores}
    record |= {"questions": len(learnt), "passages": sum(len(one.rows) for one in learnt)}
    write_tensors(options.out, tensors, {"record": json.dumps(record)})
    print(json.dumps(record | {"sha256": fingerprint([options.out])}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
