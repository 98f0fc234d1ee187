"""Where a quote may begin and end: no half words, amounts whole, no dangling bracket or quotation mark."""

import re
import unicodedata
from functools import lru_cache

from index.passage import Span
from index.tokens import RAISED
from rag.normal import SIGN_BEHIND
from rag.values import CODES, HALVED

# Lines may be wrapped anywhere: "$38" and "billion" on the next.
_MAGNITUDE = (
    r"(?:[ \u00a0-]|\r?\n)?(?:hundred|thousand|lakh|million|crore|billion|trillion|bn|mn|tn{letters})\b(?![-’'])"
)
# Only behind a currency sign is a letter a magnitude: "$38 M", but "in 1999 M. Shyamalan". A year may stand before a
# name that begins with one ("in 1966 Million Dollar Baby").
_COUNT_MAGNITUDE = re.compile(_MAGNITUDE.format(letters=""), re.IGNORECASE)
_YEAR_MAGNITUDE = re.compile(_MAGNITUDE.format(letters=""))
_YEAR = re.compile(r"(?:1\d|20)\d\d")
_MONEY_MAGNITUDE = re.compile(_MAGNITUDE.format(letters="|m|k|b"), re.IGNORECASE)
_PERCENT = re.compile(r"\\?%\$?|(?:[ \u00a0]|\r?\n)(?:%|pct\b|per ?cent\b|percentage points?\b)")
_CODED = re.compile(rf"(?<![^\W_])(?:{CODES})[ \u00a0]?(?=\.?\d)")
_UNSIGNED = re.compile(rf"(?:(?:{CODES})[ \u00a0]?|[$€£¥])?\.?\d")
_BETWEEN = re.compile(r"\b[Bb]etween\s$")
_RANGE = re.compile(rf"{_UNSIGNED.pattern}[^;]{{0,30}}\sand\s(?={_UNSIGNED.pattern})")
_LIMIT = re.compile(r"(?:<=?|(?<![\w\"'/=-])>=?|[≤≥])$")
_COUNTRY_DOLLAR = re.compile(r"(?<![^\W_])(?:US|AU|CA|HK|NZ|A|C|S)$")
_POSSESSIVE = re.compile(r"['’][sS](?![^\W_])")
_ABBREVIATION = re.compile(r"(?<![^\W\d_])(?:[^\W\d_]\.){2,}$")
_NAME_STOP = re.compile(rf"{_ABBREVIATION.pattern}|\b(?:Inc|Corp|Co|Ltd|Jr|Sr|Bros)\.$")
_KEPT_STOP = re.compile(
    rf"{_NAME_STOP.pattern}|(?<![^\W_])[^\W\d_]\.$|\b(?:Mt|St|Dr|Prof|Gen|No|vs|etc)\.$", re.IGNORECASE
)
_PAIRS = {"(": ")", "[": "]", "{": "}", "„": "“", "“": "”", "«": "»", "‹": "›"}
_QUOTED = (("“", "”"), ("„", "“"), ('"', '"'), ("‘", "’"), ("«", "»"))
_CLOSED = re.compile(r"(?<=[^\s'’])['’](?![^\W_])")
_STRAIGHT = re.compile(
    r'(?P<opening>(?<![^\s(\[{“‘—–-])"(?=[^\s.,;:!?)\]}]|\.[\w.]))|(?<=[^\s\d(\[{“‘—–-])"(?![^\W_])|(?P<unsure>"(?![^\W_]))'
)
_CLOSING = {closing: opening for opening, closing in _PAIRS.items()}
_NOTE = re.compile(rf"(?<=[.,;:!?”])[{RAISED}]+$")
_LOOSE = ",;:–—-…·•|/*_ \t\u00a0\n\r"


def sensible(text: str, span: Span, sentence: Span) -> Span:
    """The span as a careful editor would cut it, inside ``sentence``; empty (start == end) if nothing is left of it.

    All are code points of ``text``, half-open. Half words are completed, minus, currency sign or code, percent and
    magnitude ("-$38 billion", "5%") are taken along, separators and lone quotation marks or brackets at the edges are
    left off, a bracket or quotation opened inside is closed or left out. To cut what was cut changes nothing.
    """
    low, high = sentence
    start, end = (min(max(edge, low), high) for edge in span)
    text = _directed(text, low, high)
    # What one rule takes along or leaves off can bring another into play, so all are applied until nothing changes.
    # Over brackets that cross they may take turns for ever: then the shortest span of the turn, wherever entered.
    seen: list[Span] = []
    cut = start, end
    while cut not in seen:
        seen.append(cut)
        cut = _cut(text, *cut, low, high)
    return min(seen[seen.index(cut) :], key=lambda span: (span[1] - span[0], span))


def trimmed(shown: str, offset: int, span: Span, stretch: Span) -> Span:
    """``sensible`` in document offsets: ``shown`` is a passage's text (``rag.quotable``), from ``offset`` on."""
    inside = (span[0] - offset, span[1] - offset), (stretch[0] - offset, stretch[1] - offset)
    start, end = sensible(shown, *inside)
    return offset + start, offset + end


