"""Near-copies are one source."""

import numpy as np
import pytest

from index.duplicates import SKETCH, containment, resemblance, sketch, sources
from index.passage import Document


def words(first: int, last: int) -> str:
    return " ".join(f"word{number}" for number in range(first, last))


def document(text: str, masked: tuple[tuple[int, int], ...] = ()) -> Document:
    return Document("d", text, masked=masked)


def test_a_sketch_is_sorted_and_padded() -> None:
    made = sketch(document(words(0, 9)))
    assert made.shape == (SKETCH,)
    assert made.dtype == np.uint64
    assert list(made) == sorted(made)
    assert np.count_nonzero(made != 2**64 - 1) == 5  # nine words hold five shingles of five
    assert np.array_equal(made, sketch(document(words(0, 9))))
    assert np.count_nonzero(sketch(document(words(0, 3000))) != 2**64 - 1) == SKETCH


def test_resemblance_by_hand() -> None:
    # words 0..14 and 5..19: shingles starting at 0..9 and at 5..14, 5 of 15 in both
    a, b = sketch(document(words(0, 14))), sketch(document(words(5, 19)))
    assert resemblance(a, b) == resemblance(b, a) == pytest.approx(5 / 15)
    assert resemblance(a, a) == 1.0
    assert resemblance(a, sketch(document(words(100, 114)))) == 0.0


def test_resemblance_of_long_documents_is_estimated() -> None:
    a, b = sketch(document(words(0, 3000))), sketch(document(words(1000, 4000)))
    assert resemblance(a, b) == pytest.approx(1996 / 3996, abs=0.08)
    assert resemblance(a, sketch(document(words(0, 750)))) == pytest.approx(746 / 2996, abs=0.06)


@pytest.mark.parametrize("length", [120, 1200, 6000])
def test_a_cut_copy_is_no_source_of_its_own(length: int) -> None:
    whole, cut = sketch(document(words(0, length))), sketch(document(words(0, length // 4)))
    assert resemblance(whole, cut) < 0.3
    assert containment(whole, cut) == containment(cut, whole) == 1.0
    quoting = sketch(document(f"{words(0, length // 8)} {words(9000, 9000 + length // 8)}"))  # half its words
    assert containment(whole, quoting) == pytest.approx(0.5, abs=0.15)
    assert sources([whole, cut]) == [0, 0]
    assert sources([whole, quoting]) == [0, 1]
    if length > 120:
        assert containment(whole, sketch(document(words(0, 15)))) == 0.0  # too few of its 11 shingles to tell


def test_a_brief_of_two_sentences_is_told_from_an_article_of_ordinary_length() -> None:
    article = sketch(document(words(0, 200)))
    assert containment(article, sketch(document(words(50, 62)))) == 1.0  # 8 shingles
    assert sources([article, sketch(document(words(50, 62)))]) == [0, 0]
    assert containment(article, sketch(document(words(50, 61)))) == 0.0
    longest = sketch(document(words(0, SKETCH + 3)))  # its sketch holds all of its 255 shingles
    assert containment(sketch(document(words(50, 62))), longest) == 1.0


def test_masked_text_does_not_count() -> None:
    tail = " Read more of our articles here and subscribe today"
    text = words(0, 30)
    assert np.array_equal(sketch(document(text + tail, ((len(text), len(text + tail)),))), sketch(document(text)))


def test_documents_without_words() -> None:
    empty, short = sketch(document("...")), sketch(document("one two"))
    assert resemblance(empty, empty) == 0.0
    assert resemblance(empty, short) == 0.0
    assert resemblance(short, short) == 1.0
    assert sources([empty, empty]) == [0, 1]


def test_near_copies_resemble_by_three_tenths() -> None:
    # 13 shingles each, 6 of 20 in both, and 5 of 21
    first, second, third = (sketch(document(words(*bounds))) for bounds in ((0, 17), (7, 24), (8, 25)))
    assert sources([first, second]) == [0, 0]
    assert sources([first, third]) == [0, 1]


def test_sources_are_transitive() -> None:
    # 0 ~ 2 and 2 ~ 3 (sharing 50 of 100 words), 0 and 3 share nothing; 1 stands alone
    made = [sketch(document(words(*bounds))) for bounds in ((0, 100), (500, 600), (50, 150), (100, 200))]
    assert resemblance(made[0], made[3]) == 0.0
    assert sources(made) == [0, 1, 0, 0]
    assert sources(made[::-1]) == [0, 0, 2, 0]
    assert sources([made[0], made[3], made[2]]) == [0, 0, 0]  # the last joins the first two
    assert sources([]) == []
