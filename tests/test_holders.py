"""Which passages hold an answer, and how much of a question its gold sentences copy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eval.blame import Blamer
from eval.check import check_set
from eval.holders import Holders, Sentences
from eval.paragraphs import whole
from eval.questions import Question, QuestionSet
from index.build import build
from index.passage import Document, Passage
from index.search import Index
from index.split import search_text
from rag.pipeline import Pipeline
from rag.readers import load_reader
from tests.word_pipeline import Shelf


class Library:
    """Documents, each in one passage."""

    def __init__(self, *documents: Document) -> None:
        self._documents = {document.doc_id: document for document in documents}
        self.passages = [whole(document, row) for row, document in enumerate(documents)]
        self.doc_ids = list(self._documents)

    def __len__(self) -> int:
        return len(self.passages)

    def passage(self, row: int) -> Passage:
        return self.passages[row]

    def document(self, doc_id: str) -> Document:
        return self._documents[doc_id]


def library(*texts: str) -> Library:
    return Library(*(Document(f"d{row}", text) for row, text in enumerate(texts)))


def test_whole_runs_of_words_under_either_normalisation() -> None:
    texts = [
        "It cost US$38 billion.",
        "It cost $138 billion.",
        "38 a billion",
        "from 38 – 40",
        "The 38-billion deal",
    ]
    holders = Holders(library(*texts))
    assert holders.holding(Question("q", "?", ("$38 billion",))) == {0, 2}  # articles do not count
    assert holders.holding(Question("q", "?", ("38",))) == {0, 2, 3}
    assert holders.holding(Question("q", "?", ("the", "absent"))) == frozenset()


def test_masked_text_holds_nothing() -> None:
    masked = Document("d0", "Read more: iron. Of **wood**.", masked=((0, 17), (20, 22), (26, 28)))
    holders = Holders(Library(masked))
    assert holders.holding(Question("q", "?", ("iron",))) == frozenset()
    assert holders.holding(Question("q", "?", ("of wood",))) == {0}


def test_the_place_that_the_set_gives() -> None:
    holders = Holders(library("the 21st century", "the 21st century"))
    question = Question("q", "?", ("21",), places=(("d1", 4),))
    assert holders.holding(question) == {1}
    assert holders.holding(Question("q", "?", ("21",), places=(("d1", -1),))) == frozenset()


def test_overlap_is_that_of_the_closest_gold_sentence() -> None:
    shelf = Shelf(
        {"a": "Amazon's shares rose 5 percent. Of iron. Amazon rose.", "b": "Amazon's shares climb far by 5 percent."}
    )
    question = Question("q", "How far did Amazon’s shares climb?", ("5 percent",), ("a",))
    # far, amazon, shares, climb: two of them stand in the gold sentence.
    assert Sentences(shelf, ["a"]).overlap(question) == 1 / 2
    assert Sentences(shelf, ["a"]).overlap(Question("q", "Amazon?", ("tin",), ("a",))) is None


PACT = Question(
    "q",
    "What was set up at the capital?",
    ("the international alliance NATO",),
    ("pacts.md",),
    gold={"pacts.md": 1},
)


@pytest.fixture(scope="module")
def pipeline(write: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A soft hyphen and half a word's emphasis: a mask there parts nothing, neither for the searches nor here."""
    texts = {
        "pacts.md": (
            "# Pacts\n\nThe inter\u00adnational alliance **N**ATO was founded in Washington.\n\n"
            "A **N**ATO-led force is on guard.\n"
        ),
        "tea.txt": "Tea is drunk in Ceylon.\n",
    }
    articles = write(tmp_path_factory.mktemp("pacts"), texts)
    root = tmp_path_factory.mktemp("index")
    build([articles], root)
    return Pipeline(Index.open(root), load_reader("none"))


def test_words_with_masks_inside_are_in_one_piece(pipeline: Pipeline) -> None:
    (passage,) = (each for each in pipeline.index.passages if each.doc_id == "pacts.md")
    assert "international alliance NATO" in search_text(pipeline.index.document("pacts.md"), passage)
    holders = Holders(pipeline.index)
    for answer in (*PACT.answers, "NATOled"):  # the other is a word under SQuAD's normalisation alone
        assert holders.holding(replace(PACT, answers=(answer,))) == {passage.passage_id}


def test_the_sentence_of_words_with_masks_inside_holds_them(pipeline: Pipeline) -> None:
    (tea,) = (each for each in pipeline.search("Where is tea drunk?") if each.passage.doc_id == "tea.txt")
    assert Blamer(pipeline, [PACT]).blame(PACT, [tea]).stage != "split"
    made = QuestionSet("made", Path("made.jsonl"), (PACT,), None, "0" * 64)
    assert check_set(made, pipeline.index) == []


def test_words_with_masks_inside_are_copied_wording(pipeline: Pipeline) -> None:
    copied = Question("q", "Is NATO international?", ("Washington",), ("pacts.md",))
    assert Sentences(pipeline.index, ["pacts.md"]).overlap(copied) == 1
