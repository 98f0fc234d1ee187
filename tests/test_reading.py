"""The reader's own figures: by hand, on questions whose answers are known."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from eval.calibration import fitted_titles, halves, title
from eval.questions import load_set
from eval.reading import PASSAGES, given, speed
from index.passage import Hit
from rag.minireader import MiniReader
from rag.reader import ScoredSpan
from rag.spans import SpanReader
from tests.towns import write_towns

TEXT = "The mill was built in 1862. Jane Ash owned it."


class Finds:
    """A reader that finds given words with a given margin, by question."""

    name, identity = "finds", "finds@1"

    def __init__(self, found: Mapping[str, tuple[str, float]]) -> None:
        self.found = found

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        if question not in self.found:
            return []
        words, margin = self.found[question]
        (hit,) = hits
        start = hit.passage.text.index(words)
        sentence = next(s for s in hit.passage.sentences if s[0] <= start < s[1])
        return [ScoredSpan(hit, start, start + len(words), sentence, margin, {"margin": margin})]


def squad(folder: Path, questions: Mapping[str, list[str]]) -> Path:
    asked = [
        {
            "id": text,
            "question": text,
            "is_impossible": not answers,
            "answers": [{"text": answer, "answer_start": TEXT.index(answer)} for answer in answers],
        }
        for text, answers in questions.items()
    ]
    path = folder / "squad.json"
    content = {"version": "2", "data": [{"title": "Mill", "paragraphs": [{"context": TEXT, "qas": asked}]}]}
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_given_the_paragraph(tmp_path: Path) -> None:
    question_set = load_set(squad(tmp_path, {"When?": ["1862"], "Who?": ["Jane Ash"], "Why?": [], "Where?": []}))
    reader = Finds({"When?": ("1862", 5.0), "Who?": ("Jane Ash owned", 1.0), "Why?": ("mill", 3.0)})
    found = given(question_set, question_set.questions, reader)
    assert found["EM"] == 50
    assert found["F1"] == pytest.approx(90)  # 1 and 2 * 2 / (2 + 3)
    assert found["AUROC"] == pytest.approx(3 / 4)
    # Answering "When?" alone is right on 3 of 4; "Who?" comes after a wrong "Why?".
    assert found["best_F1"] == pytest.approx(75)


def test_without_questions_that_have_no_answer(tmp_path: Path) -> None:
    question_set = load_set(squad(tmp_path, {"When?": ["1862"], "Who?": ["Jane Ash"]}))
    found = given(question_set, question_set.questions, Finds({"When?": ("1862", 5.0)}))
    assert found == {"n": 2, "EM": 50, "F1": 50}


def test_questions_without_an_answer_have_an_article_too(tmp_path: Path) -> None:
    question_set = load_set(squad(tmp_path, {"When?": ["1862"], "Why?": []}))
    assert [title(question) for question in question_set.questions] == ["Mill", "Mill"]
    assert fitted_titles(question_set) == frozenset()  # half of one article, rounded down
    fitted, reported = halves(question_set)
    assert (fitted, len(reported)) == ([], 2)


@pytest.mark.slow
def test_every_reader_is_timed_on_the_same_paragraphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("eval.reading.TIMED", 2)
    read: list[tuple[str, str, tuple[str, ...]]] = []

    class Notes(SpanReader):
        def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
            read.append((self.name, question, tuple(hit.passage.doc_id for hit in hits)))
            return super().read(question, hits)

    monkeypatch.setattr("eval.reading.SpanReader", Notes)
    monkeypatch.setattr("eval.reading.load_reader", lambda _: Notes(MiniReader("fp32"), "transformers"))
    question_set = load_set(write_towns(tmp_path) / "squad11_train" / "squad.json")
    found = speed(question_set, question_set.questions)
    names = ["int8", "whole", "fp32", "transformers"]
    assert [name for name, _, _ in read] == 3 * names  # the first question twice: it warms up
    for turn in range(3):
        (_, question, documents), *others = read[4 * turn : 4 * turn + 4]
        assert question == question_set.questions[max(0, turn - 1)].question
        assert len(set(documents)) == PASSAGES
        assert {(asked, given) for _, asked, given in others} == {(question, documents)}
    assert set(found) == {"tokens", "transformers/int8", *(f"{name}_ms" for name in names)}
    assert found["transformers/int8"] == pytest.approx(found["transformers_ms"] / found["int8_ms"])
