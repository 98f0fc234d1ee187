"""Deliberate faults, each put into a real pipeline over a small real index: a gate fails, and blame names the stage.

The corpus is made here: stores whose codes only words tell apart, and scenes that a question describes in other words.
The reader is a rule, so that nothing hangs on weights: of the sentence that shares most words with the question it
takes the amount.
"""

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.compare import compare
from eval.gates import check, check_losses
from eval.harness import Result, evaluate
from eval.questions import Question, QuestionSet
from eval.run import as_run
from index import store
from index.build import build_documents
from index.embed import Encoder, load_encoder
from index.passage import Document, Hit, Passage
from index.search import Index
from index.tokens import tokenize
from rag.calibrate import Calibration
from rag.pipeline import Pipeline
from rag.reader import Reader, ScoredSpan

LETTERS = ["qzxvkj", "qzxvjk", "qzxkvj", "qzxkjv", "qzxjvk", "qzxjkv", "qzvxkj", "qzvxjk", "qzvkxj", "qzvkjx"]
CODES = [code[turn:] + code[:turn] for code in LETTERS for turn in range(6)]
"""One another's permutations: a word of its own each, and next to nothing in meaning between them."""
SCENES = {
    "The physician cured 412 ill toddlers in May.": ("How many sick toddlers did the doctor treat?", "412"),
    "Cats devoured 730 mice at the granary.": ("How many rodents were eaten at the granary?", "730"),
    "A blaze razed 95 timber cottages.": ("How many timber houses burned down in the fire?", "95"),
    "The airline bought 61 new jets.": ("How many new aeroplanes did the carrier purchase?", "61"),
    "Thieves stole 18 oil paintings from the gallery.": ("How many gallery artworks did burglars take?", "18"),
    "The band sang 27 tunes on stage.": ("How many songs did the band perform?", "27"),
    "Snowfall shut 140 alpine roads.": ("How many alpine streets were closed by winter weather?", "140"),
    "The tailor sewed 350 garments for soldiers.": ("How many uniforms were made for soldiers?", "350"),
}
ABOUT = (
    "The northern field lies under clay and sand; pipes lead from it to the harbour, and the company that runs it "
    "reports to the ministry every spring about pressure, repairs and the people who work there."
)
"""What all stores say, so that the vectors of their passages are much the same."""
ABSENT = (
    "How tall is the lighthouse?",
    "Who won the chess final?",
    "When does the opera season begin?",
    "What is the recipe for rye bread?",
)
FLOORS = {"R@5": 0.95, "F1_forced": 0.9, "answered": 0.8, "refused": 0.9, "sound": 0.95}


def amount(number: int) -> str:
    """Ten digits, so that no two share a word and every cut goes through one."""
    return str(1_000_000_007 + 91_000_037 * number)


def corpus() -> list[Document]:
    stores = [
        Document(f"store-{code}", f"{ABOUT} Here store {code} holds {amount(n)} litres. {ABOUT}")
        for n, code in enumerate(CODES)
    ]
    return stores + [Document(f"scene-{n:02}", text) for n, text in enumerate(SCENES)]


def questions() -> tuple[Question, ...]:
    """With the place of each answer, as SQuAD has them."""
    texts = {document.doc_id: document.text for document in corpus()}
    wanted = [(f"store-{code}", f"How much gas does store {code} hold?", amount(n)) for n, code in enumerate(CODES)]
    wanted += [(f"scene-{n:02}", question, answer) for n, (question, answer) in enumerate(SCENES.values())]
    asked = [
        Question(doc_id, text, (answer,), (doc_id,), gold={doc_id: 1}, places=((doc_id, texts[doc_id].index(answer)),))
        for doc_id, text, answer in wanted
    ]
    return (*asked, *(Question(f"none-{n}", text, answerable=False) for n, text in enumerate(ABSENT)))


class AmountReader:
    """The first number of each sentence that has one; the more of the question's words stand there, the better."""

    name = "amounts"
    identity = "amounts@1"

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        asked = set(tokenize(question))
        found = []
        for hit in hits:
            passage = hit.passage
            for start, end in passage.sentences:
                sentence = passage.text[start - passage.start : end - passage.start]
                amounts = re.search(r"\b\d+\b", sentence)
                if amounts:
                    share = len(asked & set(tokenize(sentence))) / len(asked)
                    first, last = amounts.span()
                    found.append(ScoredSpan(hit, start + first, start + last, (start, end), share, {"near": share}))
        return sorted(found, key=lambda span: (-span.score, span.hit.passage.passage_id, span.start))


