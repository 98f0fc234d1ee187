"""Train the reader: ``python -m rag.training.reader --data DIR --out DIR [--init FILE]``.

Phase A reads a question's own passage; phase B tells passages apart (see ``examples``). Two more come only when asked
for: phase C goes over all questions once more, both ways at once, and phase D ends on news. What is written is the
average of the weights started from and those learnt, which holds up better on text of another kind than either
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903); where that was an encoder without a
head (``rag.training.start``), it is what was learnt. ``reader.json`` is the last phase's record; where weights were
averaged, its ``scores`` are named ``scores_learnt`` there, being those of the weights learnt and not of the file beside
it. DIR of ``--data`` holds ``squad11_train/squad.json`` and ``fairytaleqa_train/squad.json``; sets for measuring, where
given, come from ``--measure`` (``squad11_dev``, ``squadshifts_amazon``, ``squad20_dev``, each with a ``squad.json``). A
killed run goes on from its last checkpoint when started again with the same arguments.

With glibc, ``MALLOC_MMAP_THRESHOLD_=8000000000 MALLOC_TRIM_THRESHOLD_=8000000000`` in the environment spares
some 15 % of the processor's time: activations are freed to the heap and not to the system.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from index.errors import InputError
from index.minilm import model_folder
from rag.terminal import exit_code
from rag.training.arguments import count, folder, from_zero, minutes
from rag.training.data import Group, Question, Tokens, fingerprint, read_squad
from rag.training.examples import (
    STAGE_1_QUESTIONS,
    Sources,
    given_passage,
    read_sources,
    split_news,
    split_questions,
)
from rag.training.loop import Progress, Recipe, Trainer, groups_hash, say, write_tensors
from rag.training.network import Reader, has_head, load_reader, mean, to_transformers
from rag.training.retrieved import UNANSWERABLE, news_groups, retrieved_groups
from rag.training.score import evaluate, evaluate_groups

MEASURED = {"squad11_dev": 2_000, "squadshifts_amazon": 1_000, "squad20_dev": 1_000}
BLEND = 2 / 3
"""Share of the weights learnt last in those written, the rest being those of ``--init``."""
GIVEN_SHARE = 0.75
"""Questions with their own paragraph in phase B, for each question with retrieved passages (a quarter as long)."""
ALIKE_SHARE = 0.75
"""Of all questions, those that phase C reads with their own paragraph: the ones that share fewest words with it.

