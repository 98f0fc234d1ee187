"""Whether an answer is right: exact match, F1, sentence hits, and what a citation is worth.

Exact match and F1 follow the official SQuAD scripts, evaluate-v1.1.py and evaluate-v2.0.py (Rajpurkar et al. 2016 and
2018, https://rajpurkar.github.io/SQuAD-explorer/). Values run from 0 to 1.
"""

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from eval.questions import Question
from rag.normal import ARTICLES, normalise, words_f1

_DASHES = re.compile("[\u2013\u2014]")
_NO_WORD = re.compile(r"[^\w\s]")
_POSSESSIVE = re.compile("['\u2019]s\\b")
_JOINT = re.compile(r"(?<=[^\W\d_])[-\u2010\u2011/](?=[^\W\d_])")


def exact_match(prediction: str, answers: Collection[str]) -> float:
    """1 if the prediction equals one of the answers under ``normalise``, else 0 (evaluate-v2.0.py).

    Answers that normalise to nothing do not count; where none is left, or none was given, the right prediction is "".
    """
    return max(float(normalise(prediction) == normalise(answer)) for answer in _countable(answers))


def f1(prediction: str, answers: Collection[str]) -> float:
    """The best F1 of the prediction's normalised words against those of an answer, as bags (evaluate-v2.0.py).

    Where either side has no words it is 1 if both have none, else 0. Empty answers as in ``exact_match``.
    """
    words = normalise(prediction).split()
    return max(_bag_f1(words, normalise(answer).split()) for answer in _countable(answers))


def list_exact(predictions: Sequence[str], answers: Sequence[str]) -> float:
    """1 if the normalised predictions are the normalised answers, as sets, and as many; else 0.

    As for the lists of DROP and Quoref (Dua et al. 2019, Dasigi et al. 2019: drop_eval.py).
    """
    same = set(map(normalise, predictions)) == set(map(normalise, answers))
    return float(same and len(predictions) == len(answers))


def list_f1(predictions: Sequence[str], answers: Sequence[str]) -> float:
    """F1 of a list: the best one-to-one pairing's sum of word F1, over the longer list's length.

    The same source as ``list_exact``, so that a word counts once in an item; but on the words of SQuAD's normalisation,
    without its rounding to two digits and without its rule that an item's numbers must agree.
    """
    if not predictions or not answers:
        return float(not predictions and not answers)
    from scipy.optimize import linear_sum_assignment  # slow to import, and few sets have lists

    said, wanted = ([list(set(normalise(text).split())) for text in texts] for texts in (predictions, answers))
    pairs = np.array([[_bag_f1(words, gold) for gold in wanted] for words in said])
    return float(pairs[linear_sum_assignment(pairs, maximize=True)].sum()) / max(len(predictions), len(answers))


def answer_scores(question: Question, predictions: Sequence[str]) -> tuple[float, float]:
    """(exact match, F1) of what was answered, best first; () and "" mean refused.

    A question that wants a list is scored by the list metrics, any other by its first prediction.
    """
    given = [text for text in predictions if text]
    if question.multi:
        return list_exact(given, question.answers), list_f1(given, question.answers)
    first = given[0] if given else ""
    return exact_match(first, question.answers), f1(first, question.answers)


# -- sentences and citations -------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Words to look for in running text: as ``normalise``, but "US$" is "$", dashes, slashes and hyphens part words,
    and all punctuation goes, a possessive 's with it.
    """
    parted = _JOINT.sub(" ", _DASHES.sub(" ", text.lower().replace("us$", "$")))
    text = _NO_WORD.sub("", _POSSESSIVE.sub("", parted))
    return " ".join(ARTICLES.sub(" ", text).split())


def holds(text: str, answers: Iterable[str]) -> bool:
    """Whether one of the answers stands in the text as a run of whole words, both under ``plain``."""
    words = f" {plain(text)} "
    return any(f" {plain(answer)} " in words for answer in answers)


def cited_right(sentence: str, document: str, question: Question) -> bool:
    """Whether a citation holds up: its sentence holds a gold answer and stands in a gold document."""
    return document in question.documents and holds(sentence, question.answers)


def sentence_hit(cited: Sequence[tuple[str, str]], question: Question, k: int) -> float:
    """Sentence hit@k: 1 if one of the first k (sentence, document), best candidate first, holds up; else 0."""
    return float(any(cited_right(sentence, document, question) for sentence, document in cited[:k]))


def citation_precision(cited: Sequence[tuple[str, str]], question: Question) -> float:
    """Share of an answer's citations (sentence, document) that hold up; 0 when there are none.

    Citation precision and recall as in Gao et al. 2023, "Enabling Large Language Models to Generate Text with
    Citations", with a gold answer in a gold document in the place of their entailment model.
    """
    return sum(cited_right(*citation, question) for citation in cited) / max(1, len(cited))


def citation_recall(cited: Sequence[tuple[str, str]], question: Question) -> float:
    """Share of the gold documents that a citation which holds up stands in; 0 when there are no gold documents."""
    found = {document for sentence, document in cited if cited_right(sentence, document, question)}
    return len(found) / max(1, len(set(question.documents)))


# -- parts -------------------------------------------------------------------------------------------------------------


def _countable(answers: Collection[str]) -> list[str]:
    return [answer for answer in answers if normalise(answer)] or [""]


def _bag_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    if not prediction or not gold:
        return float(prediction == gold)
    return words_f1(prediction, gold)
