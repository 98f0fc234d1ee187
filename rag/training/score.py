"""Scores of a reader in training: EM and F1 given the passage, and how well its margin tells what has no answer.

EM, F1 and their normalisation are those of the official SQuAD 1.1 script (Rajpurkar et al. 2016, arXiv:1606.05250).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from rag.normal import normalise, words_f1
from rag.spans import best_span
from rag.training.data import Example, Group, Question, Tokens
from rag.training.network import MAX_POSITIONS, Reader, pack


@dataclass(frozen=True, slots=True)
class Found:
    """The best span of a passage and its margin: start + end logit, less those of [CLS]."""

    text: str
    margin: float


def find(reader: Reader, tokens: Tokens, questions: Sequence[Question], batch: int = 16) -> list[Found]:
    """Read each question's own paragraph; best spans (``rag.spans.best_span``), in the order of ``questions``."""
    found = [Found("", 0.0)] * len(questions)
    examples = [tokens.example(q.question, q.paragraph, (), MAX_POSITIONS) for q in questions]
    with torch.inference_mode():
        for low in range(0, len(questions), batch):
            part = [(n, example) for n, example in enumerate(examples[low : low + batch], low) if example is not None]
            packed = pack([(example.ids, example.first) for _, example in part])
            logits = torch.split(reader.forward(packed), packed.lengths)
            for (n, example), values in zip(part, logits, strict=True):
                a, b, margin = _best(values.numpy(), example)
                offsets = tokens.passage(questions[n].paragraph).offsets
                text = questions[n].paragraph[offsets[a - example.first][0] : offsets[b - example.first][1]]
                found[n] = Found(text, margin)
    return found


def _best(logits: NDArray[np.float32], example: Example) -> tuple[int, int, float]:
    """First and last token of the best span, and its margin."""
    start, end, margin = best_span(np.concatenate([logits[:1], logits[example.first : -1]]))
    return start + example.first, end + example.first, margin


def evaluate_groups(reader: Reader, groups: Sequence[Group]) -> dict[str, float]:
    """Score the best span by margin over all passages of each question.

    ``exact``: percent of the answerable whose span is a right one to the token; ``auroc`` of its margin, as in
    ``evaluate``.
    """
    right, with_answer, without = [], [], []
    with torch.inference_mode():
        for group in groups:
            packed = pack([(example.ids, example.first) for example in group])
            logits = torch.split(reader.forward(packed), packed.lengths)
            spans = [(*_best(part.numpy(), example), example) for part, example in zip(logits, group, strict=True)]
            start, end, margin, example = max(spans, key=lambda span: span[2])
            if any(example.starts for example in group):
                right.append((start, end) in zip(example.starts, example.ends, strict=True))
                with_answer.append(margin)
            else:
                without.append(margin)
    return {
        "questions": float(len(groups)),
        "exact": _percent(right),
        "auroc": _auroc(with_answer, without) if right and without else 0.5,
    }


def evaluate(
    reader: Reader, tokens: Tokens, questions: Sequence[Question], sample: int, seed: int = 0
) -> dict[str, float]:
    """Score ``sample`` questions drawn by ``seed``: ``em`` and ``f1`` (percent, of those with an answer), ``auroc``.

    ``auroc``: the chance that a question with an answer has the higher margin of two; only where some have none.
    """
    drawn = list(questions)
    if sample < len(drawn):
        drawn = random.Random(seed).sample(drawn, sample)  # noqa: S311
    # Read in order of length: nothing is padded, but equal lengths keep the memory in use even.
    drawn.sort(key=lambda question: len(question.paragraph))
    found = find(reader, tokens, drawn)
    answered = [(question, span) for question, span in zip(drawn, found, strict=True) if question.answers]
    without = [span.margin for question, span in zip(drawn, found, strict=True) if not question.answers]
    exact = [max(normalise(span.text) == normalise(a) for a in question.answers) for question, span in answered]
    overlap = [
        max(words_f1(normalise(span.text).split(), normalise(a).split()) for a in question.answers)
        for question, span in answered
    ]
    scores = {"questions": float(len(drawn)), "em": _percent(exact), "f1": _percent(overlap)}
    if without and answered:
        scores["auroc"] = _auroc([span.margin for _, span in answered], without)
    return scores


def _percent(values: Sequence[float]) -> float:
    return 100 * float(np.mean(values)) if len(values) else 0.0


def _auroc(above: Sequence[float], below: Sequence[float]) -> float:
    return float(roc_auc_score([1] * len(above) + [0] * len(below), [*above, *below]))
