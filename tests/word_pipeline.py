"""A small pipeline for the evaluation's tests: words in common for search and reading, nothing learned."""

import re
from collections.abc import Sequence
from pathlib import Path

from eval.questions import Question, QuestionSet
from index.errors import InputError
from index.passage import Document, Hit, Passage
from rag.answer import Answer, Candidate, Support, cite
from rag.copies import FOUND
from rag.pipeline import Trace

TEXTS = {
    "bridge of iron.txt": "The bridge is of iron. It opened in 1890.",
    "tower.txt": "The tower is of glass. Nobody likes the tower.",
    "wall.txt": "The wall is of stone. It opened in 1990–1991.",
}
NONE: frozenset[int] = frozenset()


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"the", "is", "of", "in", "it"}


class Shelf:
    """A passage a sentence."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._documents = {
            doc_id: Document(doc_id, text, source_sha256=f"raw {text}") for doc_id, text in texts.items()
        }
        self.passages: list[Passage] = []
        for doc_id, text in sorted(texts.items()):
            for found in re.finditer(r"[^. ][^.]*\.", text):
                row, span = len(self.passages), found.span()
                self.passages.append(Passage(row, doc_id, *span, found[0], (span,)))

    @property
    def doc_ids(self) -> list[str]:
        return list(self._documents)

    def document(self, doc_id: str) -> Document:
        return self._documents[doc_id]

    def __len__(self) -> int:
        return len(self.passages)

    def passage(self, row: int) -> Passage:
        return self.passages[row]


class WordPipeline:
    """Ranks passages by words in common; answers with a passage's last word, if half of the question's words match."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.index = Shelf(texts)
        self.searched: list[tuple[str, frozenset[int]]] = []
        self.read: list[list[Hit]] = []

    def search(self, query: str, k: int = 10, exclude: frozenset[int] = NONE) -> list[Hit]:
        if not words(query):
            raise InputError("the question has no words.")
        self.searched.append((query, exclude))
        scored = [
            Hit(passage, len(words(query) & words(passage.text)) / len(words(query)))
            for passage in self.index.passages
            if passage.passage_id not in exclude
        ]
        return sorted(scored, key=lambda hit: (-hit.score, hit.passage.passage_id))[:k]

    def trace(self, question: str, k: int = 3, exclude: frozenset[int] = NONE) -> Trace:
        return self.trace_from(question, self.search(question, FOUND, exclude), k)

    def trace_from(self, question: str, hits: Sequence[Hit], k: int = 3, retrieve_ms: float = 0.0) -> Trace:
        self.read.append(list(hits))
        timings = {"retrieve": retrieve_ms, "read": 2.0, "total": 3.0}
        return Trace(self._answer(question, hits, k, timings), tuple(hits), ())

    def _answer(self, question: str, hits: Sequence[Hit], k: int, timings: dict[str, float]) -> Answer:
        # Of a passage of several sentences: each of them.
        found = [self._candidate(hit, sentence) for hit in hits for sentence in hit.passage.sentences]
        if found and found[0].confidence >= 0.5:
            best = found[0]
            others = tuple(found[1 : k + 1])
            return Answer(
                question, True, best.answer, best.confidence, None, best.citations, (), best.support, others, timings
            )
        sure = found[0].confidence if found else 0.0
        return Answer(question, False, None, sure, "weak", alternatives=tuple(found[:k]), timings_ms=timings)

    def _candidate(self, hit: Hit, sentence: tuple[int, int]) -> Candidate:
        document = self.index.document(hit.passage.doc_id)
        span = (document.text.rindex(" ", *sentence) + 1, sentence[1] - 1)
        citation = cite(document, span, sentence)
        return Candidate(citation.quote, hit.score, (citation,), Support(1, 1))


QUESTIONS = (
    Question("q1", "What is the bridge of?", ("iron",), ("bridge of iron.txt",), gold={"bridge of iron.txt": 1}),
    Question("q2", "What material is the tower of?", ("a glass", "crystal"), ("tower.txt",), gold={"tower.txt": 1}),
    Question("q3", "Which wall opened when somewhere?", ("1990",), ("wall.txt",), gold={"wall.txt": 2}),
    Question("q4", "Who likes it?", answerable=False),
)


def own_set(*questions: Question, corpus: tuple[Document, ...] | None = None) -> QuestionSet:
    return QuestionSet("own", Path("own.jsonl"), questions or QUESTIONS, corpus, "0" * 64)
