"""Where a quote may begin and end: no half words, amounts whole, no dangling bracket or quotation mark."""

import re
import unicodedata
from collections.abc import Sequence

from index.passage import Span

_CURRENCY = "$€£¥₹"
_MAGNITUDE = re.compile(
    r"[ \u00a0-]?(?:hundred|thousand|million|billion|trillion|bn|mn|tn|m|k)\b(?![-’'])", re.IGNORECASE
)
_PERCENT = re.compile(r"\\?%\$?|[ \u00a0](?:%|per ?cent\b|percentage points?\b)")
_COUNTRY_DOLLAR = re.compile(r"(?<![^\W_])(?:US|AU|CA|HK|NZ|A|C|S)$")
_POSSESSIVE = re.compile(r"['’][sS](?![^\W_])")
_KEPT_STOP = re.compile(
    r"(?:(?<![^\W_])[^\W\d_]\.)+$|\b(?:Inc|Corp|Co|Ltd|Jr|Sr|Bros|Mt|St|Dr|Prof|Gen|No|vs|etc)\.$", re.IGNORECASE
)
_PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "«": "»", "‹": "›"}
_CLOSING = {closing: opening for opening, closing in _PAIRS.items()}
_LOOSE = ",;:–—-…·•|/*_ \t\u00a0\n\r"


def sensible(text: str, span: Span, sentence: Span) -> Span:
    """The span as a careful editor would cut it, inside ``sentence``; empty (start == end) if nothing is left of it.

    All are code points of ``text``, half-open. Half words are completed, a currency sign, percent sign or magnitude
    ("$38 billion", "5%") is taken along, separators and lone quotation marks or brackets at the edges are left off, a
    bracket opened inside is closed or left out. To cut what was cut changes nothing.
    """
    low, high = sentence
    start, end = (min(max(edge, low), high) for edge in span)
    # What one rule takes along or leaves off can bring another into play, so all are applied until nothing changes.
    # Over brackets that cross they may take turns for ever: then the shortest span of the turn, wherever entered.
    seen: list[Span] = []
    cut = start, end
    while cut not in seen:
        seen.append(cut)
        cut = _cut(text, *cut, low, high)
    return min(seen[seen.index(cut) :], key=lambda span: (span[1] - span[0], span))


def uncovered(start: int, end: int, masked: Sequence[Span]) -> Span:
    """The span without masked text at its edges: a word that was completed may have taken in markup (``_so_``)."""
    for first, last in masked:
        if first <= start < last:
            start = last
    for first, last in reversed(masked):
        if first < end <= last:
            end = first
    return start, max(start, end)


def _cut(text: str, start: int, end: int, low: int, high: int) -> Span:
    start, end = _without_loose_edges(text, start, end, high)
    if start >= end:
        return start, start
    start, end = _whole_words(text, start, end, low, high)
    start, end = _whole_amount(text, start, end, low, high)
    start, end = _balanced(text, start, end, low, high)
    start, end = _without_loose_edges(text, start, end, high)
    return (start, end) if any(character.isalnum() for character in text[start:end]) else (start, start)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def _glued(text: str, at: int) -> bool:
    """Whether the characters on both sides of ``at`` belong to one word or number."""
    left, right = text[at - 1], text[at]
    if _is_word(left) and _is_word(right):
        return True
    if unicodedata.category(right).startswith("M") or right == "\u200d" or left == "\u200d":
        return True
    if right in "'’":  # "don't" and "O'Brien" are one word, "Microsoft's" is one with an ending
        return left.isalpha() and text[at + 1 : at + 2].isalpha() and not _POSSESSIVE.match(text, at)
    if left in "'’":
        return right.isalpha() and text[max(0, at - 2) : at - 1].isalpha()
    if right == "$":  # "GB$200$"
        return left.isalnum() and text[at + 1 : at + 2].isdigit()
    if left == "$" and right.isdigit():
        return text[max(0, at - 2) : at - 1].isalnum()
    if left in ".," and right.isdigit():
        return at >= 2 and text[at - 2].isdigit()
    if right in ".," and left.isdigit():
        return at + 1 < len(text) and text[at + 1].isdigit()
    return False


