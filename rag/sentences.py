"""``--reader none``: the best whole sentence of the top passages, without a neural reader.

A sentence is judged by the cosine of its vector with the question's, by the share of the question's rare words that it
holds, by whether it has the kind of thing that is asked for (a number for "how much"), and by its passage's rank score.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from index.embed import Encoder
from index.passage import Hit, Passage, Span
from index.tokens import tokenize
from rag.reader import ScoredSpan

# Chosen on questions of the open sets, not on those that score the project (see eval/results.md).
COSINE, WORDS, KIND, PASSAGE = 1.0, 0.6, 0.15, 0.25

_NUMBER = re.compile(r"\d")
_TIME = re.compile(
    r"\b(?:1\d|20)\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|year|quarter|month|week|day|century)s?\b"
)
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w'’-]+|^[A-Z][\w'’-]+ [A-Z]")
_REASON = re.compile(r"\b(?:because|due|since|therefore|thus|so that|in order|reason|caus|driven|allow|enabl)", re.I)
_KINDS = (
    (re.compile(r"\bhow (?:much|many|large|big|long|far|old|high|fast|often)\b|\bwhat (?:share|percentage|number|amount|price|sum)\b", re.I), _NUMBER),
    (re.compile(r"\bwhen\b|\b(?:what|which|in what) (?:year|month|day|date|time|century|decade)\b|\bby when\b", re.I), _TIME),
    (re.compile(r"\bwho(?:m|se)?\b|\b(?:which|what) (?:company|companies|firm|person|analyst|bank|country|city)\b", re.I), _NAME),
    (re.compile(r"\bwhy\b|\bfor what reason\b", re.I), _REASON),
)  # fmt: skip


class SentenceReader:
    """Whole sentences as spans, scored by the encoder and by words."""

    name = "none"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.identity = "sentences@1"

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        """Every sentence of the hits' passages, best first, ties by passage_id and start."""
        places = [(hit, sentence) for hit in hits for sentence in hit.passage.sentences]
        if not places:
            return []
        texts = [_text(hit.passage, sentence) for hit, sentence in places]
        vectors = self._encoder.encode_passages([question, *texts])
        cosines = vectors[1:] @ vectors[0]
        words = _words(question, texts)
        kinds = [sought for asked, sought in _KINDS if asked.search(question)]
        top = max(hit.score for hit in hits) or 1.0
        spans = []
        for i, (hit, (start, end)) in enumerate(places):
            kind = float(bool(kinds) and all(sought.search(texts[i]) for sought in kinds[:1]))
            score = COSINE * cosines[i] + WORDS * words[i] + KIND * kind + PASSAGE * hit.score / top
            signals = {"sentence_cosine": float(cosines[i]), "sentence_words": float(words[i])}
            spans.append(ScoredSpan(hit, start, end, (start, end), float(score), signals))
        return sorted(spans, key=lambda span: (-span.score, span.hit.passage.passage_id, span.start))


def _text(passage: Passage, sentence: Span) -> str:
    start, end = sentence
    return passage.text[start - passage.start : end - passage.start]


def _words(question: str, sentences: Sequence[str]) -> np.ndarray:
    """The share, in [0, 1], of the question's idf mass whose words stand in each sentence; idf among these sentences."""
    wanted = set(tokenize(question))
    held = [wanted & set(tokenize(sentence)) for sentence in sentences]
    n = len(sentences)
    idf = {word: math.log(1 + (n - d + 0.5) / (d + 0.5)) for word in wanted for d in [sum(word in h for h in held)]}
    mass = sum(idf.values()) or 1.0
    return np.array([sum(idf[word] for word in h) / mass for h in held])
