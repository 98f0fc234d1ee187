"""Gold documents whole, as hits."""

from dataclasses import replace

import pytest

from eval.blame import Blamer
from eval.paragraphs import Paragraphs
from eval.questions import Question
from index.errors import InputError
from rag.spans import SpanReader, Window
from tests.word_pipeline import QUESTIONS, TEXTS, WordPipeline

WALL = Question("q", "It opened?", ("1990",), ("wall.txt",), gold={"wall.txt": 1})


def test_a_document_is_one_passage_with_all_its_sentences() -> None:
    (hit,) = Paragraphs(WordPipeline(TEXTS), [WALL]).hits(WALL)
    text = TEXTS["wall.txt"]
    passage = hit.passage
    assert (passage.doc_id, passage.start, passage.end, passage.text) == ("wall.txt", 0, len(text), text)
    assert [text[start:end] for start, end in passage.sentences] == ["The wall is of stone.", "It opened in 1990–1991."]
    # The score and the id of its best passage: the second.
    assert (hit.score, passage.passage_id) == (1.0, 5)


def test_several_documents_best_first_and_no_other() -> None:
    both = replace(WALL, gold={"wall.txt": 1, "tower.txt": 1, "bridge of iron.txt": 0})
    found = Paragraphs(WordPipeline(TEXTS), [both]).hits(both)
    assert [(hit.passage.doc_id, hit.score) for hit in found] == [("wall.txt", 1.0), ("tower.txt", 0.0)]


def test_a_document_that_is_not_in_the_index_is_not_read() -> None:
    absent = replace(WALL, gold={"gate.txt": 1})
    assert Paragraphs(WordPipeline(TEXTS), [absent]).hits(absent) == []


def test_an_unusable_question() -> None:
    with pytest.raises(InputError, match="no words"):
        Paragraphs(WordPipeline(TEXTS), [WALL]).hits(replace(WALL, question="?"))


def test_what_was_handed_over_is_lost_by_the_reader() -> None:
    pipeline = WordPipeline(TEXTS)
    question = QUESTIONS[2]
    blame = Blamer(pipeline, [question]).blame(
        question, Paragraphs(pipeline, [question]).hits(question), searched=False
    )
    assert (blame.stage, blame.fused) == ("reader", None)


def test_a_reader_sees_the_whole_text() -> None:
    class Network:
        identity = "seen"
        texts: tuple[str, ...] = ()

        def windows(self, question: str, texts: list[str]) -> list[Window]:
            self.texts = tuple(texts)
            return []

        def logits(self, windows: object) -> list[object]:
            return []

    network = Network()
    SpanReader(network, "seen").read("?", Paragraphs(WordPipeline(TEXTS), [WALL]).hits(WALL))  # type: ignore[arg-type]
    assert network.texts == (TEXTS["wall.txt"],)
