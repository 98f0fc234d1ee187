"""Fit the confidence of a reader: ``python -m eval.calibration SQUAD.json [--reader NAME] [--write]``.

What it comes to is printed and, with ``--write``, kept: of readers that ship in ``rag/models/calibration.json``, of
others in the user's data folder.

The 24 of SQuAD 1.1 dev's 48 articles whose sha1(title) sorts lowest are fitted on, the other 24 are reported on; no
reader was trained on either. Every question is asked of all paragraphs, as a user would; a third of them with every
passage that holds an answer taken away, so that refusing is right. A candidate is right by the rule of every run,
``eval.blame.right_words``.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eval.blame import right_words
from eval.confidence import auroc, brier_skill, coverage_at_precision, ece, ece_by_chance
from eval.corpus import own_index
from eval.holders import Holders
from eval.questions import Question, QuestionSet, drawn, load_set
from eval.spans import exact_match, f1
from index.search import Index
from rag.calibrate import FILE, Calibration, features, own_file
from rag.copies import FOUND
from rag.pipeline import read_groups
from rag.progress import progress
from rag.reader import Reader
from rag.readers import load_reader
from rag.terminal import exit_code

# Shares of the question's softmax and of its matched words fit SQuAD better, but where all articles are on one subject
# and questions share few words with them, they sank right answers; these carry over.
USED = ("margin", "sources", "place")
USED_SENTENCES = ("sentence_cosine", "sentence_words", "lead", "top_cosine", "bm25_share", "top_idf_matched")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's features, whether its gold was there, and whether its best candidate is right.

    ``exact`` and ``f1`` score that candidate's words. ``hit`` is the place, from 1, of the first passage of a gold
    document among those retrieved, ``retrieved`` that document's place among the documents retrieved, ``read`` its
    place in the order in which the candidates cite them; 0 where it is not among them.
    """

    features: dict[str, float]
    held: bool
    right: bool
    exact: float
    f1: float
    hit: int
    retrieved: int
    read: int


def title(question: Question) -> str:
    """The article that a question of a SQuAD file was asked of."""
    return next(iter(question.gold)).rsplit("#", 1)[0]


