"""Grouping spans of one wording: what adds up, what counts once, what is cited."""

import re
from pathlib import Path

import numpy as np
import pytest

from index.build import build_documents
from index.passage import Document, Hit
from index.search import Index
from rag.evidence import FLOOR, candidate, grouped, part
from rag.normal import wording
from rag.reader import ScoredSpan

LONG = " Then follow words that are the same in both copies of this one article, as an agency sent it out."
TEXTS = {
    "a": "It cost $3 million." + LONG,
    "b": "It cost $3 million!" + LONG,  # a near-copy of a
    "c": "The $3 Million was paid, and $3 million is much.",
    "d": "Others say $4 million.",
    "e": "It was $4 million, not $3 million, that they paid. The bank said nothing. The rival has $3 million.",
    "f": "A digest. It cost $3 million." + LONG,
    "g": "They lie who say: It cost $3 million. Nobody knows.",
    "h": "Another paper, whose words are its own. It cost $3 million. The council had hoped for less, it said.",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    place = tmp_path_factory.mktemp("evidence")
    build_documents([Document(name, text) for name, text in TEXTS.items()], place)
    return Index.open(place)


def span(
    index: Index, doc_id: str, words: str, score: float, *, last: bool = False, margin: float | None = None
) -> ScoredSpan:
    passage = next(p for p in index.passages if p.doc_id == doc_id and words in p.text)
    at = passage.start + (passage.text.rindex(words) if last else passage.text.index(words))
    sentence = next(s for s in passage.sentences if s[0] <= at < s[1])
    signals = {} if margin is None else {"margin": margin}
    return ScoredSpan(Hit(passage, 1.0), at, at + len(words), sentence, score, signals)


def test_wordings_are_the_same_under_squads_normalisation(index: Index) -> None:
    spans = [
        span(index, "c", "The $3 Million", 2.0),
        span(index, "a", "$3 million", 1.0),
        span(index, "d", "$4 million", 0.5),
    ]
    groups = grouped(spans, index)
    assert [group.spans for group in groups] == [tuple(spans[:2]), (spans[2],)]
    assert groups[0].documents == ("c", "a")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("US$38 billion", "$38 billion", True),
        ("5%", "5 percent", True),
        ("$5\\%$", "5 per cent", True),
        ("1,200", "1200", True),
        ("1990-1991", "1990–1991", True),
        ("the U.S.", "US", True),
        ("$3.8 billion", "$38 billion", False),
        ("7-8", "78", False),
        ("-5", "5", False),
        ("−2.5%", "2.5%", False),
        ("€38 billion", "$38 billion", False),
        ("GPT-4.1", "GPT-41", False),
        # values and names that differ by a sign
        ("38,3 billion", "383 billion", False),
        ("38,3 billion", "38.3 billion", True),
        ("0,8%", "08%", False),
        ("12,34,567", "1234567", True),
        ("3:42", "342", False),
        ("3/4", "34", False),
        ("3/4", "3.4", False),
        ("$300", "300", False),
        ("-$5 million", "$5 million", False),
        ("$38$ billion", "$38 billion", True),
        ("$5–7\\%$", "5 to 7 percent", True),
        ("GB$200$", "GB200", True),
        ("C++", "C#", False),
        ("C++", "C", False),
        ("BB+", "BB", False),
        ("1+2", "12", False),
        # spellings
        ("Moody’s Analytics", "Moody's Analytics", True),
        ("the “Lady Ann”", 'the "Lady Ann"', True),
        ("£850m", "£850 million", True),
        ("£850 M", "£850mn", True),
        ("850 m", "850 million", False),
        ("€1,200m", "€1,200 million", True),
        ("US$7.5 billion", "$7.5bn", True),
        ("$20-billion", "$20 billion", True),
        ("7.5bn people", "7.5 billion people", True),
        ("€ 58 million", "€58 million", True),
        ("₹ 58 million", "₹58 million", True),
        ("5–7%", "5 to 7 percent", True),
        ("5 to 7 percent", "57 percent", False),
        ("Brandt–Weil", "Brandt-Weil", True),
        ("Brandt\u2011Weil", "Brandt-Weil", True),
        ("COVID–19", "COVID-19", True),
        ("har\u00adbour", "harbour", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("10²", "102", False),
    ],
)
def test_amounts_are_the_same_only_where_they_are(one: str, other: str, *, same: bool) -> None:
    assert (wording(one) == wording(other)) is same


