"""Small things to train on: a set in SQuAD's layout, a few of the news, one example."""

import json
from pathlib import Path

import numpy as np
import pytest

from rag.training import examples
from rag.training.data import CLS, SEP, Example

TOWNS = ("Arden", "Borrow", "Caster", "Dunmore", "Elwick", "Fenby", "Garsdale", "Holt", "Ingleby", "Jarrow")


def write_towns(place: Path) -> Path:
    """Two articles of ten towns, two questions a paragraph."""
    articles = []
    for n, river in enumerate(("Tarn", "Wye")):
        paragraphs = []
        for i, town in enumerate(TOWNS):
            year = 1400 + 50 * n + i
            text = f"The market of {town} on the river {river} was founded in {year}. Its mayor was old Mr {town}son."
            questions = [(f"When was the market of {town} on the {river} founded?", str(year))]
            questions.append((f"Who was the mayor of {town}?", f"Mr {town}son"))
            qas = [
                {"id": f"{n}-{i}-{j}", "question": q, "answers": [{"text": a, "answer_start": text.index(a)}]}
                for j, (q, a) in enumerate(questions)
            ]
            paragraphs.append({"context": text, "qas": qas})
        articles.append({"title": river, "paragraphs": paragraphs})
    folder = place / "train" / "squad11_train"
    folder.mkdir(parents=True)
    (folder / "squad.json").write_text(json.dumps({"data": articles}))
    return folder.parent


def few_news(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the news its first articles alone: the commands read all that is held out, for minutes."""
    content = json.loads(examples.NEWS.read_text("utf-8"))
    few = place / "news.json"
    few.write_text(json.dumps(content | {"data": content["data"][: examples.NEWS_HELD]}), "utf-8")
    monkeypatch.setattr(examples, "NEWS", few)


def example(length: int, first: int, *pairs: tuple[int, int]) -> Example:
    ids = np.full(length, 2000, np.int32)
    ids[0], ids[first - 1], ids[-1] = CLS, SEP, SEP
    return Example(ids, first, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))
