"""A peer's extractive answers beside Citespan's: of the same questions, articles, encoder and reader's weights.

A peer is a function that takes the articles, the folder of the encoder and the folder of the reader (both as
transformers load them) and returns what answers a question. It is put together as its own documentation does.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.confidence import auroc
from eval.corpus import articles, own_index
from eval.metrics import mean
from eval.questions import Question, drawn, load_set
from eval.reading import export
from eval.spans import exact_match, f1
from index.errors import InputError
from index.minilm import model_folder
from index.passage import Document
from rag.corpus import refreshed
from rag.pipeline import Pipeline
from rag.terminal import exit_code


@dataclass(frozen=True, slots=True)
class Found:
    """The best words for a question, the document they are from, and how sure they are by a score of any kind."""

    words: str
    doc_id: str
    score: float


Ask = Callable[[str], Found | None]
Build = Callable[[Sequence[Document], Path, Path], Ask]


def figures(questions: Sequence[Question], ask: Ask) -> dict[str, float]:
    """EM and F1 of the best words, refused or not, and the share from a gold document, of answerable questions.

    With unanswerable ones among them also the AUROC of the score between both kinds; and the median time a question
    takes, in ms. One that brings nothing counts 0 and scores below all others.
    """
    exact, overlap, document, times = [], [], [], []
    scores: dict[bool, list[float]] = {True: [], False: []}
    for question in questions:
        started = time.perf_counter()
        found = ask(question.question)
        times.append(1000 * (time.perf_counter() - started))
        scores[question.answerable].append(found.score if found else float("-inf"))
        if question.answerable:
            exact.append(exact_match(found.words, question.answers) if found else 0.0)
            overlap.append(f1(found.words, question.answers) if found else 0.0)
            document.append(float(found is not None and found.doc_id in question.documents))
    told = auroc(scores[True], scores[False])
    return {
        "n": float(len(questions)),
        "EM": mean(exact),
        "F1": mean(overlap),
        "document": mean(document),
        **({} if told is None else {"AUROC": told}),
        "p50_ms": statistics.median(times),
    }


def citespan(root: Path) -> Ask:
    """Citespan over the index at ``root``."""
    pipeline = Pipeline.open(root)

    def ask(question: str) -> Found | None:
        answer = pipeline.ask(question, k=1)
        cited = answer.citations or tuple(citation for other in answer.alternatives for citation in other.citations)
        return Found(cited[0].quote, cited[0].document, answer.confidence) if cited else None

    return ask


def compare(name: str, needs: Sequence[str], build: Build, arguments: Sequence[str] | None = None) -> int:
    """Print a line for the peer, which ``needs`` these modules, and one for Citespan; 0, or 2 and a sentence."""
    parser = argparse.ArgumentParser(prog=f"python -m eval.peers.{name}")
    parser.add_argument("set", type=Path)
    parser.add_argument("--corpus", type=Path, help="the articles, where the set brings none")
    parser.add_argument("--questions", type=int, default=300, help="at most so many, drawn (300)")
    options = parser.parse_args(arguments)
    return exit_code(f"eval.peers.{name}", lambda: _compare(name, needs, build, options))


def _compare(name: str, needs: Sequence[str], build: Build, options: argparse.Namespace) -> None:
    if any(importlib.util.find_spec(module) is None for module in needs):
        raise InputError(f"{name} is no dependency: install it first, as eval/peers/{name}.py says")
    question_set = load_set(options.set)
    if question_set.corpus is None and options.corpus is None:
        raise InputError(f"{options.set} brings no articles: say where they are with --corpus PATH")
    if question_set.corpus is None:
        documents, root = articles(options.corpus), refreshed(options.corpus)
    else:
        documents, root = list(question_set.corpus), own_index(question_set)
    questions = drawn(question_set.questions, options.questions, 0)
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        peer = build(documents, model_folder(), Path(folder))
        for label, ask in ((name, peer), ("citespan", citespan(root))):
            ask("warm up")
            found = figures(questions, ask)
            print(f"{label:<10}", " ".join(f"{key} {value:.4g}" for key, value in found.items()))
            sys.stdout.flush()
