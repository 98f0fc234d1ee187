"""Train the shipped reader after a larger one.

``python -m rag.training.distil --data DIR --teacher FILE --init FILE --out DIR``. A teacher four times the reader's
size (``teacher``) learns every question, with its own passage and with passages retrieved for it. The reader then
learns the same from the right places and the teacher's odds together, in two rounds, and what is written is the mean of
the weights after both. ``--teacher`` is the ``model.safetensors`` of all-mpnet-base-v2 (Apache-2.0), ``--init`` an
encoder (``rag.training.start``); ``--data`` is that of ``rag.training.reader``. It is made for a GPU; a processor would
take days. What is done is kept in ``--work``: a killed run goes on from its last checkpoint when started again with the
same arguments.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from index.minilm import model_folder
from rag.terminal import exit_code
from rag.training.arguments import count, folder, from_zero, minutes
from rag.training.data import Group, Tokens, fingerprint
from rag.training.examples import (
    Sources,
    given_passage,
    read_sources,
    split_news,
    split_questions,
)
from rag.training.loop import Progress, Recipe, Trainer, cut, groups_hash, say, write_tensors
from rag.training.network import Reader, load_reader, mean, pack, read_tensors, to_transformers
from rag.training.retrieved import (
    NEWS_PASSES,
    Passages,
    code_files,
    drawn_groups,
    load_groups,
    news_groups,
    save_groups,
)
from rag.training.score import evaluate
from rag.training.teacher import load_teacher

PASSES = 2
"""Draws of what is read with each question; the epochs take turns with them."""
SIZE, HITS = 6, 12
"""Passages of a question, and hits they are drawn from."""
UNANSWERABLE = 1 / 3
SEQUENCES = 240
"""A step."""
_WINDOW = 40
"""Steps among which a teacher's sequences are sorted by length, because it pads them."""


@dataclass(frozen=True, slots=True)
class Round:
    """What sets one round apart; ``minutes`` bounds it, or ``epochs`` on a faster machine. See ``Recipe``."""

    peak: float
    minutes: float
    epochs: int
    dropout: float
    taught: float = 0.0
    heat: float = 1.0
    alike: bool = False


ROUNDS = {
    "teacher": Round(5e-5, 6.6, 4, 0.1, alike=True),
    "first": Round(2.5e-4, 7.2, 6, 0.05, 0.7, 2.0),
    "second": Round(1.5e-4, 4.3, 4, 0.05, 0.7, 2.0),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.distil", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's encoder, MPNet")
    parser.add_argument("--init", type=Path, required=True, help="the reader's encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder for reader.safetensors and reader.json")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "citespan-distil", help="checkpoints")
    parser.add_argument("--examples", type=count, help="most questions of each kind in a pass; default: all")
    parser.add_argument("--minutes", type=minutes, help="time limit of each round, instead of its own")
    parser.add_argument("--seed", type=from_zero, default=0, help="of orders, dropout and fresh heads; default: 0")
    options = parser.parse_args(arguments)
    return exit_code("rag.training.distil", lambda: _distil(options))


def _distil(options: argparse.Namespace) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(options.seed)
    folder(options.work)
    folder(options.out)
    teacher: Reader = load_teacher(options.teacher, options.seed, device)
    reader = load_reader(options.init, options.seed, device=device)
    sources, tokens = read_sources(options.data), Tokens(model_folder())
    passes = [_lessons(number, sources, tokens, options) for number in range(PASSES)]
    records = {"teacher": _learn("teacher", teacher, passes, None, sources, options, fingerprint([options.teacher]))}
    known = fingerprint([_checkpoint("teacher", options)])
    odds = [_odds(number, teacher, groups, options.work, known) for number, groups in enumerate(passes)]
    parts = []
    before = options.init
    for name in ("first", "second"):
        # After another teacher, or another round before it, a round's checkpoint is another recipe's.
        records[name] = _learn(name, reader, passes, odds, sources, options, fingerprint([before], [known]))
        before = _checkpoint(name, options)
        parts.append(({key: tensor.detach().cpu().clone() for key, tensor in reader.weights.items()}, 1.0))
    weights = mean(parts)
    _, held = split_questions(sources.squad, 0)
    _, news = split_news(sources.news)
    averaged = Reader(weights, load_reader(options.init, options.seed).embeddings)
    scores = {"held_out": evaluate(averaged, tokens, held, 500), "news": evaluate(averaged, tokens, news, 500)}
    target = options.out / "reader.safetensors"
    write_tensors(target, to_transformers(weights), {"record": json.dumps(records)})
    record = {"rounds": records, "scores": scores, "sha256": fingerprint([target])}
    target.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(json.dumps(record))


def _checkpoint(name: str, options: argparse.Namespace) -> Path:
    """Where the round of that name stands."""
    place: Path = options.work / f"{name}.checkpoint.safetensors"
    return place


def _lessons(number: int, sources: Sources, tokens: Tokens, options: argparse.Namespace) -> list[Group]:
    """One pass over all questions, in an order of its own; kept in ``--work``."""
    code = [Path(__file__), Path(__file__).with_name("examples.py"), *code_files()]
    key = fingerprint(code, map(repr, [number, options.examples, sources.sha256]))
    kept: Path = options.work / f"pass-{number}-{key[:16]}.npz"
    if not kept.is_file():
        say(f"pass {number}: looking for passages")
        save_groups(kept, draw_pass(number, sources, tokens, options.examples))
    return load_groups(kept)