class Reversed:
    """Takes what the reader thinks worst."""

    name = "reversed"
    identity = "reversed@1"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        return [replace(span, score=-span.score) for span in reversed(self._reader.read(question, hits))]


class NoWords:
    """BM25 switched off: no passage holds any token."""

    def search(self, tokens: Sequence[str], depth: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(0, np.int64), np.zeros(0)

    def scores_at(self, tokens: Sequence[str], rows: np.ndarray) -> np.ndarray:
        return np.zeros(len(rows))

    def mean_idf(self, tokens: Sequence[str]) -> float:
        return 0.0

    def signals(self, tokens: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"bm25_share": np.zeros(len(rows)), "idf_matched": np.zeros(len(rows))}


class Shuffled:
    """Dense search over vectors that belong to other passages."""

    def __init__(self, dense: Any, count: int) -> None:
        self._dense = dense
        self._order = np.random.default_rng(1).permutation(count)
        self._back = np.argsort(self._order)

    def search(self, query: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        rows, cosines = self._dense.search(query, depth)
        return self._order[rows], cosines

    def cosines(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self._dense.cosines(query, self._back[rows]))

    def spread(self, query: np.ndarray) -> float:
        return float(self._dense.spread(query))


class MidSentence(Index):
    """As if the splitter had cut every eight characters."""

    def passage(self, row: int) -> Passage:
        whole = super().passage(row)
        cuts = [(at, min(at + 8, end)) for start, end in whole.sentences for at in range(start, end, 8)]
        return replace(whole, sentences=tuple(cuts))


class NoOp(Index):
    """Ranks nothing: the first passages of the index, whatever is asked."""

    def search(self, query: str, k: int = 10, exclude: frozenset[int] = frozenset()) -> list[Hit]:
        parts = {"cosine": 0.5, "bm25": 0.0, "bm25_share": 0.0, "idf_matched": 0.5}
        rows = [row for row in range(len(self)) if row not in exclude][:k]
        return [Hit(self.passage(row), 1.0 - rank / 1000, parts) for rank, row in enumerate(rows)]


class Remembers:
    """The embedded encoder; the same questions are asked of every fault, and encoded once."""

    def __init__(self) -> None:
        encoder = load_encoder(None, query_only=True)
        self.name, self.identity, self.dim = encoder.name, encoder.identity, encoder.dim
        self.encode_passages = encoder.encode_passages
        self.encode_query = cache(encoder.encode_query)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Remembers()


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> store.Generation:
    return build_documents(corpus(), tmp_path_factory.mktemp("faults"))


@pytest.fixture
def index(generation: store.Generation, encoder: Encoder) -> Index:
    return Index(generation, encoder)


def run(index: Index, reader: Reader | None = None, threshold: float = 0.5, asked: Any = None) -> Result:
    calibration = Calibration({"near": 40.0}, -4.0, threshold)
    question_set = QuestionSet("made", Path("made.jsonl"), tuple(asked or questions()), None, "0" * 64)
    return evaluate(question_set, Pipeline(index, reader or AmountReader(), calibration))


def unmet(result: Result) -> set[str]:
    return {verdict.figure for verdict in check("made", result.figures, {"made": FLOORS}) if not verdict.passed}


def blamed(result: Result) -> Counter[str]:
    return Counter(row.blame.stage for row in result.rows if row.blame)


def test_the_healthy_pipeline_passes(index: Index) -> None:
    result = run(index)
    assert unmet(result) == set(), (result.figures, blamed(result))
    assert blamed(result) == {}


def worst(result: Result) -> str:
    """The stage that is blamed most."""
    return blamed(result).most_common(1)[0][0]


def test_bm25_off(index: Index) -> None:
    index.sparse = NoWords()  # type: ignore[assignment]
    result = run(index)
    assert {"R@5", "F1_forced"} <= unmet(result)
    assert set(blamed(result)) == {"sparse"}
    # Only search is at fault: handed the passage, the reader finds every answer.
    assert all(row.blame.isolated for row in result.rows if row.blame)


def test_dense_shuffled(index: Index) -> None:
    index.dense = Shuffled(index.dense, len(index))  # type: ignore[assignment]
    result = run(index)
    assert {"R@5", "F1_forced"} <= unmet(result)
    assert worst(result) == "dense"


def test_a_splitter_that_cuts_sentences(generation: store.Generation, encoder: Encoder) -> None:
    result = run(MidSentence(generation, encoder))
    assert "F1_forced" in unmet(result)
    assert worst(result) == "split"


def test_everything_masked(tmp_path: Path, encoder: Encoder) -> None:
    masked = [replace(document, masked=((0, len(document.text)),)) for document in corpus()]
    result = run(Index(build_documents(masked, tmp_path), encoder))
    assert {"R@5", "F1_forced", "answered"} <= unmet(result)
    assert set(blamed(result)) == {"masked"}
    assert result.figures["sound"] == 1


def test_reader_reversed(index: Index) -> None:
    result = run(index, Reversed(AmountReader()))
    assert "F1_forced" in unmet(result)
    assert worst(result) == "reader"


def test_a_fault_too_small_for_the_floors_is_a_loss_against_a_baseline(index: Index) -> None:
    class Sometimes(Reversed):
        def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
            hurt = any(code in question for code in CODES[:5])
            return super().read(question, hits) if hurt else self._reader.read(question, hits)

    healthy, hurt = run(index), run(index, Sometimes(AmountReader()))
    assert unmet(hurt) == set()
    assert blamed(hurt) == {"reader": 5}
    allowed = {"made.loss": {"F1_forced": 0.05, "R@5": 0.0}}
    for made, held in ((healthy, True), (hurt, False)):
        differences = compare(as_run(made), as_run(healthy)).differences
        losses = check_losses("made", differences, allowed)
        assert [(loss.figure, loss.passed) for loss in losses] == [("F1_forced", held), ("R@5", True)]


@pytest.mark.parametrize(("threshold", "gate"), [(0.0, "refused"), (1.01, "answered")])
def test_threshold(index: Index, threshold: float, gate: str) -> None:
    result = run(index, threshold=threshold)
    assert gate in unmet(result)
    assert set(blamed(result)) == {"calibration"}


def test_documents_missing(generation: store.Generation, encoder: Encoder, tmp_path: Path) -> None:
    shutil.copytree(generation.folder.parent, tmp_path / "less")
    less = Index(build_documents(corpus()[10:], tmp_path / "less"), encoder)
    result = run(less)
    assert {"R@5", "F1_forced"} <= unmet(result)
    assert blamed(result) == {"not ingested": 10}


def test_gold_offsets_shifted(index: Index) -> None:
    moved = [
        replace(question, places=tuple((doc_id, start + 3) for doc_id, start in question.places))
        for question in questions()
    ]
    result = run(index, asked=moved)
    assert unmet(result) == {"sound"}
    # The answers as a tool would cut them by such offsets: wrong, and it is the set that is blamed.
    texts = {document.doc_id: document.text for document in corpus()}
    cut = [
        replace(q, answers=tuple(texts[d][s - 3 : s + 4] for d, s in q.places), places=()) if q.answerable else q
        for q in questions()
    ]
    result = run(index, asked=cut)
    assert {"sound", "F1_forced"} <= unmet(result)
    assert worst(result) == "gold"


def test_a_ranker_that_ranks_nothing(generation: store.Generation, encoder: Encoder) -> None:
    result = run(NoOp(generation, encoder))
    assert {"R@5", "F1_forced"} <= unmet(result)
    assert worst(result) == "fusion"


def test_a_question_that_cannot_be_asked(index: Index) -> None:
    unusable = replace(questions()[0], question="?!")
    result = run(index, asked=[unusable, *questions()[-3:]])
    assert blamed(result) == {"not asked": 1}


def test_the_other_modes_blame_as_well(index: Index) -> None:
    pipeline = Pipeline(index, Reversed(AmountReader()), Calibration({"near": 40.0}, -4.0, 0.0))
    made = QuestionSet("made", Path("made.jsonl"), questions()[-12:], None, "0" * 64)
    given = evaluate(made, pipeline, given_paragraph=True)
    assert all(row.right for row in given.rows)  # one passage: the worst span is the best
    assert blamed(evaluate(made, pipeline, without_gold=True)) == {"calibration": 8}


def test_documents_alone_are_judged_by_what_would_be_read(generation: store.Generation, encoder: Encoder) -> None:
    asked = [replace(question, answers=(), places=()) for question in questions() if question.answerable]
    assert blamed(run(Index(generation, encoder), asked=asked)) == {}
    result = run(NoOp(generation, encoder), asked=asked)
    assert worst(result) == "fusion"
    assert all(row.blame.isolated is None for row in result.rows if row.blame)
