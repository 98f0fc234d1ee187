"""A question set's own faults, found before anything is asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from eval.check import check_set
from eval.questions import Question, QuestionSet
from index.passage import Document, Passage

TEXT = "The bridge is of iron. It opened in 1890. Subscribe to our paper now."
MASKED = ((TEXT.index("Subscribe"), len(TEXT)),)
CUT = TEXT.index("opened") + 3
GOOD = Question("q1", "What is the crossing made of?", ("iron",), ("a.txt",), line=1)


class Shelf:
    """One document in one passage; its second sentence is cut through a word."""

    def __init__(self) -> None:
        self._document = Document("a.txt", TEXT, masked=MASKED)
        self.passages = [Passage(0, "a.txt", 0, len(TEXT), TEXT, ((0, 22), (23, CUT), (CUT, 41)), MASKED)]
        self.doc_ids = ["a.txt"]

    def document(self, doc_id: str) -> Document:
        assert doc_id == "a.txt"
        return self._document

    def passage(self, row: int) -> Passage:
        return self.passages[row]


def findings(
    *questions: Question, library: Shelf | None = None, corpus: tuple[Document, ...] | None = None
) -> list[str]:
    made = QuestionSet("made", Path("made.jsonl"), questions, corpus, "0" * 64)
    return list(map(str, check_set(made, library or Shelf())))


def test_a_good_set() -> None:
    assert findings(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answers": ("steel", "iron")}, "line 2, field 'answers[0]': 'steel' stands in none of its documents"),
        ({"answers": ("iro",)}, "'iro' stands in none of its documents"),
        ({"answers": ("our paper",)}, "'our paper' stands only in masked text"),
        ({"answers": ("It opened",)}, "'It opened' stands in no sentence whole"),
        ({"documents": ("a.txt", "b.txt")}, "field 'documents': the index holds no document 'b.txt'"),
        ({"answers": ("steel",)}, "field 'documents[0]': 'a.txt' holds none of the answers"),
        ({"answers": ("iron",), "places": (("a.txt", 3),)}, "' bri' stands at 3 of 'a.txt', not 'iron'"),
        ({"answers": ("steel", "iron"), "places": (("a.txt", -1), ("a.txt", 17))}, "'steel' stands in none of its"),
        ({"question": "???"}, "field 'question': cannot be asked: the question '???' has no words"),
        ({"answers": ("iron", "The iron"), "multi": True}, "field 'answers': name an item twice"),
        ({"question": "What is THE crossing made of"}, "field 'question': is asked twice, first on line 1"),
    ],
)
def test_one_fault(changes: dict[str, object], says: str) -> None:
    other = replace(GOOD, id="q2", question="Which metal?", line=2)
    found = findings(GOOD, replace(other, **changes))  # type: ignore[arg-type]
    assert any(says in finding for finding in found), found


def test_questions_that_differ_in_a_sign_are_two() -> None:
    assert findings(GOOD, *(replace(GOOD, id=sign, question=f"What is C{sign} for?") for sign in ("++", "#"))) == []


def test_copied_wording() -> None:
    copied = replace(GOOD, question="Is the bridge iron?")
    (found,) = findings(copied)
    assert "1.00 of the content words stand in a gold sentence" in found
    assert findings(copied, corpus=()) == []  # of other people's sets the wording is not ours to judge


def test_squad_asks_the_same_words_of_several_paragraphs() -> None:
    first = replace(GOOD, places=(("a.txt", 17),), gold={"a.txt": 1})
    assert findings(first, replace(first, id="q2", gold={"b.txt": 1})) == []
