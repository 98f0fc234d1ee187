"""The span reader, with a network whose logits are given."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.passage import Hit, Passage, Span
from rag.reader import ScoredSpan
from rag.spans import MAX_SPAN, RETRIEVAL, Floats, SpanReader, Window, best_span

LOW = -10.0
Logits = Mapping[str, tuple[float, float]]


class Given:
    """A network that sees words: start and end logits by word, ``LOW`` for all others; windows of ``room`` words."""

    identity = "given@1"

    def __init__(self, logits: Logits, room: int = 1000, stride: int = 0) -> None:
        self.given, self.room, self.stride = logits, room, stride
        self.words: dict[int, list[str]] = {}

    def windows(self, question: str, texts: Sequence[str]) -> list[Window]:
        made = []
        for number, text in enumerate(texts):
            found = list(re.finditer(r"\w+|[^\w\s]", text))
            for at in range(0, max(1, len(found) - self.stride), self.room - self.stride):
                part = found[at : at + self.room]
                offsets = np.array([match.span() for match in part], np.int64).reshape(-1, 2)
                window = Window(number, np.zeros(len(part) + 2, np.int64), 1, offsets)
                self.words[id(window)] = [match.group() for match in part]
                made.append(window)
        return made

    def logits(self, windows: Sequence[Window]) -> list[Floats]:
        none = self.given.get("", (0.0, 0.0))
        return [
            np.array([none, *(self.given.get(word, (LOW, LOW)) for word in self.words[id(window)])], np.float32)
            for window in windows
        ]


def hit(
    text: str,
    sentences: tuple[Span, ...] | None = None,
    masked: tuple[Span, ...] = (),
    row: int = 0,
    score: float = 1.0,
) -> Hit:
    """A passage that begins at 100 of its document; ``sentences`` and ``masked`` are given from its own beginning."""

    def moved(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple((start + 100, end + 100) for start, end in spans)

    whole = ((0, len(text)),) if sentences is None else sentences
    passage = Passage(row, f"d{row}", 100, 100 + len(text), text, moved(whole), moved(masked))
    return Hit(passage, score)


def read(network: Given, *hits: Hit) -> list[ScoredSpan]:
    return SpanReader(network, "given").read("question", hits)


def texts(spans: Sequence[ScoredSpan]) -> list[str]:
    return [span.text for span in spans]


def test_the_margin_by_hand() -> None:
    logits = np.array([(1, 0.5), (2, 9), (5, 0), (0, 3), (4, 1)], np.float32)
    assert best_span(logits)[2] == pytest.approx(2 + 9 - 1.5)  # a span of one token; 5 + 9 would end before it starts
    assert best_span(logits[[0, 2, 3]])[2] == pytest.approx(5 + 3 - 1.5)


def test_a_span_of_the_margin_has_no_more_tokens_than_allowed() -> None:
    for more, expected in ((MAX_SPAN - 1, 18), (MAX_SPAN, 9)):
        logits = np.zeros((1 + MAX_SPAN + 3, 2), np.float32)
        logits[1, 0] = logits[1 + more, 1] = 9
        assert best_span(logits)[2] == expected


ITEMS = "Owners:\n- Alpha Steel\n- Beta Rail\n- Gamma\nIn all."
LINES = ((0, 7), (8, 21), (22, 33), (34, 41), (42, 49))
ACROSS = {"Steel": (9, 0), "Alpha": (8, 0), "Beta": (0, 9)}


def test_several_things_asked_for_are_the_items_of_a_list() -> None:
    found = SpanReader(Given(ACROSS), "given").read("Which firms own it?", [hit(ITEMS, LINES)])
    items = found[:3]
    assert texts(items) == ["Alpha Steel", "Beta Rail", "Gamma"]
    assert [span.sentence for span in items] == [(108, 121), (122, 133), (134, 141)]
    assert {span.score for span in items} == {items[0].score}
    assert {span.signals["margin"] for span in items} == {18}


def test_one_thing_asked_for_is_no_list() -> None:
    found = SpanReader(Given(ACROSS), "given").read("Which firm owns it?", [hit(ITEMS, LINES)])
    assert set(texts(found)) >= {"Steel", "Beta"}
    assert all(span.signals["margin"] < 18 for span in found)
    within = Given({"Beta": (9, 0), "Rail": (0, 9)})
    (best, *others) = SpanReader(within, "given").read("Which firms own it?", [hit(ITEMS, LINES)])
    assert (best.text, best.sentence) == ("Beta Rail", (122, 133))
    assert all(other.score < best.score for other in others)


def test_a_stretch_without_tokens_has_no_margin() -> None:
    assert best_span(np.zeros((1, 2), np.float32)) == (0, -1, -np.inf)


def test_the_best_span() -> None:
    spans = read(Given({"red": (5, 0), "mill": (0, 5)}), hit("There the red old mill stands."))
    assert spans[0].text == "red old mill"
    assert (spans[0].start, spans[0].end) == (110, 122)
    assert spans[0].sentence == (100, 130)
    assert spans[0].signals["margin"] == pytest.approx(10)
    reader = SpanReader(Given({}), "mine")
    assert (reader.name, reader.identity) == ("mine", "given@1")


def test_the_margin_is_over_no_answer() -> None:
    spans = read(Given({"red": (5, 5), "": (1, 2)}), hit("A red mill."))
    assert spans[0].signals["margin"] == pytest.approx(7)
    assert spans[0].score == pytest.approx(7 / 2)


def test_a_span_ends_where_or_after_it_starts() -> None:
    spans = read(Given({"red": (0, 9), "mill": (9, 0)}), hit("The red old mill."))
    assert all(span.start < span.end for span in spans)
    assert "red old mill" not in texts(spans[:1])
    assert spans[0].text in ("red", "mill")


def test_no_span_has_more_tokens_than_allowed() -> None:
    text = "first " + "word " * (MAX_SPAN - 1) + "last"
    too_long = read(Given({"first": (9, 0), "last": (0, 9)}), hit(text))
    assert text not in texts(too_long)
    shorter = text.replace("word ", "", 1)
    assert read(Given({"first": (9, 0), "last": (0, 9)}), hit(shorter))[0].text == shorter


def test_no_span_crosses_sentences() -> None:
    text = "The red mill. An old mill."
    spans = read(Given({"red": (9, 0), "old": (0, 9)}), hit(text, ((0, 13), (14, 26))))
    assert spans
    assert spans[0].signals["margin"] == pytest.approx(9)  # not 9 + 9, cut to one of the sentences
    for span in spans:
        first, last = span.sentence
        assert first <= span.start < span.end <= last
    assert all("red" not in span.text or "old" not in span.text for span in spans)


def test_words_between_sentences_are_not_read() -> None:
    text = "The red mill. BOILERPLATE An old mill."
    spans = read(Given({"BOILERPLATE": (9, 9)}), hit(text, ((0, 13), (26, 38)), ((14, 25),)))
    assert all("BOILERPLATE" not in span.text for span in spans)
    assert read(Given({"BOILERPLATE": (9, 9)}), hit(text, ())) == []
    assert read(Given({"mill": (9, 9)}), hit("the mill", masked=((0, 8),))) == []


def test_spans_neither_begin_nor_end_in_masked_text() -> None:
    text = "It is _so_ **very** red."
    masked = ((6, 7), (9, 10), (11, 13), (17, 19))
    spans = read(Given({"so": (9, 9), "_so_": (9, 9), "very": (8, 8)}), hit(text, masked=masked))
    assert texts(spans)[0] == "very"  # "_so_" is one word of the network's, and part of it is masked
    assert not any("so" in span for span in texts(spans))
    for span in spans:
        for first, last in masked:
            assert not first + 100 <= span.start < last + 100
            assert not first + 100 < span.end <= last + 100


def test_a_span_never_runs_over_masked_words() -> None:
    text = "The [big deal](https://e.x/a?b) was _very_ good."
    masked = tuple(m.span() for m in re.finditer(r"\[(?=big)|\]\(.*?\)|_", text))
    spans = read(Given({"big": (9, 0), "deal": (0, 2), "good": (0, 9), "was": (8, 0)}), hit(text, masked=masked))
    assert texts(spans)[:2] == ["was _very_ good", "big deal"]
    assert all(span.sentence == (100, 100 + len(text)) for span in spans)
    assert not any("https" in span.text for span in spans)


class Pieces(Given):
    """A network that sees half words, silent characters with the half before them."""

    def windows(self, question: str, texts: Sequence[str]) -> list[Window]:
        made = []
        for number, text in enumerate(texts):
            found = list(re.finditer(r"[A-Za-z]+[\u00ad\u200b]?|\d+|[¹³⁴]+|[^\w\s]", text))
            offsets = np.array([match.span() for match in found], np.int64).reshape(-1, 2)
            window = Window(number, np.zeros(len(found) + 2, np.int64), 1, offsets)
            self.words[id(window)] = [match[0].strip("\u00ad\u200b") for match in found]
            made.append(window)
        return made


@pytest.mark.parametrize(
    ("word", "masks"),
    [
        ("Rot\u00adter\u00addam", "\u00ad"),
        ("Rot\u200bter\u2060\ufeffdam", "[\u200b-\ufeff]+"),
        ("rot-\n  ter\u00ad\ndam", "[-\u00ad]\n *"),
    ],
)
@pytest.mark.parametrize("first", ["Rot", "ter", "dam"])
def test_a_word_with_silent_characters_is_quoted_whole(word: str, masks: str, first: str) -> None:
    text = f"The harbour of {word}\u00ad grew."
    masked = tuple(match.span() for match in re.finditer(f"{masks}|\u00ad", text))
    logits = {first: (9, 9), first.lower(): (9, 9)}
    assert read(Pieces(logits), hit(text, masked=masked))[0].text == word
    assert read(Pieces(logits | {"harbour": (10, 0)}), hit(text, masked=masked))[0].text == f"harbour of {word}"


@pytest.mark.parametrize(
    ("text", "start", "end", "quote"),
    [
        ("It was built in 1987³ by hand.", "1987", "³", "1987"),
        ("It was built by Anna Stern¹⁴ of Kell.", "Anna", "Stern", "Anna Stern"),
        ("It has 10⁵ bricks.", "10", "10", "10⁵"),
        ("It has 120 km² of land.", "120", "km", "120 km²"),
    ],
)
def test_the_mark_of_a_note_is_left_off(text: str, start: str, end: str, quote: str) -> None:
    assert read(Pieces({start: (9, 0), end: (0, 9)}), hit(text))[0].text == quote


def test_of_overlapping_spans_the_best_is_kept() -> None:
    spans = read(Given({"red": (4, 4), "mill": (3, 3), "far": (1, 1)}), hit("The red mill far."))
    for at, span in enumerate(spans):
        assert all(span.end <= other.start or other.end <= span.start for other in spans[:at])
    best = (4 + 4) / 2  # "red": the mean of start 4 and end 4, in the best passage
    assert spans[0].score == pytest.approx(best)
    assert spans[0].text == "red"
    assert texts(spans)[:2] == ["red", "mill"]  # "red mill" (4 + 3) overlaps "red", "mill" (3 + 3) stands beside it


def test_words_that_say_nothing_without_a_better_span_are_no_candidate() -> None:
    text = "It took about forty. It had around 40 men. I saw the end."
    ends = [place + 1 for place, sign in enumerate(text) if sign == "."]
    bounds = tuple(zip((0, *ends), ends, strict=False))
    network = Given({"forty": (9, 9), "about": (8, 8), "40": (6, 6), "around": (5, 5), "men": (4, 4), "the": (3, 3)})
    found = texts(read(network, hit(text, bounds)))
    assert [word for word in found if word in network.given] == ["forty", "40", "men", "the"]


def test_nor_with_a_capital_at_a_sentences_start_or_shortened() -> None:
    text = "Around 40 men came. It weighs approx. 50 tons. Boeing 747"
    bounds = ((0, 19), (20, 46), (47, 57))
    given = {"40": (9, 9), "Around": (8, 8), "50": (7, 7), "approx": (6, 6), "747": (5, 5), "Boeing": (4, 4)}
    found = texts(read(network := Given(given), hit(text, bounds)))
    assert [word for word in found if word in network.given] == ["40", "50", "747"]


def test_an_article_behind_a_better_span_is_none_and_a_year_before_an_amount_is_one() -> None:
    network = Given({"red": (9, 9), "the": (8, 8), "40": (6, 6), "1990s": (5, 5)})
    found = texts(read(network, hit("It was red the day."), hit("In 1990s 40 men came.", row=1)))
    assert [word for word in found if word in network.given] == ["red", "40", "1990s"]


def test_windows_of_one_text_are_merged() -> None:
    text = "a b c d red f g h"
    whole = read(Given({"red": (9, 9)}), hit(text))
    parts = read(Given({"red": (9, 9)}, room=4, stride=2), hit(text))
    assert texts(parts).count("red") == 1
    assert parts[0].text == whole[0].text == "red"
    assert parts[0].start == whole[0].start
    assert parts[0].score == whole[0].score


class Fading(Given):
    """Every window after the first sees its words less clearly."""

    def logits(self, windows: Sequence[Window]) -> list[Floats]:
        return [
            np.concatenate([values[:1], values[1:] - number]) for number, values in enumerate(super().logits(windows))
        ]


def test_of_two_windows_the_surer_one_counts() -> None:
    spans = read(Fading({"red": (9, 9)}, room=4, stride=2), hit("a b c d red f g h"))
    assert spans[0].text == "red"
    assert spans[0].signals["margin"] == pytest.approx(18 - 2)


def test_better_retrieved_passages_come_first() -> None:
    network = Given({"red": (5, 5)})
    spans = read(network, hit("A red mill.", row=7, score=0.5), hit("A red mill.", row=3, score=1.0))
    best = [(span.hit.passage.passage_id, span.score) for span in spans if span.text == "red"]
    assert best == [(3, pytest.approx(5)), (7, pytest.approx(5 - RETRIEVAL / 2))]


def test_ties_by_passage_and_start() -> None:
    spans = read(Given({"red": (5, 5)}), hit("red, red", row=7), hit("red, red", row=3))
    best = [span for span in spans if span.text == "red"]
    assert [(span.hit.passage.passage_id, span.start) for span in best] == [(3, 100), (3, 105), (7, 100), (7, 105)]


def test_nothing_to_read() -> None:
    assert read(Given({})) == []
    assert read(Given({}), hit("...")) == []
    assert read(Given({"red": (5, 5)}), hit("red", score=0.0))[0].text == "red"


WORDS = st.sampled_from(["red", "old", "mill", "$38$", "billion", "(so)", "_it_", "“yes”", "5%", "U.S.", ",", "."])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_logits(data: st.DataObject) -> None:
    hits = []
    for row in range(data.draw(st.integers(1, 3))):
        parts = data.draw(st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=3))
        bounds, at = [], 0
        for part in parts:
            bounds.append((at, at + len(part)))
            at += len(part) + 1
        text = " ".join(parts)
        cut = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)))
        masked = tuple(zip(cut[::2], cut[1::2], strict=False))
        hits.append(hit(text, tuple(bounds), masked, row, data.draw(st.floats(0, 1))))
    value = st.floats(-20, 20, width=32)
    logits = {word: data.draw(st.tuples(value, value)) for word in ("red", "old", "38", "billion", "so", ".", "")}
    room = data.draw(st.integers(3, 9))
    spans = read(Given(logits, room, stride=1), *hits)
    assert [(-s.score, s.hit.passage.passage_id, s.start) for s in spans] == sorted(
        (-s.score, s.hit.passage.passage_id, s.start) for s in spans
    )
    for at, span in enumerate(spans):
        first, last = span.sentence
        assert span.sentence in span.hit.passage.sentences
        assert first <= span.start < span.end <= last
        assert not any(a <= span.start < b or a < span.end <= b for a, b in span.hit.passage.masked)
        assert not any(
            span.start < other.end and other.start < span.end and span.hit is other.hit for other in spans[:at]
        )
    again = read(Given(logits, room, stride=1), *hits)
    assert [(s.start, s.end, s.score) for s in again] == [(s.start, s.end, s.score) for s in spans]
