"""Questions to begin with are drawn from the corpus."""

from collections.abc import Callable, Mapping
from pathlib import Path

from index.build import build
from index.search import Index
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
