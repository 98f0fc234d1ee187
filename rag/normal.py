"""When two wordings are the same, and how far: the rules of SQuAD's official scripts (Rajpurkar et al. 2016, 2018)."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rag.values import canonical

ARTICLES = re.compile(r"\b(a|an|the)\b")
# What a name or a grade is not the same without: "C++" is no "C#", "BBB-" no "BBB". A hyphen may also stand for the
# rest of a word: "UK- and US-based".
SIGN_BEHIND = re.compile(
    r"(?<=[A-Za-z0-9%+])\+(?!\w)|(?<=[A-Za-z])#(?!\w)"
    r"|(?:(?<=(?<![\w-])[ABCDO])|(?<=(?<![\w-])[ABCDO]{2})|(?<=(?<![\w-])[ABCDO]{3}))[-−–]"
    r"(?=[\s.,;:!?)\]/'\"’”]|\Z)(?!\s*[\r\n]\s*[a-z])(?!(?:,\s\w+-){0,3},?\s(?:and|or|to)\s\w+-\w)"
)
_LEFT = {"+": "＋", "#": "♯", "-": "⁻", "−": "⁻", "–": "⁻"}  # SQuAD's normalisation deletes ASCII punctuation alone
_HYPHEN = re.compile(r"(?<=[^\W\d_])–(?=\w)")
_AMPERSAND = re.compile(r"(?<=\s)&(?=\s)")
_ARTICLE = re.compile(r"\b(?:a|an|the)\s+(?=\w)")  # "vitamin A" is no "vitamin"
# Behind the comma of "Acme, Inc." no other item begins.
_AND = re.compile(
    r"(?:,?\s(?:and|as well as|along with|(?-i:plus)(?=\s*\w))\b|\s&\s(?=(?-i:[a-z0-9]))"
    r"|,(?!\s*(?:inc|ltd|llc|corp|co|plc|jr|sr)\b))\s*(?:(?:both|then|also)\s+)?",
    re.IGNORECASE,
)
# "Dr. Petra Klamm" is Petra Klamm, but "Mrs. Fox" may not be "Mr. Fox".
_ADDRESS = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Mx|Prof)\b\.?\s+(?=[A-Z][\w.'’-]*\s+[A-Z])")
_BOTH = re.compile(r"\W*both\s+", re.IGNORECASE)

_INVISIBLE = (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_WIDE = (*range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F), *range(0xFFE0, 0xFFE7))  # ligatures; signs of a Chinese width
_LETTERS = dict(zip("ßæÆœŒøØłŁđĐ", ("ss", "ae", "AE", "oe", "OE", *"oOlLdD"), strict=True))
_GLYPHS = str.maketrans(
    dict.fromkeys(map(chr, _INVISIBLE))
    | dict.fromkeys("‘’‚‛´ʼ‹›", "'")
    | dict.fromkeys("“”„‟«»", '"')
    | {"\u2010": "-", "\u2011": "-", "\u2012": "–"}
    | {glyph: unicodedata.normalize("NFKC", glyph) for glyph in map(chr, _WIDE)}
    | _LETTERS
)
_ACCENTS = re.compile("(?<=[A-Za-z])[\u0300-\u036f]+")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space collapsed (Rajpurkar et al. 2016)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def words_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of two bags of normalised words, in [0, 1]; 0 where they share none, so also where both are empty."""
    common = sum((Counter(prediction) & Counter(gold)).values())
    if not common:
        return 0.0
    precision, recall = common / len(prediction), common / len(gold)
    return (2 * precision * recall) / (precision + recall)  # the scripts' own order of operations


@lru_cache(maxsize=4096)  # the spans of a question share words, and each is compared more than once
def wording(text: str) -> str:
    """What two spans of one wording have in common: SQuAD's normalisation, but values that differ stay apart.

    "US$7.5 billion" is "7.5bn dollars" and "twelve" "12" (``rag.values.canonical``), but "$3.8 billion" is another
    amount than "$38 billion" and "C++" another name than "C#". Nor does it matter how a letter or a mark is encoded,
    nor whether it has its accent.
    """
    return _bare(_spelled(text)) or text


@lru_cache(maxsize=4096)
def enumerated(text: str) -> tuple[str, ...]:
    """The wordings of the items that commas, "and" or "plus" join in ``text``, sorted; of other texts its own.

    "A or B" is one item: it says something else than "A and B". So is what has commas behind its "and" ("Portland,
    Oregon, and Springfield, Illinois"): which word goes with which stays open. "&" may stand inside a name.
    """
    said = _spelled(text)
    both = _BOTH.match(said)
    said = said[both.end() :] if both else said
    joints = [match[0].strip() == "," for match in _AND.finditer(said)]
    paired = True in joints[joints.index(False) :] if False in joints else False
    items = (_bare(item) for item in ([said] if paired else _AND.split(said)))
    return tuple(sorted(filter(None, items))) or (text,)


def _spelled(text: str) -> str:
    """``text`` with letters, marks and values in one spelling."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFD", text.translate(_GLYPHS)))
        text = _HYPHEN.sub("-", unicodedata.normalize("NFC", text))
    text = _ADDRESS.sub("", text)
    return canonical(SIGN_BEHIND.sub(lambda match: _LEFT[match[0]], text))


def _bare(text: str) -> str:
    """SQuAD's normalisation, but an article that no word follows is none, and "&" is "and"."""
    if "&" in text:
        text = _AMPERSAND.sub("and", text)
    return _ARTICLE.sub("", " ".join(text.lower().translate(_PUNCTUATION).split()))
