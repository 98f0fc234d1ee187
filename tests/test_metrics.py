"""Worked by hand, against ir_measures on random runs, and against the official figures of published predictions."""

import functools
import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from eval import metrics
from eval.metrics import (
    answer_scores,
    aurc,
    auroc,
    auroc_error,
    average_precision,
    bootstrap_error,
    brier,
    brier_skill,
    citation_precision,
    citation_recall,
    coverage_at_precision,
    ece,
    ece_by_chance,
    exact_match,
    f1,
    holds,
    list_exact,
    list_f1,
    mean,
    ndcg,
    normalise,
    paired_bootstrap,
    percentile,
    plain,
    recall,
    reciprocal_rank,
    risk_coverage,
    sentence_hit,
    standard_error,
)
from eval.questions import Question, load_set
from rag.normal import words_f1

load = functools.cache(load_set)
DATA = Path(__file__).parents[2] / "shared" / "data"


def test_every_public_name_is_exported() -> None:
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    assert metrics.__all__ == sorted(metrics.__all__)


class TestRanking:
    RANKING = ("a", "x", "b", "y", "c")
    GOLD: ClassVar[dict[str, int]] = {"a": 1, "b": 3, "c": 2, "d": 1, "x": 0, "y": -1}

    def test_recall(self) -> None:
        assert recall(self.RANKING, self.GOLD, 1) == 1 / 4
        assert recall(self.RANKING, self.GOLD, 3) == 2 / 4
        assert recall(self.RANKING, {"x": 0}, 3) == 0

    def test_reciprocal_rank(self) -> None:
        assert reciprocal_rank(("x", "y", "b"), self.GOLD) == 1 / 3
        assert reciprocal_rank(("x", "y", "b"), self.GOLD, 2) == 0

    def test_average_precision_counts_what_was_not_found(self) -> None:
        assert average_precision(self.RANKING, self.GOLD) == pytest.approx((1 / 1 + 2 / 3 + 3 / 5 + 0) / 4)
        assert average_precision(self.RANKING, self.GOLD, 3) == pytest.approx((1 / 1 + 2 / 3) / 4)

    def test_ndcg_is_linear_in_relevance(self) -> None:
        dcg = 1 / math.log2(2) + 3 / math.log2(4) + 2 / math.log2(6)
        ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
        assert ndcg(self.RANKING, self.GOLD, 10) == pytest.approx(dcg / ideal)
        assert ndcg(self.RANKING, self.GOLD, 1) == pytest.approx(1 / 3)
        assert ndcg(self.RANKING, {"x": 0, "y": -1}) == 0

    def test_a_document_twice_is_refused(self) -> None:
        for measure in (reciprocal_rank, average_precision, ndcg):
            with pytest.raises(ValueError, match="twice"):
                measure(("a", "a"), self.GOLD)

    def test_parity_with_ir_measures(self) -> None:
        import ir_measures

        generator = np.random.default_rng(7)
        documents = [f"d{n}" for n in range(40)]
        qrels = {
            f"q{q}": {d: int(generator.integers(-1, 4)) for d in generator.choice(documents, 12, replace=False)}
            for q in range(60)
        }
        run = {
            query: [str(d) for d in generator.permutation(documents)[: int(generator.integers(1, 30))]]
            for query in list(qrels)[:55]  # five queries are missing
        }
        scored = {query: {d: float(-rank) for rank, d in enumerate(ranking)} for query, ranking in run.items()}
        ours: dict[str, Callable[..., float]] = {
            "R@1": lambda r, g: recall(r, g, 1),
            "R@10": lambda r, g: recall(r, g, 10),
            "RR": reciprocal_rank,
            "RR@10": lambda r, g: reciprocal_rank(r, g, 10),
            "AP": average_precision,
            "AP@10": lambda r, g: average_precision(r, g, 10),
            "nDCG": ndcg,
            "nDCG@10": lambda r, g: ndcg(r, g, 10),
        }
        for name, measure in ours.items():
            theirs = ir_measures.calc_aggregate([ir_measures.parse_measure(name)], qrels, scored)
            values = [measure(run.get(query, []), gold) for query, gold in qrels.items()]
            assert mean(values) == pytest.approx(next(iter(theirs.values())), abs=1e-12), name


