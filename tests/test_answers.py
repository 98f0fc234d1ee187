"""Every citation of every answer to the project's own sets is what stands in the file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from rag.cli import main

ROOT = Path(__file__).parent.parent
SOURCE = ROOT.parent / "shared" / "corpus"


def citations(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        *answer["citations"],
        *(citation for other in (*answer["parts"], *answer["alternatives"]) for citation in other["citations"]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["embedded", "none"])
@pytest.mark.parametrize(("name", "corpus"), [("sample", ROOT / "rag" / "sample"), ("source", SOURCE)])
def test_every_citation_stands_in_its_file(
    name: str, corpus: Path, reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not corpus.is_dir():
        pytest.skip(f"the articles of the set {name} are not here")
    index = str(tmp_path / "index")
    assert main(["index", str(corpus), "--index", index]) == 0
    capsys.readouterr()
    questions = ROOT / "eval" / "sets" / f"{name}.jsonl"
    chosen = ["--reader", "none"] if reader == "none" else []
    assert main(["ask", "--questions", str(questions), "--index", index, "--json", *chosen]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    asked = [json.loads(line)["id"] for line in questions.read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == asked
    checked = 0
    for answer in answers:
        if answer["answered"]:
            assert answer["answer"] == answer["citations"][0]["quote"]
        else:
            assert answer["answer"] is None
            assert answer["reason"] in ("not_found", "weak")
        for citation in citations(answer):
            sentence = citation["sentence"]
            assert len(sentence) <= 500
            assert "\n" not in sentence
            assert citation["sentence_start"] <= citation["start"] < citation["end"] <= citation["sentence_end"]
            if citation["document"].endswith((".txt", ".md")):
                text = (corpus / citation["document"]).read_bytes().decode("utf-8")
                assert text[citation["start"] : citation["end"]] == citation["quote"]
                assert text[citation["sentence_start"] : citation["sentence_end"]] == sentence
                assert citation["line"] == 1 + text[: citation["start"]].count("\n")
                assert citation["sha256"] == hashlib.sha256(text.encode("utf-8")).hexdigest()
                checked += 1
    assert checked >= len(answers)
