"""How good a ranking is: recall, reciprocal rank, average precision, nDCG.

A ranking is a sequence of doc_ids, best first, none twice; gold (qrels) maps doc_id -> relevance, where above 0 is
relevant and a document that was not judged is not. All return a float in 0..1. The digits are those of trec_eval
(https://github.com/usnistgov/trec_eval) for the same order of documents.
"""

import math
from collections.abc import Mapping, Sequence

Gold = Mapping[str, int]


def recall(ranking: Sequence[str], gold: Gold, k: int) -> float:
    """R@k: relevant documents among the first k, over all relevant ones; 0 when there are none."""
    relevant = _relevant(gold)
    return sum(_found(ranking[:k], relevant)) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], gold: Gold, k: int | None = None) -> float:
    """RR@k: 1 / rank of the first relevant document, 0 when none stands among the first k.

    Voorhees 1999, "The TREC-8 Question Answering Track Report"; with a cutoff as in MS MARCO.
    """
    for rank, found in enumerate(_found(ranking[:k], _relevant(gold)), 1):
        if found:
            return 1.0 / rank
    return 0.0


def average_precision(ranking: Sequence[str], gold: Gold, k: int | None = None) -> float:
    """AP@k: the mean over all relevant documents of the precision at each one's rank; 0 for those not among the first
    k.

    Its mean over queries is MAP (Buckley and Voorhees 2000, "Evaluating Evaluation Measure Stability").
    """
    relevant = _relevant(gold)
    found, total = 0, 0.0
    for rank, hit in enumerate(_found(ranking[:k], relevant), 1):
        if hit:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def ndcg(ranking: Sequence[str], gold: Gold, k: int | None = None) -> float:
    """nDCG@k: sum of relevance / log2(rank + 1) over the first k, over that of the best order possible.

    Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", with trec_eval's discount and its
    linear gain (not 2^relevance - 1); relevance below 0 gives nothing.
    """
    _found(ranking[:k], gold)
    gains = [max(0, gold.get(doc_id, 0)) for doc_id in ranking[:k]]
    best = sorted((relevance for relevance in gold.values() if relevance > 0), reverse=True)[:k]
    return _dcg(gains) / _dcg(best) if best else 0.0


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _relevant(gold: Gold) -> set[str]:
    return {doc_id for doc_id, relevance in gold.items() if relevance > 0}


def _found(ranking: Sequence[str], relevant: set[str] | Gold) -> list[bool]:
    if len(set(ranking)) != len(ranking):
        raise ValueError("a document stands twice in a ranking")
    return [doc_id in relevant for doc_id in ranking]