def test_mass_adds_up_over_documents_but_copies_count_once(index: Index) -> None:
    spans = [
        span(index, "b", "$3 million", np.log(5)),
        span(index, "a", "$3 million", np.log(4)),
        span(index, "c", "$3 million", np.log(3)),
        span(index, "c", "$3 Million", np.log(2)),
        span(index, "d", "$4 million", np.log(9)),
    ]
    first, second = grouped(spans, index)
    # b is the best of the near-copies a and b; both spans of c count: 5 + 3 + 2 against 9
    assert np.exp(first.mass) == pytest.approx(10)
    assert first.documents == ("b", "a", "c")
    assert first.distinct == 2
    assert np.exp(second.mass) == pytest.approx(9)
    assert second.distinct == 1


def test_the_greater_mass_comes_first_and_ties_keep_the_readers_order(index: Index) -> None:
    alone = span(index, "d", "$4 million", np.log(6))
    many = [span(index, "a", "$3 million", np.log(4)), span(index, "c", "$3 million", np.log(3))]
    assert [group.spans[0] for group in grouped([alone, *many], index)] == [many[0], alone]
    other = span(index, "d", "Others", np.log(6))
    assert [group.spans[0] for group in grouped([other, alone], index)] == [other, alone]
    assert grouped([], index) == []


def test_great_and_small_scores_do_not_overflow(index: Index) -> None:
    for score in (-2000.0, 2000.0):
        (group,) = grouped([span(index, "a", "$3 million", score), span(index, "c", "$3 million", score)], index)
        assert group.mass == pytest.approx(score + np.log(2))
    (group,) = grouped([span(index, "a", "$3 million", 2000.0), span(index, "c", "$3 million", -2000.0)], index)
    assert group.mass == pytest.approx(2000)


def test_wordings_of_punctuation_only_stay_apart(index: Index) -> None:
    spans = [span(index, "a", ".", 1.0), span(index, "b", "!", 1.0)]
    assert len(grouped(spans, index)) == 2


def test_one_citation_a_document_best_first(index: Index) -> None:
    spans = [
        span(index, "c", "$3 million", 3.0),
        span(index, "b", "$3 million", 2.0),
        span(index, "c", "$3 Million", 1.5),
        span(index, "a", "$3 million", 1.0),
    ]
    (group,) = grouped(spans, index)
    found = candidate(group, index, 0.25)
    assert found.answer == "$3 million"
    assert found.confidence == 0.25
    assert [citation.document for citation in found.citations] == ["c", "b", "a"]
    assert found.citations[0].start == TEXTS["c"].index("$3 million")
    assert (found.support.documents, found.support.distinct) == (3, 2)
    for citation in found.citations:
        text = TEXTS[citation.document]
        assert text[citation.start : citation.end] == citation.quote
        assert text[citation.sentence_start : citation.sentence_end] == citation.sentence


def test_words_that_stand_there_by_chance_are_no_support(index: Index) -> None:
    spans = [
        span(index, "a", "$3 million", 3.0, margin=2.0),
        span(index, "c", "$3 million", -1.0, margin=FLOOR),
        span(index, "e", "$3 million", -2.0, last=True, margin=FLOOR - 0.1),
    ]
    (group,) = grouped(spans, index)
    assert (group.documents, group.distinct) == (("a", "c"), 2)
    assert [citation.document for citation in candidate(group, index, 0.5).citations] == ["a", "c"]
    assert candidate(group, index, 0.5).support.documents == 2
    (weak,) = grouped(spans[2:], index)  # the best of its wording stays what it is
    assert weak.documents == ("e",)