@lru_cache(maxsize=32)  # many spans of one sentence are cut for a question
def _directed(text: str, low: int, high: int) -> str:
    """``text`` with curly quotation marks for the straight ones between ``low`` and ``high`` that show their side.

    One behind a digit or a dash closes what is open; where nothing is, it stays (it may mean inches).
    """
    if text.find('"', low, high) < 0:
        return text
    closing = "”" if text.find("„", low, high) < 0 else "“"
    parts, done, opened = [], 0, False
    for mark in _STRAIGHT.finditer(text, low, high):
        if mark["unsure"] and not opened:
            continue
        opened = mark["opening"] is not None
        parts += [text[done : mark.start()], "“" if opened else closing]
        done = mark.end()
    return "".join([*parts, text[done:]])


def _cut(text: str, start: int, end: int, low: int, high: int) -> Span:
    start, end = _without_loose_edges(text, start, end, low, high)
    if start >= end:
        return start, start
    start, end = _whole_words(text, start, end, low, high)
    start, end = _whole_amount(text, *_whole_half(text, start, end, low, high), low, high)
    start, end = _balanced(text, start, end, low, high)
    start, end = _without_loose_edges(text, start, end, low, high)
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
    if right in "'’^":  # "don't" and "O'Brien" are one word, "Microsoft's" is one with an ending
        if left.isdecimal():  # "6'2", "10^6"
            return text[at + 1 : at + 2].isdecimal()
        return left.isalpha() and text[at + 1 : at + 2].isalpha() and not _POSSESSIVE.match(text, at)
    if left in "'’^":
        before = text[max(0, at - 2) : at - 1]
        return (right.isalpha() and before.isalpha()) or (right.isdecimal() and before.isdecimal())
    if right == "$":  # "GB$200$"
        return left.isalnum() and text[at + 1 : at + 2].isdecimal()
    if left == "$" and right.isdecimal():
        return text[max(0, at - 2) : at - 1].isalnum()
    if left in ".," and right.isdecimal():
        return (at >= 2 and text[at - 2].isdecimal()) or _is_point(text, at - 1)
    if right in ".," and left.isdecimal():
        return at + 1 < len(text) and text[at + 1].isdecimal()
    return right in "+#-−–" and SIGN_BEHIND.match(text, at) is not None  # "C++", "18+", "BBB-"


def _is_point(text: str, at: int) -> bool:
    """Whether the character at ``at`` is a decimal point that no digit stands before: ".5", "$.5"."""
    if text[at] != "." or not text[at + 1 : at + 2].isdecimal():
        return False
    before = text[at - 1 : at]
    return not before or before.isspace() or before in "([“\"'-−–" or _is_currency(before)


def _whole_words(text: str, start: int, end: int, low: int, high: int) -> Span:
    while low < start < high and _glued(text, start):
        start -= 1
    while low < end < high and _glued(text, end):
        end += 1
    if end < high and text[end] == "." and not (end + 1 < high and text[end + 1].isalnum()):
        # "Acme Inc. said", and at the sentence's end "in the U.S."
        abbreviation = _NAME_STOP if end + 1 < high else _ABBREVIATION
        end += _ends_with(abbreviation, text, start, end + 1)
    return start, end


