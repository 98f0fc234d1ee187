"""What was run, told from the real pipeline over the sample articles; and that the harness asks it as a user does."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.fingerprint import fingerprint
from eval.harness import DEPTH, ask_all
from eval.questions import QuestionSet, load_set
from index.build import build, build_documents
from index.embed import load_encoder
from index.passage import Document
from index.search import Index
from rag.copies import READ
from rag.pipeline import Pipeline
from rag.readers import load_reader

HERE = Path(__file__).resolve().parent.parent
SAMPLE = HERE / "rag" / "sample"


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample articles at another path, and their index beside it."""
    place = tmp_path_factory.mktemp("sample")
    shutil.copytree(SAMPLE, place / "articles")
    build([place / "articles"], place / "index")
    return place


@pytest.fixture(scope="module")
def pipeline(articles: Path) -> Pipeline:
    return Pipeline.open(articles / "index")


@pytest.fixture(scope="module")
def question_set() -> QuestionSet:
    return load_set(HERE / "eval" / "sets" / "sample.jsonl")


def test_the_parts_of_the_real_pipeline(pipeline: Pipeline, question_set: QuestionSet) -> None:
    found = fingerprint(question_set, pipeline, "open", 3)
    assert set(found) == {"set", "corpus", "models", "settings"}
    assert found["set"] == {"sha256": question_set.sha256, "questions": len(question_set.questions), "mode": "open"}
    assert found["corpus"]["documents"] == 10
    assert found["models"] == {
        "encoder": pipeline.index.encoder.identity,
        "reader": pipeline.reader.identity,
        "calibration": found["models"]["calibration"],
    }
    assert all(found["models"].values())
    assert {"version", "recipe", "budget", "read", "found", "copies", "floor", "depth", "weight", "k"} == set(
        found["settings"]
    )
    text = json.dumps(found)
    assert json.loads(text) == found
    assert str(HERE) not in text
    assert str(Path.home()) not in text


def changed(ours: dict[str, dict[str, object]], theirs: dict[str, dict[str, object]]) -> set[str]:
    return {f"{part}.{name}" for part in ours for name in ours[part] if ours[part][name] != theirs[part].get(name)}


def test_the_same_again_from_another_index_of_the_same_files(
    articles: Path, pipeline: Pipeline, question_set: QuestionSet, tmp_path: Path
) -> None:
    shutil.copytree(articles / "index", tmp_path / "moved")
    again = Pipeline.open(tmp_path / "moved")
    assert fingerprint(question_set, again, "open", 3) == fingerprint(question_set, pipeline, "open", 3)


def test_one_change_shows_in_one_place(articles: Path, pipeline: Pipeline, question_set: QuestionSet) -> None:
    before = fingerprint(question_set, pipeline, "open", 3)
    index = pipeline.index
    sure = replace(pipeline.calibration, threshold=pipeline.calibration.threshold / 2)
    for other, places in (
        (fingerprint(question_set, Pipeline(index, load_reader("none")), "open", 3), {"reader", "calibration"}),
        (fingerprint(question_set, Pipeline(index, pipeline.reader, sure), "open", 3), {"calibration"}),
    ):
        assert changed(before, other) == {f"models.{name}" for name in places}
    assert changed(before, fingerprint(question_set, pipeline, "open", 5)) == {"settings.k"}
    assert changed(before, fingerprint(question_set, pipeline, "without_gold", 3)) == {"set.mode"}
    part = replace(question_set, questions=question_set.questions[:3])
    assert changed(before, fingerprint(part, pipeline, "open", 3)) == {"set.questions"}


def test_a_changed_article_is_another_corpus_and_other_loading_is_not(
    articles: Path, pipeline: Pipeline, question_set: QuestionSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = fingerprint(question_set, pipeline, "open", 3)
    original = Index.document

    def loaded_otherwise(self: Index, doc_id: str) -> Any:
        document = original(self, doc_id)
        return replace(document, text=document.text + "\n")

    with monkeypatch.context() as patched:
        patched.setattr(Index, "document", loaded_otherwise)
        assert fingerprint(question_set, pipeline, "open", 3) == before
    shutil.copytree(articles, tmp_path / "copy")
    path = tmp_path / "copy" / "articles" / "market-reaction.txt"
    path.write_bytes(path.read_bytes() + b"\nOne more line.\n")
    build([path.parent], tmp_path / "copy" / "index")
    other = Pipeline(Index.open(tmp_path / "copy" / "index"), pipeline.reader)
    assert changed(before, fingerprint(question_set, other, "open", 3)) == {"corpus.sha256"}


@pytest.mark.slow
def test_the_first_hits_are_the_same_however_many_are_asked_for(tmp_path: Path) -> None:
    numbers = range(DEPTH + 60)
    index = Index(
        build_documents(
            [Document(f"{n:03}", f"Mill {n} ground {n % 7} sacks in {n % 13} days.") for n in numbers], tmp_path
        ),
        load_encoder(None, query_only=True),
    )
    for query in ("mill 17", "7 sacks in 3 days", "What did the mill grind?", "quite another thing"):
        assert len(index.search(query, DEPTH)) == DEPTH
        assert index.search(query, DEPTH)[:READ] == index.search(query, READ)


def test_the_harness_gives_the_reader_what_a_user_has_read(pipeline: Pipeline, question_set: QuestionSet) -> None:
    asked = replace(question_set, questions=question_set.questions[:3])
    for question, (row, answer) in zip(asked.questions, ask_all(asked, pipeline), strict=True):
        theirs = pipeline.trace(question.question)
        assert tuple(pipeline.search(question.question, DEPTH)[:READ]) == theirs.hits
        assert answer is not None
        assert replace(answer, timings_ms={}) == replace(theirs.answer, timings_ms={})
        assert row.confidence == theirs.answer.confidence
