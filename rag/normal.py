"""When two wordings are the same: the normalisation of SQuAD's official evaluation script."""

import re
import string

ARTICLES = re.compile(r"\b(a|an|the)\b")
_US_DOLLARS = re.compile(r"\bUS\$", re.IGNORECASE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space collapsed (Rajpurkar et al. 2016)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def wording(text: str) -> str:
    """What two spans of one wording have in common: SQuAD's normalisation, "US$38 billion" being "$38 billion"."""
    return normalise(_US_DOLLARS.sub("$", text)) or text