def _ends_with(abbreviation: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether the span ends with an abbreviation; the last few characters tell."""
    return abbreviation.search(text, max(start, end - 8), end) is not None


def _whole_amount(text: str, start: int, end: int, low: int, high: int) -> Span:
    if text[start].isdecimal() or _is_point(text, start):
        code = _CODED.search(text, max(low, start - 4), start + 2)
        start = code.start() if code else _sign_before(text, start, low)
    if text[start] == "$" and (country := _COUNTRY_DOLLAR.search(text, low, start)):
        start = country.start()
    if _is_sign(text, start - 1, low):
        start -= 1
    limit = _LIMIT.search(text, max(low, start - 2), start)
    if limit and (text[start] in "-−" or _UNSIGNED.match(text, start)):
        start = limit.start()
    amount = text[end - 1].isdecimal() or text[end - 1] == "%"
    # "$38$ billion", "$5\%$": a dollar sign on both sides, as in LaTeX.
    if amount and end < high and text[end] == "$" and text.count("$", start, end) % 2:
        end += 1
    if text[end - 1].isdecimal() and (percent := _PERCENT.match(text, end, high)) is not None:
        end = percent.end()
    money = any(map(_is_currency, text[start:end])) or _CODED.search(text, start, end) is not None
    if text[end - 1].isdecimal() or text[end - 1] == "$":
        counted = _YEAR_MAGNITUDE if _YEAR.fullmatch(text, start, end) else _COUNT_MAGNITUDE
        magnitude = (_MONEY_MAGNITUDE if money else counted).match(text, end, high)
        if magnitude is not None:
            end = magnitude.end()
    if not money and text[start].isdecimal():
        end = _sign_behind(text, end, high)
    if _RANGE.match(text, start, end) and (between := _BETWEEN.search(text, max(low, start - 8), start)):
        start = between.start()  # "between $4.8 and $4.9 billion" is one amount, without its first word two
    return start, end


def _whole_half(text: str, start: int, end: int, low: int, high: int) -> Span:
    """The span with all of a "two and a half million" that it holds a part of."""
    if "alf" in text[low:high].lower():
        for halved in HALVED.finditer(text, low, high):
            if halved.start() < end and start < halved.end():
                start, end = min(start, halved.start()), max(end, halved.end())
    return start, end


def _sign_before(text: str, start: int, low: int) -> int:
    """Where the currency sign of the amount at ``start`` stands, at most one space before it; else ``start``."""
    at = start - 1
    if at > low and text[at] in " \u00a0" and not text[low : at - 1].rstrip()[-1:].isdecimal():  # no "5 €" before it
        at -= 1
    return at if at >= low and _is_currency(text[at]) else start


def _sign_behind(text: str, end: int, high: int) -> int:
    """The end of the currency sign that follows an amount ("38 €", "38$") and belongs to no other; else ``end``."""
    at = end + (end < high and text[end] in " \u00a0" and text[end + 1 : end + 2] != "$")
    if at < high and _is_currency(text[at]) and not (at + 1 < len(text) and text[at + 1].isalnum()):
        return at + 1
    return end


def _is_currency(character: str) -> bool:
    return unicodedata.category(character) == "Sc"


def _is_sign(text: str, at: int, low: int) -> bool:
    """Whether the character at ``at`` is the minus or plus of an amount, not a dash or a hyphen."""
    if at < low or text[at] not in "-−–+" or (at > low and not (text[at - 1].isspace() or text[at - 1] in "([“<>≤≥=")):
        return False
    if text[at] == "–" and text[max(0, at - 2) : at - 1].isdecimal():  # "5 –7"
        return False
    return _UNSIGNED.match(text, at + 1) is not None


def _balanced(text: str, start: int, end: int, low: int, high: int) -> Span:
    stack: list[int] = []
    for at in range(start, end):
        character = text[at]
        if character == "“" and stack and text[stack[-1]] == "„":
            stack.pop()
        elif character in _PAIRS:
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
    for at in reversed(stack):
        if not start <= at < end:
            continue
        closing = _PAIRS[text[at]]
        if end < high and text[end] == closing:
            end += 1
        elif at == start:
            start += 1
        else:
            place = text.find(closing, end, min(high, end + 40))
            if place >= 0:
                end = place + 1
            elif at - start < (end - start) / 2:
                start = at + 1
            else:
                end = at
    quoted = text.rfind("‘", start, end)  # no pair: most of "’" are apostrophes, and "‘90s" is never closed
    if quoted > start and not _CLOSED.search(text, quoted, end):
        closed = _CLOSED.search(text, end, min(high, end + 40))
        end = closed.end() if closed else end
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


def _without_loose_edges(text: str, start: int, end: int, low: int, high: int) -> Span:
    before = None
    while before != (start, end) and start < end:
        before = (start, end)
        while start < end and (text[start] in _LOOSE + ".!?" or text[start].isspace() or text[start] in "”’)]}»\0"):
            if _begins_word(text, start, end, low) or _is_sign(text, start, low):
                break
            start += 1
        while start < end and (text[end - 1] in _LOOSE or text[end - 1].isspace() or text[end - 1] in "‘([{«\0"):
            if text[end - 1] in "-–" and SIGN_BEHIND.match(text, end - 1):
                break
            end -= 1
        if note := _NOTE.search(text, max(start, end - 3), end):
            end = note.start()
        if start < end and text[end - 1] == "“" and "„" not in text[start:end]:
            end -= 1
        stop = text[end - 1] if start < end else ""
        kept = _KEPT_STOP if end < high else _ABBREVIATION  # "Inc." keeps its stop but at the sentence's end
        if stop in ("!", "?") or (stop == "." and not _ends_with(kept, text, start, end)):
            end -= 1
        for opening, closing in (*_QUOTED, ("(", ")"), ("[", "]")):
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
        start, end = _without_lone_apostrophes(text, start, end, low)
    return start, end


def _begins_word(text: str, at: int, end: int, low: int) -> bool:
    """Whether the full stop at ``at`` belongs to what follows: ".5", ".NET"."""
    if text[at] != "." or at + 1 >= end:
        return False
    return _is_point(text, at) or (text[at + 1].isalpha() and (at == low or text[at - 1].isspace()))


def _without_lone_apostrophes(text: str, start: int, end: int, low: int) -> Span:
    """Leave off straight single quotation marks around the whole or at one side; "users'" and "'90s" keep theirs."""
    if start >= end:
        return start, end
    opened = text[start] == "'" and not (start > low and _is_word(text[start - 1]))
    if opened and end - start >= 2 and text[end - 1] == "'":
        return start + 1, end - 1
    if opened and text[start + 1 : start + 2].isalpha() and not _CLOSED.search(text, start + 1, end):
        return start + 1, end
    if text[end - 1] == "'" and start > low and text[start - 1] == "'":
        return start, end - 1
    return start, end
