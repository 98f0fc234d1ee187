"""What the embedded reader is worth, in one command: ``python -m eval.reading DIR [--questions N]``.

DIR holds the sets: ``squad11_dev``, ``squad20_dev``, ``squadshifts_amazon`` and ``realtimeqa_2022``, each with a
``squad.json``. No weights were fitted on them, and where a confidence counts, the articles that
it was fitted on are left out:

- given the paragraph: EM and F1, in percent, of the best span, by the official rules; float32 beside int8;
- SQuAD 2.0, of the articles that calibration leaves out: whether the margin tells what has no answer;
- in the pipeline, over all paragraphs of a set: the figures of ``eval.calibration``, every third question asked without
  its gold passages;
- time: the first eight paragraphs of a question, beside the same network in transformers, in one run.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from eval.calibration import asked, figures, fitted_titles, title
from eval.confidence import auroc
from eval.corpus import own_index
from eval.holders import Holders
from eval.paragraphs import whole
from eval.questions import Question, QuestionSet, drawn, load_set
from eval.spans import exact_match, f1
from index.layers import Precision, layer_count
from index.minilm import model_folder, token_counts
from index.passage import Hit
from index.search import Index
from rag.calibrate import Calibration
from rag.copies import FOUND
from rag.minireader import MiniReader
from rag.progress import progress
from rag.reader import Reader
from rag.readers import load_reader
from rag.spans import SpanReader
from rag.terminal import exit_code

GIVEN = ("squad11_dev", "squadshifts_amazon", "squad20_dev")
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
OPEN = ("squad11_dev", "realtimeqa_2022")
PASSAGES, TIMED = 8, 60
"""Paragraphs read at a time, and questions asked, for the time."""


def given(question_set: QuestionSet, questions: Sequence[Question], reader: Reader) -> dict[str, float]:
    """EM and F1 of the answerable, in percent; where some are not, also what the margin is worth.

    ``best_F1`` is the F1 over all questions, "" being right where there is no answer, at the best threshold for the
    margin, as evaluate-v2.0.py finds it.
    """
    hits = {document.doc_id: Hit(whole(document), 1.0) for document in question_set.corpus or ()}
    scores: list[tuple[float, float, float]] = []
    with progress() as report:
        for number, question in enumerate(questions):
            (doc_id,) = question.gold
            spans = reader.read(question.question, [hits[doc_id]])
            text, margin = (spans[0].text, spans[0].signals["margin"]) if spans else ("", -np.inf)
            scores.append((exact_match(text, question.answers), f1(text, question.answers), margin))
            if report:
                report(question_set.name, number + 1, len(questions))
    exact, overlap, margins = np.array(scores).T
    can = np.array([question.answerable for question in questions])
    found = {"n": float(len(questions)), "EM": 100 * exact[can].mean(), "F1": 100 * overlap[can].mean()}
    if not can.all():
        found["AUROC"] = auroc(margins[can], margins[~can]) or 0.0
        # Refuse all, then answer one more at a time, the surest first.
        gains = np.where(can, overlap, -1.0)[np.argsort(-margins, kind="stable")]
        found["best_F1"] = 100 * (np.count_nonzero(~can) + max(0.0, gains.cumsum().max())) / len(questions)
    return found


def in_pipeline(question_set: QuestionSet, questions: Sequence[Question]) -> dict[str, float]:
    """The figures of ``eval.calibration`` with the calibration that ships."""
    index = Index.open(own_index(question_set))
    reader = load_reader(None)
    return figures(list(asked(questions, index, reader, Holders(index))), Calibration.of(reader))


def speed(question_set: QuestionSet, questions: Sequence[Question]) -> dict[str, float]:
    """Mean milliseconds for the first PASSAGES paragraphs of a question, each read as one, the four readers in turn.

    ``tokens``: the mean length of a paragraph. ``whole_ms`` is the reader that ships when it reads every passage to the
    end, ``transformers/int8`` transformers' time over that of the reader that ships, all questions together.
    """
    index = Index.open(own_index(question_set))
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        readers = {
            "int8": SpanReader(MiniReader("int8"), "int8"),
            "whole": SpanReader(MiniReader("int8", skims=False), "whole"),
            "fp32": SpanReader(MiniReader("fp32", skims=False), "fp32"),
            "transformers": load_reader(folder),
        }
    spent = dict.fromkeys(readers, 0.0)
    tokens: list[int] = []
    for turn, question in enumerate([questions[0], *questions[:TIMED]]):
        found = dict.fromkeys(hit.passage.doc_id for hit in index.search(question.question, FOUND))
        hits = [Hit(whole(index.document(doc_id)), 1.0) for doc_id in list(found)[:PASSAGES]]
        for name, reader in readers.items():
            started = time.perf_counter()
            reader.read(question.question, hits)
            if turn:  # the first warms up
                spent[name] += 1000 * (time.perf_counter() - started)
        tokens += token_counts([hit.passage.text for hit in hits])
    times = {f"{name}_ms": total / len(questions[:TIMED]) for name, total in spent.items()}
    ratio = spent["transformers"] / spent["int8"]
    return {"tokens": statistics.mean(tokens), **times, "transformers/int8": ratio}


def export(folder: Path) -> None:
    """Write the embedded reader as a model that transformers loads (``rag ask --reader FOLDER``)."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

    from rag.minireader import FILE

    base = load_file(model_folder() / "model.safetensors")
    tensors = {f"bert.{name}": tensor for name, tensor in base.items() if not name.startswith("pooler")}
    learnt = load_file(Path(__file__).parent.parent / "rag" / FILE)
    tensors |= learnt
    config = BertConfig.from_pretrained(str(model_folder()), num_hidden_layers=layer_count(learnt))
    model = BertForQuestionAnswering(config)
    model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in tensors.items()}, strict=False)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(model_folder())).save_pretrained(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line of figures each; 0, or 2 and a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m eval.reading", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", type=Path, help="the folder that holds the sets")
    parser.add_argument("--questions", type=int, default=3000, help="at most so many of each set, drawn (3000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    return exit_code("eval.reading", lambda: _report(options))


def _report(options: argparse.Namespace) -> None:
    for name, work in _figures(options):
        print(name, " ".join(f"{key}={value:.4g}" for key, value in work().items()), flush=True)


def _figures(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, float]]]]:
    def some(questions: Sequence[Question]) -> list[Question]:
        return drawn(questions, options.questions, options.seed)

    def unfitted(question_set: QuestionSet) -> list[Question]:
        return [question for question in question_set.questions if title(question) not in fitted]

    # SQuAD 2.0's paragraphs are SQuAD 1.1's: both leave out the articles that the calibration was fitted on.
    squad = load_set(options.sets / "squad11_dev" / "squad.json")
    fitted = fitted_titles(squad)
    for name in GIVEN:
        question_set = load_set(options.sets / name / "squad.json")
        questions = some(unfitted(question_set) if name == "squad20_dev" else question_set.questions)
        for precision in PRECISIONS:
            reader = SpanReader(MiniReader(precision), precision)
            yield f"given {name} {precision}", lambda s=question_set, q=questions, r=reader: given(s, q, r)  # type: ignore[misc]
    for name in OPEN:
        question_set = load_set(options.sets / name / "squad.json")
        questions = some(unfitted(question_set))
        yield f"open {name}", lambda s=question_set, q=questions: in_pipeline(s, q)  # type: ignore[misc]
    yield "time", lambda: speed(squad, some(unfitted(squad)))


if __name__ == "__main__":
    sys.exit(main())
