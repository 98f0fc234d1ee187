"""Citation, Candidate and Answer promise that every shown word stands in a document."""

import dataclasses
import math

import pytest

from index.passage import Document
from rag.answer import Answer, Candidate, Citation, Part, Support, cite, line_of, refusal

TEXT = "Heading\r\nThe mill cost $3 million. It opened.\rMore é.\n\nLast"
DOCUMENT = Document("mill.txt", TEXT, "Mill", "Gazette", "2020-01-01")
SENTENCE = (9, 34)


def quoted() -> Citation:
    start = TEXT.index("$3 million")
    return cite(DOCUMENT, (start, start + 10), SENTENCE)


def test_cite() -> None:
    citation = quoted()
    assert citation.quote == TEXT[citation.start : citation.end] == "$3 million"
    assert citation.sentence == TEXT[slice(*SENTENCE)] == "The mill cost $3 million."
    assert (citation.document, citation.title, citation.source, citation.date) == (
        *("mill.txt", "Mill", "Gazette", "2020-01-01"),
    )
    assert citation.line == 2
    assert citation.sha256 == DOCUMENT.sha256


@pytest.mark.parametrize(("words", "line"), [("Heading", 1), ("The", 2), ("It", 2), ("More", 3), ("Last", 5)])
def test_lines_end_in_three_ways(words: str, line: int) -> None:
    assert line_of(DOCUMENT, TEXT.index(words)) == line


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        ((0, 4), SENTENCE),  # before its sentence
        ((20, 36), SENTENCE),  # beyond it
        ((12, 12), SENTENCE),  # empty
        ((20, 12), SENTENCE),
        ((12, 20), (20, 12)),
        ((50, 70), (50, 70)),  # beyond the text
        ((-5, -2), (-5, -2)),  # what Python's slices would count from the end
    ],
)
def test_what_cannot_be_cited(span: tuple[int, int], sentence: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"mill\.txt"):
        cite(DOCUMENT, span, sentence)


@pytest.mark.parametrize(
    "change",
    [
        {"quote": "$4 million"},
        {"quote": "$3 millio"},
        {"quote": ""},
        {"start": 0},
        {"end": 34},
        {"sentence": "The mill cost $3 million"},
        {"sentence": "the mill lost $3 million."[:24]},
        {"sentence_start": 8},
        {"sentence_end": 35},
    ],
)
def test_a_citation_that_does_not_hold(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"mill\.txt"):
        dataclasses.replace(quoted(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("confidence", [-0.01, 1.01, math.nan, math.inf])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match="no probability"):
        Candidate("$3 million", confidence, (quoted(),), Support(1, 1))
    with pytest.raises(ValueError, match="no probability"):
        Answer("q", True, "$3 million", confidence, None, (quoted(),), support=Support(1, 1))


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_certainty_is_a_probability_too(confidence: float) -> None:
    assert Candidate("$3 million", confidence, (quoted(),), Support(1, 1)).confidence == confidence


def test_a_list_begins_with_the_answer() -> None:
    answer = Answer("q", True, "$3 million", 1.0, None, (quoted(),), (Part("$3 million", (quoted(),)),))
    with pytest.raises(ValueError, match="first of its parts"):
        dataclasses.replace(answer, parts=(Part("3 million", (quoted(),)), *answer.parts))


def test_an_answer_is_its_first_quote() -> None:
    answer = Answer("q", True, "$3 million", 1.0, None, (quoted(),), support=Support(1, 1))
    assert answer.answer == answer.citations[0].quote
    for change in (
        {"answer": "3 million"},
        {"answer": None},
        {"citations": ()},
        {"reason": "weak"},
        {"answered": False},
        {"answered": False, "answer": None, "reason": "weak"},
        {"answered": False, "citations": (), "reason": "weak"},
    ):
        with pytest.raises(ValueError, match=r"answer is|refusal has"):
            dataclasses.replace(answer, **change)
    with pytest.raises(ValueError, match="first citation"):
        Candidate("3 million", 0.5, (quoted(),), Support(1, 1))
    with pytest.raises(ValueError, match="first citation"):
        Candidate("3 million", 0.5, (), Support(0, 0))


def test_a_refusal_has_a_reason() -> None:
    refused = refusal("q", "empty_index")
    assert (refused.answered, refused.answer, refused.confidence, refused.citations) == (False, None, 0.0, ())
    assert (refused.support, refused.parts, refused.alternatives) == (Support(0, 0), (), ())
    for reason in ("unknown", ""):
        with pytest.raises(ValueError, match="a refusal has a reason"):
            refusal("q", reason)
