"""When two wordings are the same, and how far: the rules of SQuAD's official scripts (Rajpurkar et al. 2016, 2018)."""

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
_US_DOLLARS = re.compile(r"\bUS\$", re.IGNORECASE)
# What SQuAD's normalisation would delete and an amount is not the same without: "3.8" is no "38", "-5" no "5".
_AMOUNT_SIGNS = (
    (re.compile(r"(?<=\d)\.(?=\d)"), "·"),
    (re.compile(r"(?<=\d)[-–](?=\d)"), "–"),
    (re.compile(r"(?<![\w)])[-−](?=[$€£¥]?\.?\d)"), "−"),
    (re.compile(r"(?<=\d)\s?(?:\\?%|per ?cent\b)", re.IGNORECASE), " percent "),
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
    """What two spans of one wording have in common: SQuAD's normalisation, but amounts that differ stay apart.

    "US$38 billion" is "$38 billion" and "5%" is "5 percent", but "$3.8 billion" is another amount.
    """
    said = _US_DOLLARS.sub("$", text)
    for sign, mark in _AMOUNT_SIGNS:
        said = sign.sub(mark, said)
    return normalise(said) or text
