"""The spine, with a reader and a calibration whose results are known."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from index.build import build_documents
from index.errors import InputError, ModelError
from index.passage import Document, Hit
from index.search import Index
from rag.calibrate import Calibration
from rag.copies import READ
from rag.pipeline import MAX_QUESTION, Pipeline, checked
from rag.reader import ScoredSpan


class Finds:
    """A reader that finds given words, with given scores."""

    name, identity = "finds", "finds@1"

    def __init__(self, scores: Mapping[str, float]) -> None:
        self.scores = scores
        self.read_hits: list[Hit] = []

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        self.read_hits = list(hits)
        spans = [
            ScoredSpan(hit, passage.start + match.start(), passage.start + match.end(), sentence, score, {"own": score})
            for hit in hits
            for passage in [hit.passage]
            for words, score in self.scores.items()
            for match in re.finditer(re.escape(words), passage.text)
            for sentence in passage.sentences
            if sentence[0] <= passage.start + match.start() < sentence[1]
        ]
        return sorted(spans, key=lambda span: (-span.score, span.hit.passage.passage_id, span.start))


SURE = Calibration({"own": 1.0}, 0.0, 0.5)
ALL = {"1862": 3.0, "$3.5 million": 2.0, "four years": 1.0, "200 kilograms": 0.5, "Sundays": -1.0}


@pytest.fixture(scope="module")
def index(root: Path) -> Index:
    return Index.open(root)


def test_an_answer(index: Index) -> None:
    answer = Pipeline(index, Finds(ALL), SURE).ask("When was the water mill built?")
    assert answer.answered
    assert answer.answer == answer.citations[0].quote == "1862"
    assert answer.reason is None
    assert {c.document for c in answer.citations} == {"mill.txt", "syndicated/mill.txt"}
    assert (answer.support.documents, answer.support.distinct) == (2, 1)
    assert [c.answer for c in answer.alternatives] == ["$3.5 million", "four years", "200 kilograms"]
    assert set(answer.timings_ms) == {"retrieve", "read", "total"}
    assert answer.timings_ms["total"] == pytest.approx(
        answer.timings_ms["retrieve"] + answer.timings_ms["read"], abs=0.02
    )
    for citation in (*answer.citations, *(c for a in answer.alternatives for c in a.citations)):
        document = index.document(citation.document)
        assert document.text[citation.start : citation.end] == citation.quote
        assert document.text[citation.sentence_start : citation.sentence_end] == citation.sentence
        assert citation.sentence_start <= citation.start < citation.end <= citation.sentence_end
        assert citation.sha256 == document.sha256
        assert document.text.split("\n")[citation.line - 1].count(citation.quote)


def test_a_list_that_stands_in_several_places_has_parts(index: Index) -> None:
    found = {"1862": 3.0, "four years": 2.5, "Sundays": -1.0}
    answer = Pipeline(index, Finds(found), SURE).ask("Which two facts of the water mill are known?")
    assert [part.answer for part in answer.parts] == ["1862", "four years"]
    assert answer.answer == "1862"
    assert answer.parts[0].citations == answer.citations
    assert [candidate.answer for candidate in answer.alternatives] == ["Sundays"]  # no item of it is another answer
    for part in answer.parts:
        for citation in part.citations:
            assert index.document(citation.document).text[citation.start : citation.end] == citation.quote
    unsure = Pipeline(index, Finds(found), Calibration({"own": 1.0}, 0.0, 0.99))
    refused = unsure.ask("Which two facts of the water mill are known?")
    assert ([candidate.answer for candidate in refused.alternatives], refused.parts) == (list(found), ())
    assert not Pipeline(index, Finds({"1862": 3.0, "Sundays": -1.0}), SURE).ask("Which two facts are known?").parts
    assert not Pipeline(index, Finds(found), SURE).ask("Which fact of the water mill is known?").parts


def test_a_list_in_another_order_says_the_same(tmp_path: Path) -> None:
    texts = ("Shortlisted were Halden, Norvik and Brask.", "The board has shortlisted Brask, Halden and Norvik.")
    build_documents([Document(str(n), text) for n, text in enumerate(texts)], tmp_path)
    reader = Finds({"Halden, Norvik and Brask": 3.0, "Brask, Halden and Norvik": 2.0})
    pipeline = Pipeline(Index.open(tmp_path), reader, SURE)
    answer = pipeline.ask("Which firms have been shortlisted?")
    assert (answer.support.documents, answer.parts, answer.alternatives) == (2, (), ())
    assert pipeline.ask("Who has been shortlisted?").support.documents == 1


def test_a_story_in_many_papers_leaves_room_for_who_says_otherwise(tmp_path: Path) -> None:
    story = (
        "The mine of Harrow was sold for $12 million, the agency said. The mine employs many. Harrow is a small town."
    )
    papers = [Document(f"paper {n:02}", f"Mine of Harrow sold, paper {chr(97 + n)}\n\n{story}\n") for n in range(16)]
    rival = Document("rival", "A banker says that $15 million was paid for it, of which little is known.")
    build_documents([*papers, rival], tmp_path)
    reader = Finds({"$12 million": 3.0, "$15 million": 2.5, "agency": 2.0})
    pipeline = Pipeline(Index.open(tmp_path), reader, Calibration({"own": 0.1}, 1.0, 0.1))
    question = "For how much was the mine of Harrow sold?"
    assert all(hit.passage.doc_id != "rival" for hit in pipeline.search(question, READ))
    answer = pipeline.ask(question)
    assert {hit.passage.doc_id for hit in reader.read_hits} >= {"rival"}
    assert len(reader.read_hits) == READ
    assert (answer.answer, answer.support.documents, answer.support.distinct) == ("$12 million", 16, 1)
    assert {citation.document for citation in answer.citations} == {paper.doc_id for paper in papers}
    assert [(other.answer, other.support.documents) for other in answer.alternatives] == [
        ("$15 million", 1),
        ("agency", 16),
    ]
    listed = pipeline.ask("Which two sums of the mine of Harrow are known?")
    assert [len(part.citations) for part in listed.parts] == [16, 1]


def test_what_is_left_half_read_is_cited_for_the_same_sentence(index: Index) -> None:
    class HalfReads(Finds):
        """Leaves the second paper's copy of a passage half-read."""

        def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
            return [span for span in super().read(question, hits) if span.hit.passage.doc_id != "syndicated/mill.txt"]

    answer = Pipeline(index, HalfReads(ALL), SURE).ask("When was the water mill built?")
    assert answer.answer == "1862"
    assert {c.document for c in answer.citations} == {"mill.txt", "syndicated/mill.txt"}
    assert (answer.support.documents, answer.support.distinct) == (2, 1)