class TestSpans:
    def test_normalise(self) -> None:
        assert normalise("The  $38-billion deal, a\tU.S. first!") == "38billion deal us first"
        assert normalise("half/a/mile") == "halfamile"  # punctuation goes first: there is no article left to see
        assert normalise("“a”mile") == "“ ”mile"  # an article is blanked, not deleted
        assert normalise("“Anthem”") == "“anthem”"  # only ASCII punctuation goes, as in the scripts

    def test_exact_match_and_f1(self) -> None:
        assert exact_match("The Tower", ["tower", "x"]) == 1
        assert f1("tower of iron", ["the iron tower stands"]) == pytest.approx(2 * (2 / 3) * (2 / 3) / (4 / 3))
        assert f1("blue", ["red", "blue sky"]) == pytest.approx(2 / 3)
        assert f1("a a b b", ["b b b"]) == pytest.approx(2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3))

    def test_refusal_is_right_only_where_there_is_no_answer(self) -> None:
        assert (exact_match("", []), f1("", [])) == (1, 1)
        assert (exact_match("x", []), f1("x", [])) == (0, 0)
        assert (exact_match("", ["x"]), f1("", ["x"])) == (0, 0)
        assert exact_match("", ["the", "x"]) == 0  # an answer that normalises to nothing does not count

    def test_lists(self) -> None:
        assert list_exact(["the Iron", "glass"], ["glass", "iron"]) == 1
        assert list_exact(["iron"], ["iron", "glass"]) == 0
        assert list_f1(["iron"], ["iron", "glass"]) == 1 / 2
        # Greedy pairing would take "red iron" with "iron" (2/3) and leave "red" nothing.
        assert list_f1(["red iron", "red"], ["red tin", "red iron"]) == pytest.approx((1 + 2 / 3) / 2)
        # drop_eval.py takes an item's words as a set, and counts the items of a list apart from comparing them.
        assert list_f1(["Paris Paris"], ["Paris"]) == 1
        assert list_f1(["iron iron ore"], ["iron gate"]) == 2 * (1 / 2) * (1 / 2) / (1 / 2 + 1 / 2)
        assert list_exact(["iron", "iron", "tin"], ["tin", "tin", "iron"]) == 1
        assert list_exact(["iron", "iron"], ["iron"]) == 0
        assert list_exact(["iron", "tin"], ["iron", "iron"]) == 0
        assert list_f1([], ["x"]) == list_f1(["x"], []) == 0
        assert list_f1([], []) == 1

    def test_list_f1_against_every_pairing(self) -> None:
        def shared(one: str, other: str) -> float:
            first, second = (set(normalise(text).split()) for text in (one, other))
            return 2 * len(first & second) / (len(first) + len(second))

        draw = random.Random(3)
        for n, m in [(1, 1), (2, 4), (4, 2), (5, 5), (3, 6)]:
            said, wanted = ([" ".join(draw.choices("abcdefgh", k=3)) for _ in range(count)] for count in (n, m))
            fewer, more = sorted((said, wanted), key=len)
            best = max(
                sum(shared(one, other) for one, other in zip(fewer, choice, strict=True))
                for choice in itertools.permutations(more, len(fewer))
            )
            assert list_f1(said, wanted) == pytest.approx(best / max(n, m))

    def test_answer_scores(self) -> None:
        alternatives = Question("q", "?", ("iron", "glass"))
        assert answer_scores(alternatives, ["glass", "tin"]) == (1, 1)
        assert answer_scores(alternatives, [""]) == (0, 0)
        assert answer_scores(alternatives, ["", "glass"]) == (1, 1)
        assert answer_scores(Question("q", "?", ("iron", "glass"), multi=True), ["glass"]) == (0, 1 / 2)
        assert answer_scores(Question("q", "?", answerable=False), []) == (1, 1)

    def test_holds_whole_words_only(self) -> None:
        assert plain("US$38 billion – the “deal”") == "38 billion deal"
        assert plain("a 38-billion deal, COVID-19") == "38billion deal covid19"  # a hyphen parts letters alone
        assert holds("It cost US$38 billion.", ["$38 billion"])
        assert holds("1998–2001", ["2001"])
        assert not holds("It cost 138 billion.", ["38 billion"])
        assert holds("Zorbex’s pump and the AMD/Nvidia-made chip", ["Zorbex"])
        assert holds("Zorbex's pump and the AMD/Nvidia-made chip", ["Nvidia"])
        assert holds("The three year deal", ["three-year"])
        assert not holds("The theses", ["these"])

    def test_sentences_and_citations(self) -> None:
        question = Question("q", "?", ("iron",), ("a.txt", "b.txt"))
        cited = [("Of tin.", "a.txt"), ("Of iron.", "c.txt"), ("Of iron.", "b.txt")]
        assert [sentence_hit(cited, question, k) for k in (1, 2, 3)] == [0, 0, 1]
        assert citation_precision(cited, question) == 1 / 3
        assert citation_recall(cited, question) == 1 / 2
        assert (citation_precision([], question), citation_recall([], question)) == (0, 0)