def _whole_words(text: str, start: int, end: int, low: int, high: int) -> Span:
    while low < start < high and _glued(text, start):
        start -= 1
    while low < end < high and _glued(text, end):
        end += 1
    return start, end


def _whole_amount(text: str, start: int, end: int, low: int, high: int) -> Span:
    if text[start].isdigit() and start > low and text[start - 1] in _CURRENCY:
        start -= 1
    if text[start] == "$" and (country := _COUNTRY_DOLLAR.search(text, low, start)):
        start = country.start()
    amount = text[end - 1].isdigit() or text[end - 1] == "%"
    # "$38$ billion", "$5\%$": a dollar sign on both sides, as in LaTeX.
    if amount and end < high and text[end] == "$" and text.count("$", start, end) % 2:
        end += 1
    if text[end - 1].isdigit() and (percent := _PERCENT.match(text, end, high)) is not None:
        end = percent.end()
    if text[end - 1].isdigit() or text[end - 1] == "$":
        magnitude = _MAGNITUDE.match(text, end, high)
        if magnitude is not None:
            end = magnitude.end()
    return start, end


def _balanced(text: str, start: int, end: int, low: int, high: int) -> Span:
    stack: list[int] = []
    for at in range(start, end):
        character = text[at]
        if character in _PAIRS:
            stack.append(at)
        elif character in _CLOSING:
            if stack and text[stack[-1]] == _CLOSING[character]:
                stack.pop()
            else:
                # Closed here, opened before: take the opening in when it stands right there, else begin behind this.
                if start > low and text[start - 1] == _CLOSING[character]:
                    start -= 1
                elif at - start < (end - start) / 2 and at > start:
                    start = at + 1
                else:
                    end = at
                    break
    for at in reversed([at for at in stack if start <= at < end]):
        closing = _PAIRS[text[at]]
        if end < high and text[end] == closing:
            end += 1
        elif at == start:
            start += 1
        else:
            place = text.find(closing, end, min(high, end + 40))
            end = place + 1 if place >= 0 else at
    if text.count('"', start, end) % 2:
        if text[start] == '"':
            start += 1
        elif end > start and text[end - 1] == '"':
            end -= 1
        elif end < high and text[end] == '"':
            end += 1
        elif start > low and text[start - 1] == '"':
            start -= 1
    return start, max(start, end)


def _without_loose_edges(text: str, start: int, end: int, high: int) -> Span:
    before = None
    while before != (start, end) and start < end:
        before = (start, end)
        while start < end and (text[start] in _LOOSE + ".!?" or text[start].isspace() or text[start] in "”’)]}»\0"):
            if text[start] == "." and start + 1 < end and text[start + 1].isdigit():
                break
            start += 1
        while start < end and (text[end - 1] in _LOOSE or text[end - 1].isspace() or text[end - 1] in "“‘([{«\0"):
            end -= 1
        stop = text[end - 1] if start < end else ""
        if stop in ("!", "?") or (stop == "." and not (end < high and _KEPT_STOP.search(text, start, end))):
            end -= 1
        for opening, closing in (("“", "”"), ('"', '"'), ("‘", "’"), ("(", ")"), ("[", "]"), ("«", "»")):
            if start >= end:
                break
            inner = text[start + 1 : end - 1]
            if end - start >= 2 and text[start] == opening and text[end - 1] == closing:
                if opening not in inner and closing not in inner:
                    start, end = start + 1, end - 1
            elif text[start] == opening and closing not in inner + text[end - 1 : end]:
                start += 1
            elif text[end - 1] == closing and opening not in text[start : end - 1] and closing != "’":
                end -= 1
    return start, end
