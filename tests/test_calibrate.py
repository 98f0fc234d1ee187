"""The features of a candidate and their logistic combination, by hand."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.calibration import Asked, asked, confidences, figures, fit
from eval.holders import Holders
from eval.questions import Question
from index.duplicates import sketch
from index.errors import ModelError
from index.passage import Document, Hit, Passage
from rag.calibrate import NEAR, Calibration, features, reason
from rag.evidence import Group
from rag.reader import ScoredSpan

PARTS = {"cosine": 0.5, "bm25_share": 0.25, "idf_matched": 0.75}


def span(passage_id: int, fused: float, score: float, cosine: float = 0.5) -> ScoredSpan:
    text = "It cost $3 million."
    passage = Passage(passage_id, f"{passage_id}.txt", 0, len(text), text, ((0, len(text)),), ())
    hit = Hit(passage, fused, PARTS | {"cosine": cosine})
    return ScoredSpan(hit, 8, 18, (0, len(text)), score, {"margin": 2 * score})


def group(*spans: ScoredSpan, distinct: int = 1) -> Group:
    mass = math.log(sum(math.exp(found.score) for found in spans))
    return Group(spans, tuple(found.hit.passage.doc_id for found in spans), distinct, mass)


def test_features_by_hand() -> None:
    first = group(span(4, 0.2, math.log(4)), span(2, 0.8, math.log(2), 0.7), distinct=2)
    second = group(span(1, 0.9, math.log(3), 0.6))
    known = features([first, second], 0)
    assert known == pytest.approx(
        {
            "margin": 2 * math.log(4),
            "cosine": 0.5,
            "bm25_share": 0.25,
            "idf_matched": 0.75,
            "top_cosine": 0.7,
            "top_bm25_share": 0.25,
            "top_idf_matched": 0.75,
            "share": math.log(6 / 9),
            "lead": math.log(6 / 3),
            "sources": math.log(2),
            "passages": math.log(2),
            "place": -1,
        }
    )
    assert features([first, second], 1)["place"] == 0
    assert features([second], 0)["lead"] == 0


def test_place_counts_the_passages_before_the_first_that_says_it() -> None:
    said, others = span(9, 0.5, 1.0), [group(span(n, 0.9 - n / 10, -1.0)) for n in range(3)]
    assert features([group(said), *others], 0)["place"] == -3
    # Equal scores are no order.
    assert features([group(replace(said, hit=replace(said.hit, score=0.8))), *others], 0)["place"] == -1


def test_masses_that_lie_far_apart_do_not_overflow() -> None:
    groups = [Group((span(n, 0.5, 0.0),), (f"{n}.txt",), 1, mass) for n, mass in enumerate((2000.0, -2000.0))]
    assert [features(groups, n)["share"] for n in (0, 1)] == [0, -4000]


@pytest.mark.parametrize(
    ("cosine", "matched", "says"),
    [(NEAR, 0.0, "weak"), (0.0, NEAR, "weak"), (NEAR - 0.01, NEAR - 0.01, "not_found")],
)
def test_one_passage_near_by_meaning_or_by_words_is_enough(cosine: float, matched: float, says: str) -> None:
    found = span(1, 0.5, 0.0).hit
    far, near = ({**PARTS, "cosine": a, "idf_matched": b} for a, b in ((0.0, 0.0), (cosine, matched)))
    assert reason([replace(found, parts=far), replace(found, parts=near)]) == says


def test_the_combination_is_a_logistic_one() -> None:
    calibration = Calibration({"margin": 0.5, "place": 0.25}, -1.0, 0.3)
    known = {"margin": 4.0, "place": -2.0, "unused": 9.0}
    assert calibration.probability(known) == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert calibration.probability({"margin": 1e6, "place": 0.0}) == pytest.approx(1.0)
    assert calibration.probability({"margin": -1e6, "place": 0.0}) == pytest.approx(0.0, abs=1e-12)


def rows(count: int) -> list[Asked]:
    """Questions whose margin tells mostly whether their answer is there, and a signal that points the wrong way."""
    draw = random.Random(5)
    made = []
    for number in range(count):
        held = number % 3 > 0
        margin = draw.gauss(3.0 if held else -1.0, 2.0)
        known = {"margin": margin, "backwards": -margin + draw.gauss(0.0, 1.0)}
        made.append(Asked(known, held, held and margin > 0, 0.0, 0.0, 1, 1, 1))
    return made


def test_a_signal_that_counts_against_an_answer_is_left_out() -> None:
    fitted = fit(rows(300), ("margin", "backwards"))
    assert list(fitted.weights) == ["margin"]
    assert fitted.weights["margin"] > 0


def test_the_threshold_is_the_lowest_within_one_standard_error_of_the_best() -> None:
    asked = rows(900)
    fitted = fit(asked, ("margin",))
    sure = confidences(asked, fitted)
    held = np.array([row.held for row in asked])

    def shares(cut: float) -> np.ndarray:
        return np.array([(sure[held] >= cut).mean(), (sure[~held] < cut).mean()])

    best = max((shares(cut) for cut in sure), key=lambda pair: pair.mean())
    error = math.sqrt(best[0] * (1 - best[0]) / 600 + best[1] * (1 - best[1]) / 300) / 2
    assert shares(fitted.threshold).mean() >= best.mean() - error - 0.002
    assert shares(fitted.threshold - 0.05).mean() < best.mean() - error
    assert shares(fitted.threshold)[0] > best[0]


class Shelf:
    """An index that finds the same passages, in this order, whatever is asked."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = hits
        self.passages = [hit.passage for hit in hits]

    def document(self, doc_id: str) -> Document:
        return Document(doc_id, " ".join(passage.text for passage in self.passages if passage.doc_id == doc_id))

    def search(self, query: str, k: int, exclude: frozenset[int]) -> list[Hit]:
        return [hit for hit in self.hits if hit.passage.passage_id not in exclude][:k]

    def sketches(self, doc_ids: Sequence[str]) -> list[np.ndarray]:
        return [sketch(Document(doc_id, f"{doc_id} and nothing else")) for doc_id in doc_ids]