def draw_pass(number: int, sources: Sources, tokens: Tokens, most: int | None = None) -> list[Group]:
    """What pass ``number`` reads: news, questions with their own paragraph, and all with retrieved passages, shuffled.

    ``most`` bounds the questions of each of the three; the news come NEWS_PASSES times.
    """
    news, _ = split_news(sources.news)
    groups = news_groups(news, tokens, NEWS_PASSES * number, most, SIZE, HITS)
    groups += given_passage(sources, tokens, number, 0, most)
    pool, _ = split_questions(sources.squad, 0)
    paragraphs = Passages(sources.squad, SIZE, HITS)
    groups += drawn_groups(pool, paragraphs, tokens, number, len(pool) if most is None else most, UNANSWERABLE)
    random.Random(f"pass {number}").shuffle(groups)  # noqa: S311
    return groups


def _learn(
    name: str,
    reader: Reader,
    passes: Sequence[list[Group]],
    odds: Sequence[list[NDArray[np.float16]]] | None,
    sources: Sources,
    options: argparse.Namespace,
    started_from: str,
) -> dict[str, object]:
    """Take ``reader`` through one round, from where its checkpoint stands; return the record."""
    settings = ROUNDS[name]
    order = [
        (number % PASSES, place)
        for number in range(settings.epochs)
        for place in _order(passes[number % PASSES], f"{name} {options.seed} {number}", alike=settings.alike)
    ]
    groups = [passes[number][place] for number, place in order]
    recipe = Recipe(
        phase=name,
        peak=settings.peak,
        floor=0.0,
        batch=SEQUENCES,
        seed=options.seed,
        data=sources.sha256,
        minutes=settings.minutes if options.minutes is None else options.minutes,
        started_from=started_from,
        bf16=True,
        groups=groups_hash(groups),
        dropout=settings.dropout,
        taught=settings.taught,
        heat=settings.heat,
    )
    trainer = Trainer(reader, recipe, _checkpoint(name, options))
    if trainer.resume():
        say(f"{name}: going on at step {trainer.progress.step}")

    def report(progress: Progress, share: float) -> None:
        if progress.step % 200 == 0:
            rate = progress.groups / progress.seconds
            say(f"{name}: step {progress.step} loss {progress.loss:.4f} {rate:.0f} groups/s share {share:.3f}")

    theirs = None if odds is None else [odds[number][place] for number, place in order]
    progress = trainer.run(groups, report, odds=theirs)
    return {"recipe": asdict(recipe), "progress": asdict(progress)}


def _order(groups: Sequence[Group], seed: str, *, alike: bool) -> list[int]:
    """Numbers of the groups, shuffled; where they shall be ``alike``, steps of groups whose longest sequences are."""
    draw = random.Random(seed)  # noqa: S311
    order = list(range(len(groups)))
    draw.shuffle(order)
    if not alike:
        return order
    steps = []
    for window in _steps(order, groups, _WINDOW * SEQUENCES):
        steps += _steps(_by_length(window, groups), groups, SEQUENCES)
    draw.shuffle(steps)
    return list(chain.from_iterable(steps))


def _steps(numbers: Sequence[int], groups: Sequence[Group], size: int) -> list[list[int]]:
    """``numbers`` cut, in order, where their groups reach ``size`` sequences."""
    return cut(numbers, size, lambda number: len(groups[number]))


def _by_length(numbers: Iterable[int], groups: Sequence[Group]) -> list[int]:
    """``numbers`` by the longest sequence of their groups, shortest first."""
    return sorted(numbers, key=lambda number: max(len(example.ids) for example in groups[number]))


def _odds(number: int, teacher: Reader, groups: Sequence[Group], work: Path, known: str) -> list[NDArray[np.float16]]:
    """The teacher's logits (tokens, 2) of each group; kept in ``work`` by the groups and the hash of what it knows."""
    kept = work / f"odds-{number}-{groups_hash(groups)[:16]}-{known[:16]}.safetensors"
    bounds = np.cumsum([0, *(sum(len(example.ids) for example in group) for group in groups)])
    if not kept.is_file():
        say(f"pass {number}: asking the teacher")
        found = torch.empty(int(bounds[-1]), 2, dtype=torch.float16)
        with torch.inference_mode(), torch.autocast(teacher.device.type, torch.bfloat16):
            for step in _steps(_by_length(range(len(groups)), groups), groups, 2 * SEQUENCES):
                packed = pack([(example.ids, example.first) for n in step for example in groups[n]])
                logits = teacher.forward(packed).half().cpu()
                sizes = [int(bounds[n + 1] - bounds[n]) for n in step]
                for n, part in zip(step, torch.split(logits, sizes), strict=True):
                    found[bounds[n] : bounds[n + 1]] = part
        write_tensors(kept, {"odds": found}, {})
    return np.split(read_tensors(kept)["odds"].numpy(), bounds[1:-1])


if __name__ == "__main__":
    sys.exit(main())
