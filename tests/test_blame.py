"""Where a missed question is lost, stage by stage, by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from eval.blame import Blamer, _arm, _stands, is_right, right_words
from eval.questions import Question
from index.build import build_documents
from index.passage import Document, Hit
from index.search import Index
from rag.answer import Answer, cite
from rag.copies import READ
from rag.pipeline import Pipeline
from rag.readers import load_reader
from tests.word_pipeline import TEXTS, WordPipeline

WALL = Question("q", "When was it opened?", ("1990",), ("wall.txt",), gold={"wall.txt": 1})


def hits(pipeline: WordPipeline, *rows: int) -> list[Hit]:
    return [Hit(pipeline.index.passages[row], 1.0) for row in rows]


def test_a_whole_sentence_holds_all_of_a_list_or_one_answer() -> None:
    question = Question("q", "?", ("iron", "tin"))
    sentence = ["The old bridge over the river was made of iron by hand."]
    assert right_words(question, sentence, whole=True)
    assert not right_words(question, sentence, whole=False)
    assert not right_words(replace(question, multi=True), sentence, whole=True)
    assert right_words(replace(question, multi=True), [f"{sentence[0]} And of tin."], whole=True)


def test_an_answer_stands_at_its_place_or_as_whole_words() -> None:
    question = Question("q", "?", ("iron",), places=(("a", 4),))
    assert _stands(question, "a", "The iron gate")
    assert _stands(question, "a", "iron gate", 4)
    assert not _stands(question, "a", "Of old iron")
    assert _stands(question, "b", "Of old iron")  # the set gives no place in this document
    assert not _stands(question, "b", "Of tin")


@pytest.mark.parametrize(
    ("sparse", "dense", "stage"),
    [
        (None, None, "sparse and dense"),
        (None, READ + 1, "sparse"),
        (READ + 1, None, "dense"),
        (READ + 1, READ, "sparse"),
        (READ, READ + 1, "dense"),
        (READ, READ, "fusion"),
        (READ + 1, READ + 1, "fusion"),
    ],
)
def test_the_search_that_lost_it(sparse: int | None, dense: int | None, stage: str) -> None:
    assert _arm(sparse, dense) == stage


def test_a_set_is_sound_where_one_of_the_documents_holds_the_answer() -> None:
    both = replace(WALL, documents=("tower.txt", "wall.txt"))
    blamer = Blamer(WordPipeline(TEXTS), [both])
    assert blamer.sound(both) is True
    assert blamer.sound(replace(both, answers=("steel",))) is False
    assert blamer.sound(replace(both, answers=())) is None
    assert blamer.sound(replace(both, documents=("gate.txt",))) is None


def test_the_passage_that_holds_the_answer_is_looked_for() -> None:
    pipeline = WordPipeline(TEXTS)
    both = replace(WALL, documents=("tower.txt", "wall.txt"))
    blamer = Blamer(pipeline, [both])
    for question in (WALL, both):
        read = blamer.blame(question, hits(pipeline, 0, 5))
        assert (read.stage, read.fused) == ("reader", 2)
        lost = blamer.blame(question, hits(pipeline, 0, 4))  # the wall's other sentence
        assert (lost.stage, lost.fused) == ("sparse and dense", None)
    assert blamer.blame(replace(WALL, documents=("gate.txt",)), []).stage == "not ingested"
    assert blamer.blame(replace(WALL, answers=("steel",)), []).stage == "gold"


def test_the_reader_is_asked_once_more_with_what_holds_the_answer_alone() -> None:
    pipeline = WordPipeline(TEXTS)
    question = Question("q", "Which strange old bridge?", ("iron",), ("bridge of iron.txt",))
    assert Blamer(pipeline, [question]).blame(question, []).isolated is True  # refused, but the best candidate is right
    many = WordPipeline({"a": " ".join(f"Gate {n} is of iron." for n in range(READ + 3))})
    question = replace(question, documents=("a",))
    Blamer(many, [question]).blame(question, [])
    assert len(many.read[-1]) == READ


def test_part_of_a_sentence_that_holds_the_answer_is_not_right() -> None:
    document = Document("a", "The bridge over the river was made of iron by hand.")
    end = len(document.text)
    for start, right in ((0, True), (4, False)):
        cited = cite(document, (start, end), (0, end))
        answer = Answer("?", True, cited.quote, 1.0, None, (cited,))
        assert is_right(Question("q", "?", ("iron",), ("a",)), answer) is right


def test_no_document_named_is_the_set_s_fault() -> None:
    assert Blamer(WordPipeline(TEXTS), [WALL]).blame(replace(WALL, documents=()), []).stage == "gold"


def test_the_rank_of_what_was_found_too_far_down() -> None:
    pipeline = WordPipeline({"a": " ".join(f"Gate {n} is of tin{n}." for n in range(READ + 1)), "b": "It is of stone."})
    question = Question("q", "Which stone?", ("stone",), ("b",))
    lost = Blamer(pipeline, [question]).blame(question, hits(pipeline, *range(READ + 2)))
    assert (lost.stage, lost.fused) == ("sparse and dense", READ + 2)


def test_stages_of_documents_alone_and_the_ranks_of_both_searches(tmp_path: Path) -> None:
    masked = Document("masked", "Of iron.\n", masked=((0, 8),))
    others = [Document(f"{n:02}", f"Dogs bark at the piano {n}.\n") for n in range(20)]
    far = "An xylophone and many other things that are neither soft nor loud beside a piano of old.\n"
    build_documents([masked, Document("blank", " \n"), Document("z", far), *others], tmp_path)
    pipeline = Pipeline(Index.open(tmp_path), load_reader("none"))
    alone = [Question("q", "iron?", documents=(name,)) for name in ("masked", "blank")]
    wanted = Question("q", "Which dogs bark at the piano?", ("xylophone",), ("z",))
    blamer = Blamer(pipeline, [*alone, wanted])
    assert [blamer.blame(question, []).stage for question in alone] == ["masked", "split"]
    lost = blamer.blame(wanted, [])
    assert (lost.stage, lost.sparse, lost.dense, lost.isolated) == ("fusion", 21, 21, True)
    lost = blamer.blame(replace(wanted, question="Which dogs bark?"), [])
    assert (lost.stage, lost.sparse, lost.dense) == ("sparse", None, 21)


def test_half_of_f1_is_right() -> None:
    question = Question("q", "?", ("iron",))
    assert right_words(question, ["old iron bridge"], whole=False)
    assert not right_words(question, ["big old iron bridge"], whole=False)


def test_one_of_two_places_is_enough() -> None:
    question = Question("q", "?", ("tin", "iron"), places=(("a", 0), ("a", 4)))
    assert _stands(question, "a", "The iron gate")
