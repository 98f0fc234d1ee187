"""``--reader none``: the best whole sentence of the top passages, without a neural reader.

A sentence's score is the cosine of its vector with the question's, plus the share of the question's rare words that it
holds, plus the share of the passages that the retriever did not put before its own. (How far before says nothing that
compares between questions, and the score feeds a confidence.) Weights other than 1, and a look at the kind of thing
that is asked for (a number for "how much"), gained nothing on SQuAD 1.1 dev.
"""

import math
from collections.abc import Sequence

import numpy as np

from index.layers import DIM
from index.minilm import embedded
from index.passage import Hit
from index.tokens import tokenize
from rag.reader import ScoredSpan


class SentenceReader:
    """Whole sentences as spans, scored by the embedded encoder and by words."""

    name = "none"

    identity = "sentences@2"

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        """Every sentence of the hits' passages, best first, ties by passage_id and start."""
        places = [(hit, sentence) for hit in hits for sentence in hit.passage.sentences]
        if not places:
            return []
        texts = [hit.passage.between(*sentence) for hit, sentence in places]
        vectors = np.empty((1 + len(texts), DIM), np.float32)
        for rows, encoded in embedded().encode([question, *texts]):
            vectors[rows] = encoded
        cosines = np.einsum("ij,j->i", vectors[1:], vectors[0])
        words = _words(question, texts)
        before = {hit.passage.passage_id: sum(other.score > hit.score for other in hits) for hit in hits}
        spans = []
        for i, (hit, (start, end)) in enumerate(places):
            passage = 1 - before[hit.passage.passage_id] / len(hits)
            score = cosines[i] + words[i] + passage
            signals = {"sentence_cosine": float(cosines[i]), "sentence_words": float(words[i])}
            spans.append(ScoredSpan(hit, start, end, (start, end), float(score), signals))
        return sorted(spans, key=lambda span: (-span.score, span.hit.passage.passage_id, span.start))


def _words(question: str, sentences: Sequence[str]) -> np.ndarray:
    """The share, in [0, 1], of the question's idf mass whose words each sentence holds; idf among these sentences."""
    wanted = set(tokenize(question))
    held = [wanted & set(tokenize(sentence)) for sentence in sentences]
    n = len(sentences)
    idf = {word: math.log(1 + (n - d + 0.5) / (d + 0.5)) for word in wanted for d in [sum(word in h for h in held)]}
    mass = sum(idf.values()) or 1.0
    return np.array([sum(idf[word] for word in h) / mass for h in held])