def test_who_denies_it_does_not_say_it(index: Index) -> None:
    spans = [span(index, "a", "$3 million", 2.0), span(index, "e", "$3 million", 1.0)]
    (group,) = grouped(spans, index)
    assert group.documents == ("a",)
    elsewhere = span(index, "e", "$3 million", 0.5, last=True)
    (group,) = grouped([*spans, elsewhere], index)
    assert group.documents == ("a", "e")
    assert candidate(group, index, 0.5).citations[1].start == elsewhere.start
    (group,) = grouped([spans[1], span(index, "a", "$3 million", 0.1)], index)  # the best denies it, another says it
    assert group.documents == ("a",)
    (group,) = grouped(spans[1:], index)  # nobody says it
    assert group.documents == ("e",)


def test_only_the_words_before_it_in_its_sentence_deny(tmp_path: Path) -> None:
    # The second passage begins where its text does; a headline's last word denies nothing of the next sentence.
    texts = ["Paid or not\n$3 million was the price.", f"{chr(10) * 50}It was $4 million, not $3 million."]
    build_documents([Document(name, text) for name, text in zip("ab", texts, strict=True)], tmp_path / "index")
    index = Index.open(tmp_path / "index")
    (group,) = grouped([span(index, "b", "$3 million", 2.0), span(index, "a", "$3 million", 1.0)], index)
    assert group.documents == ("a",)


@pytest.mark.parametrize(
    "denial",
    [
        "It cost $4 million, not **$3 million**, they say.",
        "It cost $4 million, **not** $3 million, they say.",
        "It cost $4 million, not the **$3 million** they say.",
        "It cost $4 million, *rather* than [$3 million](https://e.x/not), they say.",
        "It cost $4 million, **instead** of a $3 million, they say.",
    ],
)
def test_markup_hides_no_denial(denial: str, tmp_path: Path) -> None:
    masked = tuple(match.span() for match in re.finditer(r"\*+|\[|\]\(.*?\)", denial))
    documents = [Document("says", "It cost $3 million."), Document("denies", denial, masked=masked)]
    build_documents(documents, tmp_path / "index")
    index = Index.open(tmp_path / "index")
    (group,) = grouped([span(index, "says", "$3 million", 1.0), span(index, "denies", "$3 million", 2.0)], index)
    assert group.documents == ("says",)


def test_unread_copies_are_cited_where_they_hold_the_sentence(index: Index) -> None:
    (group,) = grouped([span(index, "a", "$3 million", 2.0)], index)
    unread = [Hit(passage, 0.5) for passage in index.passages if passage.doc_id in "abfg"]
    found = candidate(group, index, 0.5, unread)  # in b the sentence ends otherwise, in g it stands inside another
    assert [citation.document for citation in found.citations] == ["a", "f"]
    assert found.citations[1].start == TEXTS["f"].index("$3 million")
    assert found.citations[1].sentence == "It cost $3 million."
    assert (found.support.documents, found.support.distinct) == (2, 1)
    assert [citation.document for citation in part(group, index, unread).citations] == ["a", "f"]


def test_the_best_citation_gives_the_wording_and_how_much_is_quoted_of_a_copy(tmp_path: Path) -> None:
    names = ("first", "second", "unread")
    build_documents([Document(name, f"The {name}. They paid the $3 million.") for name in names], tmp_path / "index")
    index = Index.open(tmp_path / "index")
    (group,) = grouped([span(index, "first", "the $3 million", 2.0), span(index, "second", "$3 million", 1.0)], index)
    found = part(group, index, [Hit(passage, 0.5) for passage in index.passages if passage.doc_id == "unread"])
    assert found.answer == part(group, index).answer == "the $3 million"
    assert [citation.quote for citation in found.citations] == ["the $3 million", "$3 million", "the $3 million"]


def test_unread_passages_of_articles_of_their_own_are_independent(index: Index) -> None:
    (group,) = grouped([span(index, "h", "$3 million", 2.0)], index)
    found = candidate(group, index, 0.5, [Hit(passage, 0.5) for passage in index.passages if passage.doc_id == "f"])
    assert (found.support.documents, found.support.distinct) == (2, 2)
