"""The benchmark of the page: it measures, it says so in one object, it never judges by the clock."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from index.build import build
from index.errors import InputError
from web import bench

Write = Callable[[Path, Mapping[str, str | bytes]], Path]


def test_it_measures_pairs(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in", {"a.txt": "The new lock lasts ten years.\nThe lock costs $5 million to build.\n"})
    build([tmp_path / "in"], tmp_path / "index")
    monkeypatch.setattr(bench, "refreshed", lambda corpus: tmp_path / "index")
    assert bench.main(["--corpus", str(tmp_path / "in"), "--pairs", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["questions"]) == (3, 2)
    assert 0 < found["ratio"] <= found["ratio_p95"]
    assert min(found["ask_ms"], found["page_ms"]) > 0


def test_without_a_question_to_ask(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "in", {"a.txt": "Nothing to ask about.\n"})
    build([tmp_path / "in"], tmp_path / "index")
    with pytest.raises(InputError, match="no question"):
        bench.measured(tmp_path / "index", 1)


def test_no_such_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--corpus", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("web.bench: ")
