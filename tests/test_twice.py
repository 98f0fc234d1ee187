"""A set asked twice gives the same bytes, all but the clock's, and asking costs no memory to speak of."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from eval.harness import ask_all
from eval.questions import Question
from rag.cli import main
from tests.word_pipeline import TEXTS, WordPipeline, own_set

TOWNS = ("Arlen", "Brigg", "Corby", "Dover", "Elgin", "Frome", "Goole", "Hythe", "Ilkley", "Jarrow", "Kelso", "Louth")
PLANTS = ("barley", "flax", "hops", "maize", "oats")
MACHINE = ("timings_ms", "p50_ms", "p95_ms", "peak_memory")


def paragraph(number: int) -> dict[str, Any]:
    """Four sentences and five questions, the last of which nothing answers; no two paragraphs alike."""
    town, year, plant = TOWNS[number % 12], 1801 + number, PLANTS[number % 5]
    mill = f"the mill of {town} {number}"
    facts = [
        (f"So {mill} was built in {year}.", f"When was {mill} built?", str(year)),
        (f"It ground {plant} for {number + 3} villages.", f"How many villages did {mill} serve?", str(number + 3)),
        (f"Its owner, Ada Row{number}, sold it to the county.", f"Who owned {mill}?", f"Ada Row{number}"),
        (f"A fire destroyed {number + 40} of its sacks of {plant}.", f"Sacks of what burned in {mill}?", plant),
    ]
    context = " ".join(sentence for sentence, _, _ in facts)
    qas = [
        {"id": f"{number}-{n}", "question": asked, "answers": [{"text": text, "answer_start": context.index(text)}]}
        for n, (_, asked, text) in enumerate(facts)
    ]
    absent = {"id": f"{number}-none", "question": f"How tall is {mill}?", "answers": []}
    return {"context": context, "qas": [*qas, {**absent, "is_impossible": True}]}


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    """SQuAD 2.0's layout: 300 questions of 60 paragraphs."""
    path = tmp_path / "squad.json"
    paragraphs = [paragraph(number) for number in range(60)]
    path.write_text(json.dumps({"data": [{"title": "Mills", "paragraphs": paragraphs}]}))
    return path


def without_the_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_the_clock(each) for name, each in value.items() if not name.startswith(MACHINE)}
    return [without_the_clock(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["--given-paragraph", None])
def test_the_same_bytes_twice(
    squad: Path, mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    flags = [mode] if mode else ["--run", "RUN", "--reader", "none", "--limit", "30"]
    for run in "ab":
        files = ["--predictions", str(tmp_path / f"{run}.json"), "--report", str(tmp_path / f"{run}-run.json")]
        given = [str(tmp_path / f"{run}.run") if flag == "RUN" else flag for flag in flags]
        assert main(["eval", str(squad), *given, *files]) == 0
    first, second = ((tmp_path / f"{run}.json").read_bytes() for run in "ab")
    assert first == second
    assert len(json.loads(first)) == (300 if mode else 30)
    if mode is None:
        assert (tmp_path / "a.run").read_bytes() == (tmp_path / "b.run").read_bytes()
    one, other = (json.loads((tmp_path / f"{run}-run.json").read_text()) for run in "ab")
    assert without_the_clock(one) == without_the_clock(other)
    assert list(one["figures"]) == list(other["figures"])
    if mode:  # what stands there in so many words is found
        assert one["figures"]["F1_forced"] > 0.7


def test_rows_stay_small() -> None:
    questions = [
        Question(f"q{n}", "What is the bridge of?", ("iron",), ("bridge of iron.txt",), gold={"bridge of iron.txt": 1})
        for n in range(600)
    ]
    kept = []
    tracemalloc.start()
    try:
        for number, (row, _) in enumerate(ask_all(own_set(*questions), WordPipeline(TEXTS))):
            kept.append(row)
            if number == 99:
                before, _ = tracemalloc.get_traced_memory()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 500 < 6_000  # bytes a question, of which the pipeline's own notes take a part