class LastFirst:
    """A reader that finds the cost in the last two hits alone, surest in the last."""

    name = identity = "last first"

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        found = [(hits[-1], 18, 3.0), (hits[-2], 10, 1.0)]
        return [
            ScoredSpan(hit, at + 8, at + end, (at, at + 19), score, {"margin": 2 * score})
            for hit, end, score in found
            for at in [hit.passage.start]
        ]


def test_where_the_gold_document_ranks_before_and_after_reading() -> None:
    # The first two hits are passages of one document: the third hit is the second document.
    texts = ("It cost $1 million.", "It cost $2 million.", "It cost $4 million.", "It cost $3 million.")
    passages = [
        Passage(number, doc_id, at, at + len(text), text, ((at, at + len(text)),), ())
        for number, (doc_id, at, text) in enumerate(zip("aabc", (0, 20, 0, 0), texts, strict=True))
    ]
    shelf = Shelf([Hit(passage, 1.0 - passage.passage_id / 10, PARTS) for passage in passages])
    questions = [
        Question(str(number), "How much did it cost?", ("$3 million",), (gold,), gold={gold: 1})
        for number, gold in enumerate("cacb")
    ]
    found = list(asked(questions, shelf, LastFirst(), Holders(shelf)))  # type: ignore[arg-type]
    # Every third question is asked without the passages that hold its answer: there the last hit is "b"'s.
    assert [(row.hit, row.retrieved, row.read) for row in found] == [(0, 0, 0), (1, 1, 3), (4, 3, 1), (3, 2, 1)]
    assert [row.held for row in found] == [False, True, True, False]
    assert [row.f1 for row in found] == [0.5, 1.0, 1.0, 0.5]


def test_a_whole_sentence_that_holds_the_answer_is_right_as_in_a_run() -> None:
    class Whole:
        name = identity = "whole"

        def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
            passage = hits[0].passage
            return [ScoredSpan(hits[0], passage.start, passage.end, (passage.start, passage.end), 1.0, {"margin": 1.0})]

    text = "The repair of the mill, the county said on Sunday, cost $3 million."
    shelf = Shelf([Hit(Passage(0, "a", 0, len(text), text, ((0, len(text)),)), 1.0, PARTS)])
    questions = [Question(str(n), "How much did it cost?", ("$3 million",), ("a",), gold={"a": 1}) for n in range(2)]
    (row,) = asked(questions, shelf, Whole(), Holders(shelf))  # type: ignore[arg-type]
    assert row.f1 < 0.5
    assert row.right


def test_the_first_five_of_each_ranking() -> None:
    known = {"margin": 1.0}
    ranks = [(6, 5, 1), (1, 1, 6), (0, 0, 0), (5, 4, 5)]
    made = [Asked(known, True, True, 1.0, 1.0, *rank) for rank in ranks] + [Asked(known, False, False, 0, 0, 0, 0, 0)]
    shares = figures(made, Calibration({"margin": 1.0}, 0.0, 0.5))
    assert (shares["passage_R@5"], shares["R@5"], shares["read_R@5"]) == (0.5, 0.75, 0.5)


@pytest.mark.parametrize("weights", ['{"margin": NaN}', '{"margin": 1e999}', '{"nonsense": 1.0}', '{"margin": "x"}'])
def test_a_file_of_ones_own_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    class Other:
        name = identity = "other"

        def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
            return []

    place = tmp_path / "calibration.json"
    monkeypatch.setattr("rag.calibrate.own_file", lambda: place)
    place.write_text(f'{{"other": {{"weights": {weights}, "bias": 0, "threshold": 0.5}}}}')
    with pytest.raises(ModelError, match=r"fit it anew|fit anew"):
        Calibration.of(Other()).probability({"margin": 1.0})