def official(questions: Iterable[Question], predictions: Mapping[str, str], version: str) -> dict[str, float]:
    """What the official script of that version prints for these predictions, in percent.

    A question without a prediction counts 0. Sums run in the set's order, one by one: the last digits come from there.
    """
    totals: dict[str, list[float]] = {}
    for question in questions:
        exact, overlap = 0.0, 0.0
        text = predictions.get(question.id)
        if text is not None and version == "2.0":
            exact, overlap = exact_match(text, question.answers), f1(text, question.answers)
        elif text is not None:  # every answer counts as it stands, and two empty sides share no word
            said, golds = normalise(text), list(map(normalise, question.answers))
            exact = float(said in golds)
            overlap = max(words_f1(said.split(), gold.split()) for gold in golds)
        for part in ("", "HasAns_" if question.answerable else "NoAns_"):
            sums = totals.setdefault(part, [0.0, 0.0, 0.0])
            sums[:] = sums[0] + exact, sums[1] + overlap, sums[2] + 1
    return {
        f"{part}{name}": 100.0 * total / count
        for part, (exact, overlap, count) in totals.items()
        for name, total in (("exact", exact), ("f1", overlap))
    }


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the published predictions are not there: {DATA}")
@pytest.mark.parametrize(
    ("data", "version", "predictions", "expected"),
    [
        ("squad11_dev", "1.1", "squad11_dev_predictions_bert", {"exact": 86.20624408703878, "f1": 92.19557978351129}),
        (
            "squad11_dev",
            "1.1",
            "squad11_dev_predictions_logistic",
            {"exact": 40.14191106906339, "f1": 50.98153647324482},
        ),
        (
            "squad20_dev",
            "2.0",
            "squad20_dev_predictions_bert",
            {
                "exact": 78.74168280973637,
                "f1": 81.77528052374727,
                "HasAns_exact": 74.10593792172739,
                "HasAns_f1": 80.18183293833516,
                "NoAns_exact": 83.36417157275021,
                "NoAns_f1": 83.36417157275021,
            },
        ),
    ],
    ids=["1.1-bert", "1.1-logistic", "2.0-bert"],
)
def test_the_official_digits(data: str, version: str, predictions: str, expected: dict[str, float]) -> None:
    texts = json.loads((DATA / "oracle" / f"{predictions}.json").read_text())
    report = official(load(DATA / "open" / data / "squad.json").questions, texts, version)
    assert {name: report[name] for name in expected} == expected


