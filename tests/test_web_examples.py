"""Questions to begin with are drawn from the corpus."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from index.build import build, build_documents
from index.passage import Document
from index.search import Index
from web import examples
from web.examples import example_questions

Write = Callable[[Path, Mapping[str, str | bytes]], Path]


def test_example_questions_stand_in_the_corpus(tmp_path: Path, write: Write) -> None:
    text = (
        "The new lock lasts ten years.\nMaria Example, who runs Lock Works, is glad.\n"
        "Lock Works expects more orders.\nIt lasts long.\nWork begins in May.\nThe lock costs $5 million to build.\n"
    )
    build([write(tmp_path / "in", {"a.txt": text})], tmp_path / "index")
    assert example_questions(Index.open(tmp_path / "index"), 9) == [
        "How much does the lock cost?", "How long does the new lock last?", "Who is Maria Example?",
        "What does Lock Works expect?",
    ]  # fmt: skip


KINDS = {
    "The old iron foot bridge costs about €5 a day.": "How much does the old iron foot bridge cost?",
    "OpenAI is worth US$5 billion.": "How much is OpenAI worth?",
    "An hour lasts long.": "How long does an hour last?",
    "Ada B. Row, who is a baker, left.": "Who is Ada B. Row?",
    "The mill was built in 1862.": "When was the mill built?",
    "Amazon’s cloud shares rose by about 5%.": "By how much did Amazon’s cloud shares rise?",
    "The ferry carries 4,000 cars a day.": "How many cars does the ferry carry?",
    "The season starts in May.": "When does the season start?",
    "Items Inc warns of rain.": "What does Items Inc warn of?",
    "Lock Works will invest more than $5 million.": "How much will Lock Works invest?",
}


def drawn(place: Path, *texts: str, wanted: int = 99) -> list[str]:
    build_documents([Document(f"{n:02}", text) for n, text in enumerate(texts)], place)
    return example_questions(Index.open(place), wanted)


def test_a_question_of_every_kind(tmp_path: Path) -> None:
    assert drawn(tmp_path, *KINDS) == list(KINDS.values())
    assert example_questions(Index.open(tmp_path), 3) == list(KINDS.values())[:3]


def test_of_as_many_documents_as_there_are(tmp_path: Path) -> None:
    two = "The lock costs $5. The wheel costs $6. The lock lasts long."
    assert drawn(tmp_path, two, "The gate lasts long. The gate lasts for ever.") == [
        "How much does the lock cost?", "How long does the gate last?", "How much does the wheel cost?",
        "How long does the lock last?",
    ]  # fmt: skip


def test_what_no_question_is_made_of(tmp_path: Path) -> None:
    long = f"The lock costs $5 million to build{240 * ' on'}."
    assert drawn(tmp_path, f"This Works costs $5. It Works costs $6. {long}") == []


def test_masked_characters_in_a_sentence_and_before_it(tmp_path: Path) -> None:
    text = "It is *open*. The gate costs $7. The lock costs $5 *now*.\n"
    masked = tuple((at, at + 1) for at, character in enumerate(text) if character == "*")
    build_documents([Document("a.md", text, masked=masked)], tmp_path)
    assert example_questions(Index.open(tmp_path)) == ["How much does the gate cost?"]


def test_a_large_corpus_is_looked_at_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"The lock {n} costs $5." for n in range(9)]
    drawn(tmp_path, *texts)
    monkeypatch.setattr(examples, "SENTENCES", 12)
    looked = [doc_id for doc_id, _ in examples._sentences(Index.open(tmp_path))]
    assert looked == ["00", "03", "06"]