def test_k_is_how_many_alternatives_and_changes_nothing_else(index: Index) -> None:
    pipeline = Pipeline(index, Finds(ALL), Calibration({"share": 1.0, "own": 0.1}, 1.0, 0.1))
    answers = [pipeline.ask("When was the water mill built?", k) for k in (1, 2, 3, 10)]
    assert [len(answer.alternatives) for answer in answers] == [1, 2, 3, 4]
    assert len({answer.confidence for answer in answers}) == 1
    assert all(answer.alternatives[0] == answers[0].alternatives[0] for answer in answers)


def test_a_refusal(index: Index) -> None:
    answer = Pipeline(index, Finds(ALL), Calibration({"own": 1.0}, 0.0, 0.99)).ask(
        "When was the water mill built?", k=2
    )
    assert (answer.answered, answer.answer, answer.citations, answer.reason) == (False, None, (), "weak")
    assert answer.confidence == pytest.approx(0.9526)  # of the best candidate, refused or not
    assert [c.answer for c in answer.alternatives] == ["1862", "$3.5 million"]
    assert (answer.support.documents, answer.support.distinct) == (0, 0)


def test_the_threshold_itself_answers(index: Index) -> None:
    assert Pipeline(index, Finds({"1862": 0.0}), SURE).ask("When was it built?").answered


def test_no_candidate_is_surer_than_the_one_before(index: Index) -> None:
    backwards = Calibration({"own": -1.0}, 0.0, 0.0)
    answer = Pipeline(index, Finds(ALL), backwards).ask("When was the water mill built?")
    confidences = [answer.confidence, *(c.confidence for c in answer.alternatives)]
    assert confidences == sorted(confidences, reverse=True)


def test_a_reader_that_finds_nothing(index: Index) -> None:
    answer = Pipeline(index, Finds({}), SURE).ask("When was the mill built?")
    assert (answer.answered, answer.reason, answer.confidence, answer.alternatives) == (False, "not_found", 0.0, ())


def test_an_empty_index(tmp_path: Path) -> None:
    build_documents([], tmp_path)
    answer = Pipeline(Index.open(tmp_path), Finds(ALL), SURE).ask("When was the mill built?")
    assert (answer.answered, answer.reason, answer.confidence) == (False, "empty_index", 0.0)


def test_the_reader_gets_the_best_hits(index: Index) -> None:
    reader = Finds(ALL)
    pipeline = Pipeline(index, reader, SURE)
    pipeline.ask("When was the mill built?")
    assert reader.read_hits == pipeline.search("When was the mill built?", READ)
    gone = frozenset(hit.passage.passage_id for hit in reader.read_hits[:2])
    pipeline.ask("When was the mill built?", exclude=gone)
    assert not gone & {hit.passage.passage_id for hit in reader.read_hits}
    everything = frozenset(range(len(index)))
    assert pipeline.ask("When was the mill built?", exclude=everything).reason == "not_found"


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "has no words"),
        (" \t\n", "has no words"),
        ("?! …", "has no words"),
        ("👍", "has no words"),
        ("x" * (MAX_QUESTION + 1), "has 2,001 characters"),
        ("who\0is", "NUL"),
    ],
)
def test_unusable_questions(index: Index, question: str, says: str) -> None:
    pipeline = Pipeline(index, Finds(ALL), SURE)
    for use in (pipeline.ask, pipeline.search, checked):
        with pytest.raises(InputError, match=says) as caught:
            use(question)
        assert "\n" not in str(caught.value)


def test_odd_questions_are_questions(index: Index) -> None:
    pipeline = Pipeline(index, Finds(ALL), SURE)
    for question in (
        "x" * MAX_QUESTION,
        "ما هذا؟",
        "水車は？",
        "\ud800 mill",
        "5",
        "a\nb",
        "\x1b[31mmill",
        "[CLS] [SEP]",
    ):
        assert pipeline.ask(question).question == question
    assert checked("  who?\n") == "who?"


def test_a_reader_without_calibration(index: Index) -> None:
    with pytest.raises(ModelError, match="no confidence was fitted for the reader"):
        Pipeline(index, Finds(ALL))


def test_the_readers_by_name(root: Path) -> None:
    assert Pipeline.open(root, "none").reader.name == "none"
    with pytest.raises(ModelError):
        Pipeline.open(root, "no-such-reader")
