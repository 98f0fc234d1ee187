"""The question sets: well formed, large enough, and every accepted answer stands in its documents.

The articles of ``source.jsonl`` are other people's and not in the repository: what needs them is skipped where they
are absent.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETS = ROOT / "eval" / "sets"
SAMPLE = ROOT / "rag" / "sample"
SOURCE = ROOT.parent / "shared" / "corpus"
FIELDS = {"id", "question", "answers", "documents", "kind", "answerable"}
KINDS = {
    "number",
    "date",
    "person",
    "organisation",
    "list",
    "reason",
    "statement",
    "definition",
    "other",
    "conflict",
    "none",
}


def read_set(name: str) -> list[dict[str, object]]:
    """Rows of a question set, in the file's order."""
    lines = (SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def strings(row: dict[str, object], field: str) -> list[str]:
    """A field that must be a list of distinct, trimmed, non-empty strings."""
    value = row[field]
    assert isinstance(value, list), row["id"]
    assert all(isinstance(item, str) and item and item == item.strip() for item in value), row["id"]
    assert len(set(value)) == len(value), f"{row['id']}: {field} holds one string twice"
    return value


def article_text(path: Path) -> str:
    """An article's raw text; for HTML the text between its tags, white space collapsed."""
    text = path.read_bytes().decode("utf-8")
    return " ".join(re.sub(r"<[^>]*>", " ", text).split()) if path.suffix == ".html" else text


def check_against(rows: list[dict[str, object]], folder: Path) -> None:
    """Every answer stands in one of its documents, and every document holds one of the answers."""
    texts = {path.name: article_text(path) for path in folder.iterdir() if path.is_file()}
    for row in rows:
        answers, documents = strings(row, "answers"), strings(row, "documents")
        assert set(documents) <= set(texts), f"{row['id']}: {documents} are not all in {folder}"
        for answer in answers:
            assert any(answer in texts[name] for name in documents), f"{row['id']}: {answer!r} stands in no document"
        for name in documents:
            assert any(answer in texts[name] for answer in answers), f"{row['id']}: {name} holds no answer"


@pytest.mark.parametrize("name", ["sample", "source"])
def test_rows_are_well_formed(name: str) -> None:
    rows = read_set(name)
    for row in rows:
        assert set(row) == FIELDS, row
        assert str(row["question"]).endswith("?"), row["id"]
        assert row["kind"] in KINDS, row["id"]
        answers, documents = strings(row, "answers"), strings(row, "documents")
        if row["answerable"] is True:
            assert min(len(answers), len(documents)) >= 1, row["id"]
            assert row["kind"] != "none", row["id"]
            assert all(len(answer.split()) <= 10 for answer in answers), row["id"]
        else:
            assert row["answerable"] is False, row["id"]
            assert answers == documents == [], row["id"]
            assert row["kind"] == "none", row["id"]
    for field in ("id", "question"):
        twice = [value for value, count in Counter(row[field] for row in rows).items() if count > 1]
        assert not twice, f"{field} used twice: {twice}"


def test_ids_are_unique_across_the_sets() -> None:
    ids = [row["id"] for name in ("sample", "source") for row in read_set(name)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("name", "least", "least_unanswerable"), [("sample", 40, 10), ("source", 80, 25)])
def test_sets_are_large_and_varied_enough(name: str, least: int, least_unanswerable: int) -> None:
    rows = read_set(name)
    kinds = Counter(row["kind"] for row in rows)
    assert len(rows) >= least
    assert kinds["none"] >= least_unanswerable
    assert set(kinds) == KINDS


def test_the_first_question_of_the_sample_is_the_readmes() -> None:
    first = read_set("sample")[0]
    assert first["question"] == "How much is the deal worth?"
    assert "$38 billion" in strings(first, "answers")
    assert len(strings(first, "documents")) >= 3


def test_sample_answers_stand_in_the_shipped_articles() -> None:
    articles = [path for path in SAMPLE.iterdir() if path.is_file()]
    assert len(articles) >= 8
    assert {path.suffix for path in articles} == {".txt", ".md", ".html"}
    check_against(read_set("sample"), SAMPLE)


def test_source_answers_stand_in_the_source_articles() -> None:
    hashes: dict[str, str] = json.loads((SETS / "source.sha256.json").read_text(encoding="utf-8"))
    rows = read_set("source")
    assert {name for row in rows for name in strings(row, "documents")} == set(hashes)
    if not SOURCE.is_dir():
        pytest.skip(f"the source articles are not at {SOURCE}; their questions are checked for form only")
    found = {name: hashlib.sha256((SOURCE / name).read_bytes()).hexdigest() for name in hashes}
    assert found == hashes, "the source articles are not those that the questions were written for"
    check_against(rows, SOURCE)