def fitted_titles(question_set: QuestionSet) -> frozenset[str]:
    """The half of the set's articles whose sha1(title) sorts lowest: what may be fitted on."""
    titles = {title(question) for question in question_set.questions}
    order = sorted(titles, key=lambda title: hashlib.sha1(title.encode()).hexdigest())  # noqa: S324
    return frozenset(order[: len(order) // 2])


def halves(question_set: QuestionSet) -> tuple[list[Question], list[Question]]:
    """The questions of the articles to fit on and of those to report on."""
    fitted = fitted_titles(question_set)
    questions = question_set.questions
    return [q for q in questions if title(q) in fitted], [q for q in questions if title(q) not in fitted]


def asked(questions: Sequence[Question], index: Index, reader: Reader, holders: Holders) -> Iterator[Asked]:
    """Ask each question, every third one without its gold passages; those without any candidate are left out."""
    with progress() as report:
        for number, question in enumerate(questions):
            held = number % 3 > 0
            found = index.search(question.question, FOUND, frozenset() if held else holders.holding(question))
            hits, _, _, groups = read_groups(question.question, found, index, reader)
            if groups:
                best = groups[0].spans[0]
                exact, overlap = exact_match(best.text, question.answers), f1(best.text, question.answers)
                right = right_words(question, [best.text], whole=(best.start, best.end) == best.sentence)
                read = [hit.passage.doc_id for hit in hits]
                cited = [span.hit.passage.doc_id for group in groups for span in group.spans]
                orders = (read, dict.fromkeys(read), dict.fromkeys(cited + read))
                ranks = (_rank(order, question) for order in orders)
                yield Asked(features(groups, 0), held, held and right, exact, overlap, *ranks)
            if report:
                report("asking", number + 1, len(questions))


def _rank(documents: Iterable[str], question: Question) -> int:
    """The place, from 1, of the first gold document; 0 where there is none."""
    return next((place for place, document in enumerate(documents, 1) if document in question.documents), 0)


def fit(rows: Sequence[Asked], names: Sequence[str]) -> Calibration:
    """The logistic combination with the highest likelihood (L2, standardised features) and the threshold.

    Every signal is evidence for an answer, so none may count against one: signals whose weight comes out negative,
    which on other text would do harm, are left out and the rest is fitted again. The threshold is the lowest confidence
    at which the mean of two shares, of answerable questions that are answered and of others that are refused, is within
    one standard error of its best: the curve is flat there, and on other text confidence runs lower.
    """
    from sklearn.linear_model import LogisticRegression

    while True:
        x = np.array([[row.features[name] for name in names] for row in rows])
        mean, scale = x.mean(0), x.std(0) + 1e-9
        model = LogisticRegression(C=1.0, max_iter=1000).fit((x - mean) / scale, [row.right for row in rows])
        weights = model.coef_[0] / scale
        if (weights >= 0).all():
            break
        names = [name for name, weight in zip(names, weights, strict=True) if weight >= 0]
    bias = float(model.intercept_[0] - weights @ mean)
    sure = confidences(rows, Calibration(dict(zip(names, weights, strict=True)), bias, 0.0))
    held = np.array([row.held for row in rows])
    cuts = np.quantile(sure, np.linspace(0.01, 0.99, 99))
    shares = np.array([((sure[held] >= cut).mean(), (sure[~held] < cut).mean()) for cut in cuts])
    means = shares.mean(1)
    best = shares[means.argmax()]
    error = np.sqrt((best * (1 - best) / (held.sum(), (~held).sum())).sum()) / 2
    threshold = cuts[(means >= best.mean() - error).argmax()]  # the first of them
    kept = {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)}
    return Calibration(kept, round(bias, 5), round(float(threshold), 4))


def confidences(rows: Sequence[Asked], calibration: Calibration) -> np.ndarray:
    """The fitted probability of each row, float64 (n,)."""
    return np.array([calibration.probability(row.features) for row in rows])


def figures(rows: Sequence[Asked], calibration: Calibration) -> dict[str, float]:
    """What the fit is worth on these rows."""
    sure = confidences(rows, calibration)
    right = np.array([row.right for row in rows], float)
    held = np.array([row.held for row in rows])
    ranks = np.array([(row.hit, row.retrieved, row.read) for row in rows])[held]
    passages, retrieved, read = ((ranks > 0) & (ranks <= 5)).mean(0).tolist()
    return {
        "n": len(rows),
        "passage_R@5": passages,
        "R@5": retrieved,
        "read_R@5": read,
        "EM": 100 * float(np.mean([row.exact for row in rows if row.held])),
        "F1": 100 * float(np.mean([row.f1 for row in rows if row.held])),
        "right": float(right[held].mean()),
        "AUROC_held": auroc(sure[held], sure[~held]) or 0.0,
        "AUROC_right": auroc(sure[right == 1], sure[right == 0]) or 0.0,
        "Brier_skill": brier_skill(sure, right) or 0.0,
        "ECE": ece(sure, right) or 0.0,
        "ECE_chance": ece_by_chance(sure) or 0.0,
        "coverage@80": coverage_at_precision(sure, right, 0.8) or 0.0,
        "coverage@90": coverage_at_precision(sure, right, 0.9) or 0.0,
        "answered": float((sure[held] >= calibration.threshold).mean()),
        "refused": float((sure[~held] < calibration.threshold).mean()),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and report; 0, or 2 and a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m eval.calibration", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("set", type=Path, help="SQuAD 1.1 dev as SQuAD JSON")
    parser.add_argument("--reader", help="as for `rag ask`")
    parser.add_argument("--questions", type=int, default=3000, help="of each half (3000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the fit: with it the reader has a confidence")
    options = parser.parse_args(arguments)
    return exit_code("eval.calibration", lambda: _fit_and_report(options))


def _fit_and_report(options: argparse.Namespace) -> None:
    question_set = load_set(options.set)
    index = Index.open(own_index(question_set))
    holders = Holders(index)
    reader = load_reader(options.reader)
    chosen = []
    for half in halves(question_set):
        questions = drawn(half, options.questions, options.seed)
        chosen.append(list(asked(questions, index, reader, holders)))
    calibration = fit(chosen[0], USED_SENTENCES if reader.name == "none" else USED)
    for name, rows in zip(("fitted on", "reported on"), chosen, strict=True):
        print(name, " ".join(f"{key}={value:.4g}" for key, value in figures(rows, calibration).items()))
    if not options.write:
        return
    ships = options.reader in (None, "none")
    place = Path(__file__).parent.parent / "rag" / FILE if ships else own_file()
    place.parent.mkdir(parents=True, exist_ok=True)
    table = json.loads(place.read_text("utf-8")) if place.exists() else {}
    table[reader.identity] = {**asdict(calibration), "fitted": {"questions": len(chosen[0]), "seed": options.seed}}
    place.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