class TestConfidence:
    STATED = (0.9, 0.8, 0.8, 0.3)
    RIGHT = (1, 1, 0, 0)

    def test_auroc_by_counting_pairs(self) -> None:
        assert auroc([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
        assert auroc([], [0.5]) is None
        generator = np.random.default_rng(1)
        a, b = generator.integers(0, 9, 50) / 9, generator.integers(0, 7, 30) / 9
        pairs = [(x > y) + 0.5 * (x == y) for x in a for y in b]
        assert auroc(a, b) == pytest.approx(sum(pairs) / len(pairs))

    def test_auroc_error_by_delongs_components(self) -> None:
        a, b = [0.9, 0.5, 0.4], [0.5, 0.1]
        of_a = [1.0, 0.75, 0.5]  # the share of negatives each positive beats
        of_b = [1.5 / 3, 3 / 3]  # and the other way round
        assert auroc_error(a, b) == pytest.approx(math.sqrt(np.var(of_a, ddof=1) / 3 + np.var(of_b, ddof=1) / 2))
        assert auroc_error([0.9], [0.1, 0.2]) is None

    def test_risk_coverage_moves_ties_together(self) -> None:
        curve = risk_coverage(self.STATED, self.RIGHT)
        assert curve == [
            (1 / 4, 0.0, 0.9),
            (3 / 4, pytest.approx(1 / 3), 0.8),
            (1.0, 1 / 2, 0.3),
        ]
        assert aurc(self.STATED, self.RIGHT) == pytest.approx(1 / 4 * 0 + 2 / 4 * (1 / 3) + 1 / 4 * (1 / 2))
        assert aurc([0.9, 0.1], [0, 1]) == 1 / 2 * 1 + 1 / 2 * (1 / 2)
        assert risk_coverage([], []) == []
        assert aurc([], []) is None

    def test_coverage_at_precision(self) -> None:
        assert coverage_at_precision(self.STATED, self.RIGHT, 0.9) == 1 / 4
        assert coverage_at_precision(self.STATED, self.RIGHT, 0.5) == 1
        assert coverage_at_precision([0.9, 0.1], [0, 1], 0.8) == 0
        assert coverage_at_precision([0.5] * 5, [1, 1, 1, 1, 0], 0.8) == 1
        assert coverage_at_precision([], [], 0.8) is None

    def test_brier_and_skill(self) -> None:
        score = (0.1**2 + 0.2**2 + 0.8**2 + 0.3**2) / 4
        assert brier(self.STATED, self.RIGHT) == pytest.approx(score)
        assert brier_skill(self.STATED, self.RIGHT) == pytest.approx(1 - score / (0.5 * 0.5))
        assert brier_skill([0.5], [1]) is None
        assert brier([], []) is None
        assert brier_skill([], []) is None

    def test_ece_in_two_bins(self) -> None:
        # Bins of equal mass: (0.3, 0.8) and (0.8, 0.9); the two at 0.8 share one right answer.
        expected = 2 / 4 * abs(0.5 / 2 - 1.1 / 2) + 2 / 4 * abs(1.5 / 2 - 1.7 / 2)
        assert ece(self.STATED, self.RIGHT, bins=2) == pytest.approx(expected)
        assert ece((0.8, 0.3, 0.8, 0.9), (1, 0, 0, 1), bins=2) == pytest.approx(expected)  # ties in another order
        assert ece([0.7] * 10, [1] * 7 + [0] * 3) == pytest.approx(0)
        assert ece([], []) is None

    def test_ece_by_chance(self) -> None:
        assert ece_by_chance([0.3]) == pytest.approx(0.3 * 0.7 + 0.7 * 0.3)
        # Two in one bin: none, one or both are right, 1.1 in the mean.
        expected = (0.7 * 0.2 * 1.1 + (0.3 * 0.2 + 0.7 * 0.8) * 0.1 + 0.3 * 0.8 * 0.9) / 2
        assert ece_by_chance([0.8, 0.3], bins=1) == pytest.approx(expected)
        assert ece_by_chance([0, 1, 1]) == 0
        assert ece_by_chance([]) is None

    def test_ece_by_chance_is_what_true_confidences_show(self) -> None:
        generator = np.random.default_rng(7)
        stated = generator.random(190)
        drawn = [ece(stated, (generator.random(190) < stated).astype(float)) for _ in range(400)]
        assert ece_by_chance(stated.tolist()) == pytest.approx(np.mean(np.array(drawn, float)), abs=0.003)


class TestSamples:
    def test_mean_and_standard_error(self) -> None:
        assert mean([1, 0, 1, 1]) == 0.75
        assert standard_error([1, 0, 1, 1]) == pytest.approx(math.sqrt(0.75 / 3) / 2)
        assert standard_error([1]) is None

    def test_percentile_interpolates(self) -> None:
        assert percentile([4, 1, 3, 2], 50) == 2.5
        assert percentile([1, 2, 3, 4, 5], 95) == pytest.approx(4.8)
        assert percentile([], 50) is None

    def test_paired_bootstrap(self) -> None:
        generator = np.random.default_rng(5)
        theirs = generator.random(400)
        ours = theirs + generator.normal(0.1, 0.2, 400)
        difference, lower, upper = paired_bootstrap(ours, theirs)
        width = 1.96 * float(np.std(ours - theirs, ddof=1)) / 20
        assert difference == pytest.approx(float(np.mean(ours - theirs)))
        assert lower == pytest.approx(difference - width, abs=0.002)
        assert upper == pytest.approx(difference + width, abs=0.002)
        assert (difference, lower, upper) == paired_bootstrap(ours, theirs)
        assert paired_bootstrap([1, 1], [1, 1]) == (0, 0, 0)

    def test_paired_bootstrap_of_questions_that_one_side_has_no_value_for(self) -> None:
        # Drawn are the first twice (1 - 1), both (0.5 - 1), or the second twice: there theirs has no mean.
        assert paired_bootstrap([1, 0], [1, np.nan]) == (-0.5, -0.5, 0)
        with pytest.raises(ValueError, match="on both sides"):
            paired_bootstrap([1, 0], [np.nan, np.nan])

    @pytest.mark.parametrize(("ours", "theirs"), [([1.0], [1.0, 2.0]), ([], [])])
    def test_paired_bootstrap_wants_pairs(self, ours: list[float], theirs: list[float]) -> None:
        with pytest.raises(ValueError, match="same questions"):
            paired_bootstrap(ours, theirs)

    def test_bootstrap_error_of_a_mean_is_its_standard_error(self) -> None:
        values = np.random.default_rng(2).random(300)
        found = bootstrap_error(lambda a, _: float(a.mean()), values, values, resamples=500)
        assert found == pytest.approx(standard_error(values), rel=0.1)
        assert bootstrap_error(lambda a, _: float(a.mean()), [1], [1]) is None
        assert bootstrap_error(lambda _a, _b: None, values, values) is None