Whoever asks a folder of articles does not have the sentence before them, as the writers of SQuAD's questions had;
readers lean on shared words where they can (Sugawara et al. 2018, arXiv:1808.09384).
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What sets a phase apart: learning rate, its last share (``floor``), sequences a step, and what it reads.

    ``retrieved`` questions get retrieved passages, ``unanswerable`` of them none that answers.
    """

    peak: float
    floor: float
    batch: int
    retrieved: int = 0
    unanswerable: float = UNANSWERABLE


SETTINGS = {
    "a": Settings(1.2e-4, 0.25, 20),
    "b": Settings(5e-5, 0.0, 24, 6_000),
    "c": Settings(1e-4, 0.0, 24, 20_000, 1 / 3),
    "d": Settings(8e-5, 0.0, 24, 4_500, 1 / 3),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    return exit_code("rag.training.reader", lambda: _train(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rag.training.reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for reader.safetensors and reader.json")
    parser.add_argument("--init", type=Path, help="weights to start from; without, the embedded encoder")
    parser.add_argument("--phase", choices=["a", "b", "c", "d"], help="one phase alone; default: a, then b")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "citespan-train", help="checkpoints")
    parser.add_argument("--measure", type=Path, help="folder of the sets to report on")
    parser.add_argument("--minutes", type=minutes, help="time limit of each phase; the learning rate follows it")
    parser.add_argument(
        "--examples",
        type=count,
        help="most questions; in b, c, d those with retrieved passages, in c as many, in d four times as many beside",
    )
    parser.add_argument(
        "--learnt", type=from_zero, help="questions that --init has learnt; default: 40000, an encoder 0"
    )
    parser.add_argument(
        "--bf16", action="store_true", help="faster where the processor multiplies bfloat16 (avx512_bf16)"
    )
    parser.add_argument("--seed", type=from_zero, default=0, help="of draws and of a fresh head; default: 0")
    parser.add_argument("--threads", type=count, default=2, help="of torch; default: 2")
    return parser


def _train(options: argparse.Namespace) -> None:
    folder(options.work)
    folder(options.out)
    if options.measure is not None and not options.measure.is_dir():
        raise InputError(f"{options.measure}: no such folder; give the sets to measure, or leave --measure out")
    tokens = Tokens(model_folder())
    sources = read_sources(options.data)
    start = options.init
    begun = start is not None and has_head(start)  # else an encoder, which has learnt no questions
    # Once, of --init: that phase B starts from phase A's weights leaves no question out.
    learnt = options.learnt if options.learnt is not None else STAGE_1_QUESTIONS if begun else 0
    result = None
    for phase in [options.phase] if options.phase else ["a", "b"]:
        result = _phase(phase, start, options, sources, tokens, learnt)
        start = result
    if result is not None:
        record = json.loads(result.with_suffix(".json").read_text("utf-8"))
        weights = load_reader(result, options.seed).weights
        if begun:
            record["scores_learnt"] = record.pop("scores")
            weights = mean([(load_reader(options.init, options.seed).weights, 1 - BLEND), (weights, BLEND)])
        record |= {"blend": BLEND if begun else 1.0, "sha256_learnt": record.pop("sha256")}
        target = options.out / "reader.safetensors"
        write_tensors(target, to_transformers(weights), {"record": json.dumps(record)})
        record["sha256"] = fingerprint([target])
        (options.out / "reader.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _phase(
    phase: str, init: Path | None, options: argparse.Namespace, sources: Sources, tokens: Tokens, learnt: int
) -> Path:
    """Run one phase; return the path of its weights, beside which its record stands."""
    say(f"phase {phase}: preparing")
    reader = load_reader(init, options.seed)  # before the work: it may be missing
    groups = _groups(phase, options, sources, tokens, learnt)
    recipe = Recipe(
        phase=phase,
        peak=SETTINGS[phase].peak,
        floor=SETTINGS[phase].floor,
        batch=SETTINGS[phase].batch,
        seed=options.seed,
        data=sources.sha256,
        minutes=options.minutes,
        started_from=fingerprint([init]) if init else "embedded encoder",
        bf16=options.bf16,
        groups=groups_hash(groups),
    )
    target: Path = options.work / f"phase{phase.upper()}.safetensors"
    _, held = split_questions(sources.squad, learnt)
    retrieved = [] if phase == "a" else _held_groups(held, options, sources, tokens)
    trainer = Trainer(reader, recipe, target.with_name(f"phase{phase.upper()}.checkpoint.safetensors"))
    if trainer.resume():
        say(f"phase {phase}: going on at step {trainer.progress.step}")
    say(f"phase {phase}: {len(groups)} groups, {sum(map(len, groups))} sequences")

    def report(progress: Progress, share: float) -> None:
        rate = progress.groups / progress.seconds
        say(f"step {progress.step} groups {progress.groups} loss {progress.loss:.4f} {rate:.2f}/s share {share:.3f}")

    progress = trainer.run(groups, report)
    averaged = Reader(trainer.average, reader.embeddings)
    _, news = split_news(sources.news)
    scores = {"held_out_last": evaluate(reader, tokens, held, 500), "held_out": evaluate(averaged, tokens, held, 500)}
    before = load_reader(init, options.seed)
    scores["news_before"] = evaluate(before, tokens, news, 500)
    scores["news"] = evaluate(averaged, tokens, news, 500)
    if retrieved:
        scores["held_out_retrieved_before"] = evaluate_groups(before, retrieved)
        scores["held_out_retrieved"] = evaluate_groups(averaged, retrieved)
    # The average is the default; the last weights take its place only where they read unseen questions clearly better.
    chosen = reader if scores["held_out_last"]["f1"] > scores["held_out"]["f1"] + 0.5 else averaged
    record = {"recipe": asdict(recipe), "progress": asdict(progress), "averaged": chosen is averaged, "scores": scores}
    write_tensors(target, to_transformers(chosen.weights), {"record": json.dumps(record)})
    scores |= _measure(chosen, tokens, options.measure)
    record["sha256"] = fingerprint([target])
    target.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(json.dumps(record))
    return target


def _groups(phase: str, options: argparse.Namespace, sources: Sources, tokens: Tokens, learnt: int) -> list[Group]:
    if phase == "a":
        return given_passage(sources, tokens, options.seed, learnt, options.examples)
    count, unanswerable = options.examples or SETTINGS[phase].retrieved, SETTINGS[phase].unanswerable
    _, held = split_questions(sources.squad, learnt)
    kept_out = {question.question_id for question in held}
    pool = [question for question in sources.squad if question.question_id not in kept_out]
    groups = retrieved_groups(pool, sources.squad, tokens, options.seed, count, unanswerable, options.work)
    if phase == "b":
        groups += given_passage(sources, tokens, options.seed, learnt, int(GIVEN_SHARE * count), last=True)
    else:
        most = options.examples if phase == "c" else 4 * count  # a paragraph alone takes a quarter of the time
        groups += given_passage(sources, tokens, options.seed, 0, most, share=ALIKE_SHARE)
    if phase == "d":
        news, _ = split_news(sources.news)
        groups += news_groups(news, tokens, options.seed)
    random.Random(f"phase {phase} {options.seed}").shuffle(groups)  # noqa: S311
    return groups


def _held_groups(
    held: Sequence[Question], options: argparse.Namespace, sources: Sources, tokens: Tokens
) -> list[Group]:
    """Questions that no phase learns, half of them unanswerable, with retrieved passages."""
    return retrieved_groups(held, sources.squad, tokens, options.seed, len(held), 0.5, options.work)


def _measure(reader: Reader, tokens: Tokens, folder: Path | None) -> dict[str, dict[str, float]]:
    if folder is None:
        return {}
    sets: dict[str, list[Question]] = {
        name: read_squad(folder / name / "squad.json") for name in MEASURED if (folder / name / "squad.json").is_file()
    }
    return {name: evaluate(reader, tokens, questions, MEASURED[name]) for name, questions in sets.items()}


if __name__ == "__main__":
    sys.exit(main())
