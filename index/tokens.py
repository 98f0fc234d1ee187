"""Text into the words that sparse retrieval matches by, with where each stands."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_NEAR = 40  # characters looked at on either side of a word in capitals
MAX_LENGTH = 64  # characters kept of a token: what is longer is no word (base64, a line without spaces)

# The words of questions and sentences that name nothing. No negations ("not" decides a fact), and no "us", "may",
# "will" or "can" (a country, a month, a person, a tin). Against no list: + 2.2 points of nDCG@10 over the eight open
# sets of eval.weights; stemming: + 3.3; joining hyphenated words as well: nothing.
_STOP_WORDS = """
    a about an and are as at be been being but by did do does doing for from had has have he her hers him his how i
    if in into is it its itself me my of on or our ours she so than that the their theirs them then there these they
    this those to was we were what when where which while who whom whose why with you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

# One word for each unit of an amount, whichever way it is written.
_SAME = {"bn": "billion", "tn": "trillion", "trn": "trillion", "mn": "million", "mln": "million"}
_AFTER_MONEY = _SAME | {"k": "thousand", "m": "million", "b": "billion", "t": "trillion"}

# Combining marks of the scripts that use them inside words, which \w leaves out.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
)
INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\u00ad\u200b\u2060\ufeff]+")
"""Characters that show nothing and part nothing: controls, soft hyphen, zero-width space, word joiner, BOM."""
LINE_HYPHEN = re.compile(r"[-\u00ad\u2010](?:\r\n|[\n\r])[ \t]*")
"""A hyphen at the end of a line, up to the word's other half."""
ITEM = re.compile(r"(?:[-*+•‣▪–—]|\d{1,2}[.)])\s")
"""How an item of a list begins."""
_SILENT = "\u00ad\u200b-\u200d\u2060\ufeff"  # soft hyphen, zero-width spaces and joiners
RAISED = "\u00b9\u00b2\u00b3\u2070\u2074-\u2079"
"""Superscript digits, for a class of characters in a pattern."""
_LOWERED = "\u2080-\u2089"
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without spaces: each is a word
_LETTER = rf"(?:[^\W_{_IDEOGRAPHS}]|[{_MARKS}{_SILENT}])"
_DOLLARS = r"(?:US|AU|CA|HK|NT|NZ|A|C|S)"
_TOKEN = re.compile(
    rf"""
      (?P<formula>(?!{_DOLLARS}\$)(?<![^\W_])[A-Za-z]{{1,16}}\$\d{{1,16}}(?:\.\d{{1,16}})?\$[A-Za-z]*+)  # GB$200$
    | (?P<initials>(?<![^\W_])[^\W\d_](?:\.[^\W\d_](?![^\W_]))++)                                        # U.S. p.m.
    | (?P<money>(?:(?<![^\W_]){_DOLLARS})?[$€£¥₹])?+
      (?P<number>\d{{1,3}}(?:,\d{{3}}(?!\d))++(?:\.\d++)?|\d++(?:\.\d++)*+)[{RAISED}{_LOWERED}]*+
      (?P<unit>{_LETTER}*+)                                                                              # $1,000 38bn
      (?:['\u2019\u02bc]s(?![^\W_]))?+                                                                   # 1990's
    | (?P<percent>(?:(?<=[\d$\\])|(?<=\d[ \u00a0\u2009\u202f]))%)
    | (?P<word>{_LETTER}++(?:['\u2019\u02bc\uff07]{_LETTER}++)*+)                                        # Nvidia's
    | (?P<ideograph>[{_IDEOGRAPHS}])
    """,
    re.VERBOSE,
)
_UNMARKED = re.compile(f"[\u0300-\u036f{_SILENT}]")
# The mark of a note behind a word; "m²" and "km³" are too short to bear one.
_MARK = re.compile(rf"(?:(?<=[^\W\d_]{{3}})|(?<=['\u2019\u02bc]s))[{RAISED}]+$")
_POSSESSIVE = re.compile("['\u2019\u02bc]s$")
_APOSTROPHES = re.compile("['\u2019\u02bc]")
# Letters that no normal form takes apart.
_STROKED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th"})
_ORDINAL = frozenset(("st", "nd", "rd", "th"))
_local = threading.local()


def tokenize(text: str) -> list[str]:
    """The tokens of ``text`` in their order: those of ``tokenize_spans``, without their places."""
    return [token for token, _, _ in _tokens(text)]


def tokenize_spans(text: str) -> list[tuple[str, int, int]]:
    """The tokens of ``text`` with the half-open span of code points each was read from, ascending and disjoint."""
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "unit":
            yield from _amount(match)
            continue
        word = match[0][: 4 * MAX_LENGTH]
        token = "percent" if kind == "percent" else _term(word)
        if not token and _is_name(match):
            token = _term(word, name=True)
        if token:
            yield token, match.start(), match.end()


def _is_name(match: re.Match[str]) -> bool:
    """Whether a stop word is written as an acronym: "W.H.O.", or "WHO" near a lower-case letter of its line.

    In a line of capitals (a heading, a question typed so) they say nothing.
    """
    if match.lastgroup == "initials":
        return True
    text, (start, end) = match.string, match.span()
    word = _POSSESSIVE.sub("", match[0])
    if len(word) < 2 or not word.isupper():
        return False
    before = text[max(0, start - _NEAR) : start].rpartition("\n")[2]
    after = text[end : end + _NEAR].partition("\n")[0]
    return any(char.islower() for char in before + after)


def _amount(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """A number and what is written onto it: "38bn" is "38 billion", "1GW" is "1 GW"; "2nd", "5G", "1990s" are one.

    "1990's" is the decade, the "'s" of any other number ("2024's") a possessive.
    """
    start, middle, end = match.start("number"), match.start("unit"), match.end()
    number = _folded(match["number"][: 4 * MAX_LENGTH]).replace(",", "")[:MAX_LENGTH]
    unit = _folded(match["unit"][: 4 * MAX_LENGTH])
    unit = (_AFTER_MONEY if match["money"] else _SAME).get(unit, unit)
    if not unit:
        decade = end > middle and len(number) == 4 and number.endswith("0")
        yield number + "s" * decade, start, end
    elif len(unit) == 1 or unit in _ORDINAL or not unit.isalpha():
        yield (number + unit)[:MAX_LENGTH], start, end
    else:
        yield number, start, middle
        if token := _term(unit):
            yield token, middle, end


@lru_cache(maxsize=1 << 16)
def _term(word: str, name: bool = False) -> str:
    """What ``word`` is matched by; empty for a stop word, unless it is a ``name``."""
    bare = _folded(_MARK.sub("", word)).replace("$", "").replace(".", "")
    folded = _APOSTROPHES.sub("", _POSSESSIVE.sub("", bare))
    if folded in STOP_WORDS and not name:
        return ""
    return _stem(_SAME.get(folded, folded)[:MAX_LENGTH])


def _folded(text: str) -> str:
    """Without case, compatibility forms (NFKC), accents and strokes on letters, or silent characters."""
    if text.isascii():
        return text.lower()
    bare = _UNMARKED.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", bare).casefold().translate(_STROKED)


def _stem(word: str) -> str:
    # A Stemmer is not safe to share between threads.
    stemmer: Any = getattr(_local, "stemmer", None)
    if stemmer is None:
        import Stemmer

        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    stemmed: str = stemmer.stemWord(word)
    return stemmed
