"""A small training set in SQuAD's layout."""

import json
from pathlib import Path

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
