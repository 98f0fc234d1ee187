"""What of a passage a quote may hold: the stretches of its sentences, and its text as a reader of the page sees it."""

import re
from collections.abc import Sequence
from functools import lru_cache

from index.passage import Passage, Span
from index.tokens import INVISIBLE, ITEM, LINE_HYPHEN, RAISED

# Marks of notes behind a year or a word: no part of it, unlike the exponent of "10⁵" and "km²".
_NOTE = re.compile(rf"(?:(?<=\b(?:1\d|20)\d\d)|(?<=[^\W\d_]{{3}}))[{RAISED}]+(?![^\W_])")
# The columns of a table in plain text; behind a full stop a typist may leave room.
_GAP = re.compile(r"(?<=[^\s.!?])(?: {3,}|\t+)(?=\S)")
_NEWLINE = re.compile(r"[\r\n]")
STOPS = (".", "!", "?", "…", "。", "！", "？")
_NUMBER = re.compile(r"\d{1,2}[.)]\s+(?=\S)")
# A question for a reason or a way is none of these: it tells what has happened.
_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|when|where|which)\b"
    r"|\bhow (?:big|deep|far|fast|high|large|long|many|much|often|old|soon|tall)\b"
    r"|^\W*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b",
    re.IGNORECASE,
)
_BYLINE = re.compile(r"(?i:by)(?!.*[.!?]$)(?: [^\W\d_a-z][\w.'’-]*| and){2,8}(?:(?:,| [|•–—-]) .{0,60})?")
_GLUE = "\u034f"  # the combining grapheme joiner, which belongs to the letters around it


def stretches(passage: Passage) -> list[tuple[Span, Span]]:
    """What one quote may cover, each with its sentence: sentences, cut where masked words or a table's bars stand.

    Emphasis may stand inside a quote; the address of a link, an HTML tag, the gap between two columns and the number of
    a list's item may not. A question says nothing, and a byline nothing of what the article is about: they have no
    stretch. All in document offsets, ascending.
    """
    found = []
    for sentence in passage.sentences:
        low, high = sentence
        words = passage.between(low, high)
        if _BYLINE.fullmatch(words) or _asks(passage, sentence):
            continue
        if number := _NUMBER.match(words):
            low += number.end()
        for first, last in passage.masked:
            hidden = passage.text[first - passage.start : last - passage.start]
            if low <= first and last <= high and ("|" in hidden or any(map(str.isalnum, hidden))):
                found.append(((low, first), sentence))
                low = last
        for gap in _GAP.finditer(passage.text, low - passage.start, high - passage.start):
            found.append(((low, gap.start() + passage.start), sentence))
            low = gap.end() + passage.start
        found.append(((low, high), sentence))
    return [(stretch, sentence) for stretch, sentence in found if stretch[0] < stretch[1]]


def same_list(passage: Passage, bounds: Sequence[tuple[Span, Span]]) -> list[int]:
    """For each of the passage's ``stretches`` the number of the first of its list; of what is no item, its own.

    Items that end with a full stop are sentences like any other. Of an item that is cut the first stretch counts.
    """
    before = dict(zip(passage.sentences, (passage.start, *(end for _, end in passage.sentences)), strict=False))
    found: list[int] = []
    lists: dict[Span, int] = {}  # by sentence
    for number, (_, sentence) in enumerate(bounds):
        _, last = bounds[max(0, number - 1)]
        follows = last[1] == before[sentence] and not passage.between(*last).endswith(STOPS)
        items = follows and _is_item(passage, last, before[last]) and _is_item(passage, sentence, last[1])
        found.append(lists[last] if items else number)
        lists.setdefault(sentence, found[-1])
    return found


def _is_item(passage: Passage, sentence: Span, before: int) -> bool:
    """Whether a list's mark, maybe masked, begins a sentence's line; ``before`` is where the last sentence ended."""
    start = sentence[0] - passage.start
    *above, line = _NEWLINE.split(passage.text[before - passage.start : start])
    begins = bool(above) or before == passage.start
    return begins and ITEM.match((line + passage.text[start : start + 4]).lstrip()) is not None


def _asks(passage: Passage, sentence: Span) -> bool:
    """Whether a sentence is a question; one that is quoted (`… asked: "Why?"`) tells who asked it."""
    if passage.text.find("?", sentence[0] - passage.start, sentence[1] - passage.start) < 0:
        return False
    words = visible(passage)[sentence[0] - passage.start : sentence[1] - passage.start].strip(" *_")
    return words.endswith("?") and _ASKS.search(words) is not None


@lru_cache(maxsize=32)  # asked for each of a passage's many spans
def visible(passage: Passage) -> str:
    """The passage's text with what is masked in it blanked, at the same length."""
    text = passage.text
    for start, end in passage.masked:
        first, last = max(0, start - passage.start), min(len(text), end - passage.start)
        text = text[:first] + " " * (last - first) + text[last:]
    return text


def shown(passage: Passage) -> str:
    """The ``visible`` text, of one length with it: what parts no word glues it, and marks of notes are blank."""
    text = visible(passage)
    for first, last in passage.masked:
        start, end = first - passage.start, last - passage.start
        inside = start > 0 and end < len(text) and text[start - 1].isalnum() and text[end].isalnum()
        if inside and not parts_words(passage, (first, last)):
            text = text[:start] + _GLUE * (end - start) + text[end:]
    return text if text.isascii() else _NOTE.sub(lambda mark: " " * len(mark[0]), text)


def parts_words(passage: Passage, masked: Span) -> bool:
    """Whether masked text parts words, as a soft hyphen does not, nor a hyphen at a line's end."""
    hidden = passage.text[max(0, masked[0] - passage.start) : masked[1] - passage.start]
    return INVISIBLE.fullmatch(hidden) is None and LINE_HYPHEN.fullmatch(hidden) is None
