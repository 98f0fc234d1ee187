"""Which passages hold an answer, and how much of a question its gold sentences copy."""

from eval.holders import Holders, Sentences
from eval.questions import Question
from index.passage import Passage
from rag.quotable import visible


def passage(row: int, text: str, masked: tuple[tuple[int, int], ...] = ()) -> Passage:
    return Passage(row, f"d{row}", 100, 100 + len(text), text, (), masked)


def test_whole_runs_of_words_under_either_normalisation() -> None:
    texts = [
        "It cost US$38 billion.",
        "It cost $138 billion.",
        "38 a billion",
        "from 38 – 40",
        "The 38-billion deal",
    ]
    holders = Holders(passage(row, text) for row, text in enumerate(texts))
    assert holders.holding(Question("q", "?", ("$38 billion",))) == {0, 2}  # articles do not count
    assert holders.holding(Question("q", "?", ("38",))) == {0, 2, 3}
    assert holders.holding(Question("q", "?", ("the", "absent"))) == frozenset()


def test_masked_text_holds_nothing() -> None:
    masked = passage(0, "Read more: iron. Of **wood**.", masked=((90, 117), (120, 122), (126, 128)))
    assert visible(masked) == " " * 17 + "Of   wood  ."
    holders = Holders([masked])
    assert holders.holding(Question("q", "?", ("iron",))) == frozenset()
    assert holders.holding(Question("q", "?", ("of wood",))) == {0}


def test_the_place_that_the_set_gives() -> None:
    holders = Holders([passage(0, "the 21st century"), passage(1, "the 21st century")])
    question = Question("q", "?", ("21",), places=(("d1", 104),))
    assert holders.holding(question) == {1}
    assert holders.holding(Question("q", "?", ("21",), places=(("d1", -1),))) == frozenset()


def test_overlap_is_that_of_the_closest_gold_sentence() -> None:
    texts = ("Amazon's shares rose 5 percent.", "Of iron.", "Amazon rose.", "Amazon's shares climb far.")
    spans = [(0, len(text)) for text in texts]
    passages = [
        Passage(row, "b" if row == 3 else "a", *span, text, (span,))
        for row, (text, span) in enumerate(zip(texts, spans, strict=True))
    ]
    question = Question("q", "How far did Amazon’s shares climb?", ("5 percent",), ("a",))
    # far, amazon, shares, climb: two of them stand in the gold sentence.
    assert Sentences(passages, ["a"]).overlap(question) == 1 / 2
    assert Sentences(passages, ["a"]).overlap(Question("q", "Amazon?", ("tin",), ("a",))) is None
