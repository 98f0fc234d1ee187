"""Runs compared, gated and reported: rows made by hand, no pipeline."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.blame import Blame
from eval.compare import Comparison, compare
from eval.figures import Row, figures_of
from eval.gates import check, check_losses, load_gates
from eval.harness import Result
from eval.questions import Question
from eval.report import Report, report_json, report_text
from eval.report_files import write_report
from eval.run import as_run, read_run
from eval.shown import shown
from index.errors import InputError
from index.passage import Hit, Passage

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31m ]]> | @all \u202e"
PRINT = {"set": {"sha256": "s", "mode": "open"}, "corpus": {"sha256": "c"}, "models": {"reader": "r1"}, "settings": {}}


def row(number: int, right: bool, confidence: float = 0.5, text: str = "who?") -> Row:
    question = Question(f"q{number}", text, ("gold",), ("a.txt",), gold={"a.txt": 1})
    blame = None if right else Blame("reader", 2, isolated=True)
    best = "gold" if right else "lead"
    score = float(right)
    return Row(
        question, True, best, best, right, confidence, scores={"F1": score, "R@1": 1.0}, right=right, blame=blame
    )


def result(rights: list[bool], fingerprint: Any = None, sure: float = 0.5) -> Result:
    rows = tuple(row(number, right, sure + number / 100) for number, right in enumerate(rights))
    return Result("made", "s", "open", rows, figures_of(rows), fingerprint or PRINT)


def stored(made: Result, path: Path) -> Path:
    write_report(Report(made, [], [], None, ""), path)
    return path


class TestCompare:
    def test_a_run_and_itself(self, tmp_path: Path) -> None:
        made = result([True, False, True])
        found = compare(as_run(made), read_run(stored(made, tmp_path / "run.json")))
        assert (found.changes, found.settings) == ((), ())
        assert (found.differences["F1"].lower, found.differences["F1"].upper) == (0, 0)
        assert found.differences["Brier"].difference == 0
        assert found.differences["peak_memory_mb"].lower is None

    def test_gained_lost_and_changed(self, tmp_path: Path) -> None:
        before = result([True, False, False, True])
        other = {**PRINT, "models": {"reader": "r2"}}
        after = result([True, True, False, False], other)
        rows = (*after.rows[:2], replace(after.rows[2], answer=""), after.rows[3])
        found = compare(as_run(replace(after, rows=rows)), read_run(stored(before, tmp_path / "run.json")))
        assert [(change.kind, change.id, change.before, change.after) for change in found.changes] == [
            ("gained", "q1", "lead", "gold"),
            ("changed", "q2", "lead", ""),
            ("lost", "q3", "gold", "lead"),
        ]
        assert found.settings == (("reader", "r1", "r2"),)
        f1 = found.differences["F1"]
        assert (f1.difference, f1.n) == (0, 4)
        assert f1.lower is not None
        assert f1.lower < 0

    @pytest.mark.parametrize("part", ["set", "corpus"])
    def test_a_baseline_that_does_not_fit(self, tmp_path: Path, part: str) -> None:
        path = stored(result([True], {**PRINT, part: {"sha256": "other", "mode": "open"}}), tmp_path / "run.json")
        with pytest.raises(InputError, match=f"is a run of another {part} .* give one of the same set and corpus"):
            compare(as_run(result([True])), read_run(path))

    def test_other_questions(self, tmp_path: Path) -> None:
        path = stored(result([True]), tmp_path / "run.json")
        with pytest.raises(InputError, match="does not hold the questions"):
            compare(as_run(result([True, True])), read_run(path))

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"rows": []}, "'rows': is empty"),
            ({"fingerprint": None}, "'fingerprint': is no object"),
            ({"figures": {"F1": "high"}}, "'figures.F1': 'high' is no number"),
            ({"rows": [{"id": 1}]}, r"'rows\[0\].id': expected a string"),
        ],
    )
    def test_no_run(self, tmp_path: Path, change: dict[str, Any], says: str) -> None:
        path = stored(result([True]), tmp_path / "run.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(InputError, match=says):
            read_run(path)


class TestLosses:
    def gates(self, tmp_path: Path, text: str) -> Any:
        (tmp_path / "gates.toml").write_text(text)
        return load_gates(tmp_path / "gates.toml")

    def test_the_bound_of_the_interval_decides(self, tmp_path: Path) -> None:
        before = read_run(stored(result([True] * 20), tmp_path / "run.json"))
        found = compare(as_run(result([True] * 18 + [False] * 2)), before)
        gates = self.gates(tmp_path, '[made.loss]\nF1 = 0.15\n"R@1" = 0\nBrier = 0\n"R@5" = 1\n')
        verdicts = {verdict.figure: verdict for verdict in check_losses("made", found.differences, gates)}
        # 0.10 is lost, but the sample does not rule out 0.25: more than the 0.15 that are allowed.
        assert (verdicts["F1"].passed, verdicts["R@1"].passed) == (False, True)
        assert verdicts["F1"].loss == pytest.approx(0.25, abs=0.05)
        assert not verdicts["R@5"].passed  # not in both runs
        assert str(verdicts["R@1"]) == "met: R@1 may have lost 0.0000, allowed 0"

    def test_smaller_is_better(self, tmp_path: Path) -> None:
        before = read_run(stored(result([True] * 9, sure=0.9), tmp_path / "run.json"))
        found = compare(as_run(result([True] * 9, sure=0.2)), before)
        (verdict,) = check_losses("made", found.differences, self.gates(tmp_path, "[made.loss]\nBrier = 0.1\n"))
        assert not verdict.passed

    @pytest.mark.parametrize("line", ["F1 = -0.1", "peak_memory_mb = 3", "p50_ms_read = 1", "F9 = 0"])
    def test_losses_that_cannot_be_meant(self, tmp_path: Path, line: str) -> None:
        with pytest.raises(InputError, match=r"\[made.without_gold.loss\]"):
            self.gates(tmp_path, f"[made.without_gold.loss]\n{line}\n")


def report(compared: bool = True) -> Report:
    hostile = replace(row(1, right=False, text=HOSTILE), answer=HOSTILE, best=HOSTILE)
    passage = Passage(0, f"a.txt{HOSTILE}", 0, len(HOSTILE), HOSTILE, ((0, len(HOSTILE)),))
    hostile = replace(hostile, shown=shown(hostile.question, [Hit(passage, 1.0, {"bm25": 2.0})], None))
    rows = (row(0, right=True), hostile)
    made = Result(f"made{HOSTILE}", "s", "open", rows, figures_of(rows), PRINT)
    comparison: Comparison | None = None
    if compared:
        comparison = compare(as_run(made), as_run(replace(made, rows=(rows[0], replace(rows[1], right=True)))))
    return Report(made, check("made", made.figures, {"made": {"F1": 0.9}}), [], comparison, "")


class TestReports:
    def test_blame_comes_first(self) -> None:
        lines = report_text(report()).splitlines()
        assert lines[0].startswith("blame: 1 of 2 missed")
        assert re.match(r"  reader +1 +1 of 1$", lines[1])
        assert lines[-1] == "NOT PASSED"
        assert not re.search("[\x1b\u202e]", "".join(lines))

    def test_json(self) -> None:
        found = json.loads(json.dumps(report_json(report())))
        assert found["blame"] == {"missed": 1, "stages": {"reader": {"missed": 1, "isolated": 1, "isolated_right": 1}}}
        assert found["against"]["lost"] == ["q1"]
        assert found["rows"][1]["blame"]["fused"] == 2
        assert found["passed"] is False

    def test_junit(self, tmp_path: Path) -> None:
        write_report(report(), tmp_path / "r.xml")
        gates, questions = ET.parse(tmp_path / "r.xml").getroot()
        assert (gates.get("tests"), gates.get("failures")) == ("1", "1")
        assert (questions.get("tests"), questions.get("failures")) == ("2", "1")  # the baseline had it right
        write_report(report(compared=False), tmp_path / "r.xml")
        questions = ET.parse(tmp_path / "r.xml").getroot()[1]
        assert (questions.get("failures"), questions.get("skipped")) == ("0", "1")

    def test_markdown_holds_no_markup_of_documents(self, tmp_path: Path) -> None:
        write_report(report(), tmp_path / "r.md")
        text = (tmp_path / "r.md").read_text()
        assert "<script" not in text
        assert "<img" not in text
        assert "@all" not in text
        assert set(re.findall(r"<(/?\w+)", text)) == {"details", "/details", "summary", "/summary"}
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| reader")}
        assert widths == {4, 5}

    def test_the_page_runs_nothing_of_documents_and_loads_nothing(self, tmp_path: Path) -> None:
        write_report(report(), tmp_path / "r.html")
        page = (tmp_path / "r.html").read_text()
        assert page.count("<script") == 1
        assert "<img" not in page
        assert "default-src 'none'; script-src 'sha256-" in page
        assert not re.search(r"https?:|src=|href=|@import|url\(", page.replace("&lt;img src=x", ""))
        assert not re.search("[\x1b\u202e]", page)
        for chart in ("Risk and coverage", "Reliability", "Blame"):
            assert f'aria-label="{chart}"' in page

    def test_the_policys_hashes_are_those_of_the_page(self, tmp_path: Path) -> None:
        import base64
        import hashlib

        write_report(report(), tmp_path / "r.html")
        page = (tmp_path / "r.html").read_text()
        for tag, directive in (("script", "script-src"), ("style", "style-src")):
            inline = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
            assert inline
            digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
            assert f"{directive} 'sha256-{digest}'" in page

    def test_a_suffix_that_tells_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"let it end with one of \.json, \.xml, \.md, \.html"):
            write_report(report(), tmp_path / "r.pdf")


def test_spans_are_marked() -> None:
    text = "The gold is here."
    hit = Hit(Passage(0, "a.txt", 0, len(text), text, ((0, len(text)),)), 1.0)
    (one,) = shown(row(0, right=True).question, [hit], None)
    assert one.pieces == (("The ", ""), ("gold", "gold"), (" is here.", ""))
