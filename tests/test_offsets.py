"""What holds for any document whatever: offsets, sentences, passages."""

from hypothesis import given, settings
from hypothesis import strategies as st

from index import markdown
from index.boilerplate import mask, merged
from index.passage import Document
from index.sentences import NEWLINE, SENTENCE_LIMIT, blanked, sentences
from index.split import search_text, split
from tests.test_split import headings

PIECES = st.sampled_from(
    [
        *["\n", "\r\n", "\r", "\n\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"],
        *[" ", "\t", "\u00a0", "\0", "\ufeff", "\u200b"],
        *["e\u0301", "👩\u200d👩\u200d👧", "🇫🇷", "fi\u0300\u0301", "שלום", "مرحبا؟ ", "今日は。"],
        *["Mr. ", "U.S. ", "The end. ", "Why? ", "“Yes!” ", "(no) ", "word ", "$38$ billion ", "1. "],
        *["# ", "- ", "* ", "**", "_", "`", "[", "](http://x.org/y)", "![", "|", "\\"],
        *["<b>", "<!--", "-->", "---\n", "```\n"],
        *["A Heading\n", "Read more\n", "Subscribe to our newsletter\n", "x" * 600, "word, " * 120, " " * 600],
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=40).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(TEXTS).encode("utf-8", "replace").decode("utf-8")
    spans = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, 30)), max_size=6))
    masked = [(start, min(len(text), start + length)) for start, length in spans]
    if draw(st.booleans()):
        masked += markdown.parse(text)[1]
    document = Document("a.txt", text, masked=merged(masked))
    return mask([document])[0] if draw(st.booleans()) else document


def words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def hidden(document: Document) -> set[int]:
    """Offsets that need be in no sentence."""
    masked = {place for start, end in document.masked for place in range(start, end)}
    return masked | {place for place, char in enumerate(document.text) if char.isspace() or char == "\0"}


@settings(deadline=None, max_examples=150)
@given(documents())
def test_sentences(document: Document) -> None:
    found = sentences(document)
    shown = blanked(document).replace("\0", "\t")
    outside = hidden(document)
    covered: list[int] = []
    for start, end in found:
        assert 0 < end - start <= SENTENCE_LIMIT
        assert start not in outside
        assert end - 1 not in outside
        if not document.hard_wrapped:  # a line may go on in lower case
            following = [shown[newline.end() : end].lstrip() for newline in NEWLINE.finditer(shown, start, end)]
            assert all(rest[0].islower() for rest in following)
        covered += range(start, end)
    assert covered == sorted(set(covered))
    assert set(range(len(document.text))) - set(covered) <= outside
    assert set(headings(document)) <= set(found) or any(
        end - start > SENTENCE_LIMIT for start, end in headings(document)
    )


@settings(deadline=None, max_examples=150)
@given(documents(), st.integers(1, 40))
def test_passages(document: Document, budget: int) -> None:
    found = split(document, words, budget, first_id=5)
    assert [passage.passage_id for passage in found] == list(range(5, 5 + len(found)))
    held = [span for passage in found for span in passage.sentences]
    assert held == sentences(document)
    for passage in found:
        assert document.text[passage.start : passage.end] == passage.text
        assert (passage.start, passage.end) == (passage.sentences[0][0], passage.sentences[-1][1])
        touching = [span for span in document.masked if span[1] > passage.start and span[0] < passage.end]
        assert list(passage.masked) == touching
        shown = search_text(document, passage)
        assert "\0" not in shown
        seen = hidden(document)
        bare = [
            document.text[place] for start, end in passage.sentences for place in range(start, end) if place not in seen
        ]
        assert "".join(shown.split()) == "".join(bare)
    starts = [passage.start for passage in found]
    assert starts == sorted(set(starts))


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_markdown_masks_are_spans_of_the_text(text: str) -> None:
    fields, masked = markdown.parse(text)
    assert all(0 <= start <= end <= len(text) for start, end in masked)
    assert set(fields) <= set(markdown.FIELDS)


@settings(deadline=None, max_examples=100)
@given(st.lists(documents(), max_size=4))
def test_masking_keeps_the_text_and_the_masks_there(given_documents: list[Document]) -> None:
    for before, after in zip(given_documents, mask(given_documents), strict=True):
        assert after.text == before.text
        assert after.title
        assert all(any(start <= first and last <= end for start, end in after.masked) for first, last in before.masked)


def test_a_line_of_a_megabyte() -> None:
    for unit in ("All work and no play makes a dull boy. ", "👩\u200d👧"):
        text = unit * (1_000_000 // len(unit))
        document = Document("a.txt", text)
        found = sentences(document)
        assert max(end - start for start, end in found) <= SENTENCE_LIMIT
        assert all(document.text[p.start : p.end] == p.text for p in split(document, words))


@given(documents(), st.integers(0, 60), st.integers(0, 60))
def test_masks_of_a_stretch_are_those_that_share_a_character_with_it(document: Document, start: int, end: int) -> None:
    stretch = set(range(start, end))
    shared = [span for span in document.masked if stretch & set(range(*span))]
    assert list(document.masked_in(start, end)) == shared
