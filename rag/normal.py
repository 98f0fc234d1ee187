"""When two wordings are the same, and how far: the rules of SQuAD's official scripts (Rajpurkar et al. 2016, 2018)."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
_CURRENCY = r"[$£¥\u20a0-\u20cf]"
_GLYPHS = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u2010": "-", "\u2011": "-", "\u00ad": None})
# What is written in several ways is brought to one. A letter alone is a magnitude only behind money: "5 m" is a length.
_SPELLINGS = (
    (re.compile(r"\bUS\$", re.IGNORECASE), "$"),
    (re.compile(rf"({_CURRENCY})\s+(?=\.?\d)"), r"\1"),
    (re.compile(rf"({_CURRENCY}[\d.,]*\d)[\s-]?m\b", re.IGNORECASE), r"\1 million"),
    (re.compile(r"(?<=\d)[\s-]?(?:mn|million)\b", re.IGNORECASE), " million"),
    (re.compile(r"(?<=\d)[\s-]?(?:bn|billion)\b", re.IGNORECASE), " billion"),
    (re.compile(r"(?<=\d)\s?(?:\\?%|per ?cent\b)", re.IGNORECASE), " percent "),
    (re.compile(r"(?<=\d)(?:-|\sto\s)(?=\d)"), "–"),
    (re.compile(r"(?<=[^\W\d_])–(?=\w)"), "-"),
)
# What SQuAD's normalisation would delete and a value or a name is not the same without: "3.8" is no "38", "-5" no "5",
# "$300" no "300", "C++" no "C#". The dollar signs of LaTeX's "$5\%$" say nothing.
_SIGNS = (
    (re.compile(r"(?<=\d)\.(?=\d)"), "·"),
    (re.compile(r"(?<=\d),(?=\d{1,2}(?!,?\d))"), "·"),
    (re.compile(r"(?<=\d):(?=\d)"), "∶"),
    (re.compile(r"(?<=\d)/(?=\d)"), "⁄"),
    (re.compile(rf"(?<![\w)])[-−](?={_CURRENCY}?\.?\d)"), "−"),
    (re.compile(r"(?<!\w)\$(?=\.?\d)(?![\d.,·–]+ percent)"), "＄"),
    (re.compile(r"(?<=[a-z+])\+(?!\w)", re.IGNORECASE), "＋"),
    (re.compile(r"(?<=[a-z])#(?!\w)", re.IGNORECASE), "♯"),
)
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


def wording(text: str) -> str:
    """What two spans of one wording have in common: SQuAD's normalisation, but values that differ stay apart.

    "US$7.5 billion" is "$7.5bn" and "5–7%" is "5 to 7 percent", but "$3.8 billion" is another amount than "$38 billion"
    and "3/4" another than "34". Nor does it matter how a quotation mark, a hyphen or an accent is encoded.
    """
    said = unicodedata.normalize("NFC", text).translate(_GLYPHS)
    for pattern, mark in (*_SPELLINGS, *_SIGNS):
        said = pattern.sub(mark, said)
    return normalise(said) or text
