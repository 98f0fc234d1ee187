"""Where a question's answers stand: the passages that hold one, and how much of its wording their sentences copy."""

import re
from collections.abc import Callable, Iterable

from eval.asked import Library, shown_sentences, shown_text
from eval.questions import Question
from eval.spans import holds, plain
from index.sentences import joined
from index.tokens import STOP_WORDS
from rag.normal import normalise

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile("['\u2019]s\\b")


class Holders:
    """The passages of an index, prepared once for many questions. Memory: about three times the passages' text."""

    def __init__(self, library: Library) -> None:
        """Read the passages once; they are not kept."""
        self._places: dict[str, list[tuple[int, int, int]]] = {}
        # SQuAD's own words, and those of the sentence hits: "1998-2001" with a dash is one word there and two here.
        self._words = (_Words(normalise), _Words(plain))
        for passage in library.passages:
            shown = shown_text(library, passage)
            text = joined(shown, (0, len(shown)))  # SQuAD's normalisation keeps NULs
            for words in self._words:
                words.add(passage.passage_id, text)
            self._places.setdefault(passage.doc_id, []).append((passage.passage_id, passage.start, passage.end))

    def holding(self, question: Question) -> frozenset[int]:
        """The passage_ids that a fair asker without the answer must not see.

        Those whose text, as both searches see it, holds one of the answers as a run of whole words, under SQuAD's
        normalisation or that of ``eval.spans.plain``, and those that overlap a place where the set says that an answer
        stands.
        """
        found = {row for answer in question.answers for words in self._words for row in words.holding(answer)}
        for answer, (doc_id, start) in zip(question.answers, question.places, strict=False):
            if start >= 0:
                end = start + len(answer)
                found.update(row for row, first, last in self._places.get(doc_id, ()) if first < end and start < last)
        return frozenset(found)


class _Words:
    """An inverted index of normalised texts, for runs of whole words."""

    def __init__(self, normaliser: Callable[[str], str]) -> None:
        self._normaliser = normaliser
        self._texts: dict[int, str] = {}
        self._rows: dict[str, list[int]] = {}

    def add(self, row: int, text: str) -> None:
        words = self._normaliser(text)
        self._texts[row] = f" {words} "
        for word in set(words.split()):
            self._rows.setdefault(word, []).append(row)

    def holding(self, answer: str) -> list[int]:
        words = self._normaliser(answer)
        if not words:
            return []
        rarest = min((self._rows.get(word, []) for word in words.split()), key=len)
        return [row for row in rarest if f" {words} " in self._texts[row]]


class Sentences:
    """The sentences of the documents that a set's questions name, for the share of copied wording."""

    def __init__(self, library: Library, doc_ids: Iterable[str]) -> None:
        """Keep the sentences of these documents."""
        self._of: dict[str, list[str]] = {doc_id: [] for doc_id in doc_ids}
        for passage in library.passages:
            if passage.doc_id in self._of:
                texts = [joined(text, (0, len(text))) for _, text in shown_sentences(library, passage)]
                self._of[passage.doc_id].extend(texts)

    def overlap(self, question: Question) -> float | None:
        """The share of the question's content words that stand in a gold sentence, in 0..1, the largest of several.

        Content words: lower case, possessive 's cut off, without ``index.tokens.STOP_WORDS``, not stemmed. A gold
        sentence stands in a document of the question and holds an answer; None when no sentence does.
        """
        asked = _content_words(question.question)
        gold = [
            _content_words(sentence)
            for doc_id in question.documents
            for sentence in self._of.get(doc_id, ())
            if holds(sentence, question.answers)
        ]
        return max(len(asked & words) for words in gold) / len(asked) if asked and gold else None


def _content_words(text: str) -> set[str]:
    return set(_WORD.findall(_POSSESSIVE.sub("", text.lower()))) - STOP_WORDS
