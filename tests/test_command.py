"""``rag eval`` over a small pipeline of its own, and over the real one where it is about what is loaded."""

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from eval.baseline import trimmed
from eval.command import run_eval
from eval.corpus import _file
from eval.gates import place
from eval.questions import Question
from index.errors import IndexMissing, InputError
from rag.cli import main
from tests.word_pipeline import QUESTIONS, TEXTS, Shelf, WordPipeline


def options(**changes: Any) -> argparse.Namespace:
    defaults = dict.fromkeys(("index", "corpus", "reader", "predictions", "run_file", "limit", "gates", "against"))
    flags = dict.fromkeys(("given_paragraph", "without_gold", "skip_if_absent", "json", "check"), False)
    return argparse.Namespace(**{**defaults, **flags, "report": [], **changes})


class TestCommand:
    @staticmethod
    def line(question: Question) -> str:
        fields = ("id", "question", "answers", "documents", "kind", "answerable")
        return json.dumps({**{name: getattr(question, name) for name in fields}, "kind": "x"})

    def files(self, tmp_path: Path, gates: str = "[own]\nEM = 0.3\n", hashes: dict[str, str] | None = None) -> Any:
        (tmp_path / "own.jsonl").write_text("\n".join(map(self.line, QUESTIONS)))
        (tmp_path / "gates.toml").write_text(gates)
        if hashes is not None:
            (tmp_path / "own.sha256.json").write_text(json.dumps(hashes))
        return {"set": tmp_path / "own.jsonl", "gates": tmp_path / "gates.toml"}

    @staticmethod
    def run(given: argparse.Namespace) -> int:
        return run_eval(given, lambda: Path("index"), lambda _root: Shelf(TEXTS), lambda *_: WordPipeline(TEXTS))

    def test_passed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(options(**self.files(tmp_path))) == 0
        out, err = capsys.readouterr()
        assert "own: 4 questions, 3 of them answerable, asked open" in out
        assert re.search(r"^EM +0\.3333 +0\.3333 +3$", out, re.MULTILINE)
        assert out.endswith("met: EM 0.3333, wanted at least 0.3\npassed\n")
        assert err == ""

    def test_not_passed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(options(**self.files(tmp_path, "[own]\nEM = 0.34\n"))) == 1
        assert capsys.readouterr().out.endswith("NOT MET: EM 0.3333, wanted at least 0.34\nNOT PASSED\n")

    def test_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(options(json=True, **self.files(tmp_path, "[own]\nEM = 0.34\n"))) == 1
        shown = json.loads(capsys.readouterr().out)
        assert shown["figures"]["refused"] == 0
        assert shown["gates"] == [{"figure": "EM", "limit": 0.34, "value": shown["figures"]["EM"], "passed": False}]
        assert (shown["passed"], shown["n"]["EM"], shown["problems"]) == (False, 3, [])

    def test_gates_of_the_mode_and_of_whole_sets_only(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        files = self.files(tmp_path, "[own]\nEM = 1\n[own.without_gold]\nrefused = 0.5\n")
        assert self.run(options(without_gold=True, **files)) == 0
        assert "met: refused 1.0000" in capsys.readouterr().out
        assert self.run(options(limit=1, **files)) == 0
        assert "gates: not checked on a part of the set" in capsys.readouterr().out
        assert self.run(options(given_paragraph=True, **files)) == 0
        assert "gates: none for [own.given_paragraph]" in capsys.readouterr().out

    def test_a_limit_that_leaves_nothing_out_is_none(self, tmp_path: Path) -> None:
        assert self.run(options(limit=4, **self.files(tmp_path, "[own]\nEM = 1\n"))) == 1
        assert self.run(options(limit=3, **self.files(tmp_path, "[own]\nEM = 1\n"))) == 0

    def test_no_output_overwrites_an_input_or_another(self, tmp_path: Path) -> None:
        files = self.files(tmp_path)
        before = files["set"].read_bytes()
        (tmp_path / "again.json").symlink_to(files["set"])
        for given in (
            {"predictions": files["set"]},
            {"run_file": files["gates"]},
            {"report": [tmp_path / "again.json"]},
            {"predictions": tmp_path / "x.json", "report": [tmp_path / "x.json"]},
        ):
            with pytest.raises(InputError, match="give each a name"):
                self.run(options(**files, **given))
        assert files["set"].read_bytes() == before

    def test_no_output_overwrites_what_is_read_besides(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = self.files(tmp_path)
        monkeypatch.setattr("eval.command.DEFAULT", files["gates"])
        baseline = place(files["gates"], "own")
        baseline.parent.mkdir()
        report = tmp_path / "run.json"
        assert self.run(options(report=[report], **files)) == 0
        (tmp_path / "towers" / "qrels").mkdir(parents=True)
        beir = [tmp_path / "towers" / name for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")]
        texts = ('{"_id": "d", "text": "Of iron."}', '{"_id": "q", "text": "?"}', "q\td\t1")
        for path, text in zip(beir, texts, strict=True):
            path.write_text(text)
        for given, output in (
            ({"set": files["set"]}, files["gates"]),
            ({**files, "against": report}, report),
            (files, baseline),
            (files, tmp_path / "own.sha256.json"),
            *(({"set": tmp_path / "towers"}, path) for path in beir),
            ({"set": beir[2]}, beir[0]),
        ):
            before = output.read_bytes() if output.exists() else None
            with pytest.raises(InputError, match="give each a name"):
                self.run(options(**given, predictions=output))
            assert (output.read_bytes() if output.exists() else None) == before

    def test_an_output_that_is_a_link_to_itself(self, tmp_path: Path) -> None:
        loop = tmp_path / "loop.json"
        loop.symlink_to(loop)
        with pytest.raises(InputError, match=r"loop\.json: it cannot be written"):
            self.run(options(predictions=loop, **self.files(tmp_path)))

    def test_nothing_is_asked_to_be_linted(self, tmp_path: Path) -> None:
        files = self.files(tmp_path)
        with pytest.raises(InputError, match="--check asks nothing"):
            self.run(options(check=True, report=[tmp_path / "x.json"], **files))

    def test_an_index_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def absent(_root: Path) -> Shelf:
            raise IndexMissing("there is no index")

        given = options(skip_if_absent=True, report=[tmp_path / "r.xml"], **self.files(tmp_path))
        assert run_eval(given, lambda: Path("index"), absent, lambda *_: WordPipeline(TEXTS)) == 0
        assert capsys.readouterr().out == "skipped: there is no index; nothing was written\n"
        given.skip_if_absent = False
        with pytest.raises(IndexMissing):
            run_eval(given, lambda: Path("index"), absent, lambda *_: WordPipeline(TEXTS))

    def test_files_are_written(self, tmp_path: Path) -> None:
        outputs = {"predictions": tmp_path / "p.json", "run_file": tmp_path / "run"}
        self.run(options(**self.files(tmp_path), **outputs))
        assert all(path.stat().st_size for path in outputs.values())

    def test_against_an_earlier_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "run.json"
        assert self.run(options(report=[path], **self.files(tmp_path, ""))) == 0
        assert capsys.readouterr().out.startswith("blame: 3 of 4 missed")
        files = self.files(tmp_path, "[own.loss]\nEM = 0.01\n")
        assert self.run(options(against=path, **files)) == 0
        assert "met: EM may have lost 0.0000, allowed 0.01\npassed\n" in capsys.readouterr().out
        better = json.loads(path.read_text())
        for row in better["rows"]:
            row["scores"]["EM"] = 1.0
        path.write_text(json.dumps(better))
        assert self.run(options(against=path, **files)) == 1
        with pytest.raises(InputError, match=r"another set \(mode 'open', here 'without_gold'\)"):
            self.run(options(against=path, without_gold=True, **files))

    def test_check(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(options(check=True, **self.files(tmp_path))) == 1
        out = capsys.readouterr().out
        assert "line 2, field 'answers[1]': 'crystal' stands in none of its documents" in out
        assert self.run(options(check=True, json=True, **self.files(tmp_path))) == 1
        assert json.loads(capsys.readouterr().out)["findings"][0]["id"] == "q2"

    @pytest.mark.parametrize("as_json", [False, True])
    def test_absent_corpus(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
        given = options(corpus=tmp_path / "absent", json=as_json, **self.files(tmp_path))
        with pytest.raises(InputError, match=r"the corpus of .* is not there"):
            self.run(given)
        given.skip_if_absent = True
        assert self.run(given) == 0
        out = capsys.readouterr().out
        assert "is not there" in (json.loads(out)["skipped"] if as_json else out.removeprefix("skipped: "))

    def test_articles_that_differ_from_the_recorded_ones(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        right = {doc_id: f"raw {text}" for doc_id, text in TEXTS.items()}
        assert self.run(options(**self.files(tmp_path, hashes=right))) == 0
        assert "skipped" not in capsys.readouterr().out
        with pytest.raises(InputError, match=r"1 of the 3 articles .* differ \(wall.txt is another text\)"):
            self.run(options(**self.files(tmp_path, hashes={**right, "wall.txt": "?"})))
        given = options(skip_if_absent=True, **self.files(tmp_path, hashes={**right, "wall.txt": "?"}))
        assert self.run(given) == 0
        assert re.match(r"skipped: 1 of the 3 articles .* \(wall.txt is another text\)\n$", capsys.readouterr().out)

    def test_only_articles_that_are_not_on_disk_are_absent(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        right = {doc_id: f"raw {text}" for doc_id, text in TEXTS.items()}
        (tmp_path / "articles").mkdir()
        text = "It is there, and ingestion lost it."
        files = self.files(tmp_path, hashes={**right, "new.txt": hashlib.sha256(text.encode()).hexdigest()})
        given = options(skip_if_absent=True, corpus=tmp_path / "articles", **files)
        for other in (None, "Another edition."):
            if other:
                (tmp_path / "articles" / "new.txt").write_text(other)
            assert self.run(given) == 0
            assert re.match(
                r"skipped: 1 of the 4 articles .* \(new.txt is not in the index\)\n$", capsys.readouterr().out
            )
        (tmp_path / "articles" / "new.txt").write_text(text)
        with pytest.raises(InputError, match=r"new.txt is there, but 'new.txt' is not in the index"):
            self.run(given)

    def test_an_index_that_this_run_was_to_build_is_not_absent(self, tmp_path: Path) -> None:
        def absent(_root: Path) -> Shelf:
            raise IndexMissing("there is no index")

        given = options(skip_if_absent=True, corpus=tmp_path, **self.files(tmp_path))
        with pytest.raises(IndexMissing):
            run_eval(given, lambda: Path("index"), absent)

    def test_a_document_that_nobody_indexed(self, tmp_path: Path) -> None:
        files = self.files(tmp_path)
        with pytest.raises(InputError, match="line 3, field 'documents': the index holds no document"):
            run_eval(options(**files), Path, lambda _: Shelf({k: TEXTS[k] for k in list(TEXTS)[:2]}))

    def test_complaints_come_before_the_work(self, tmp_path: Path) -> None:
        files = self.files(tmp_path)

        def never() -> Path:
            raise AssertionError("the index was built first")

        for changes, complaint in (
            ({"run_file": tmp_path / "run", "given_paragraph": True}, "leave out --given-paragraph"),
            ({"predictions": tmp_path / "no" / "p"}, "there is no folder"),
            ({"gates": tmp_path / "absent.toml"}, "cannot be read"),
            ({"report": [tmp_path / "r.pdf"]}, "tells no kind of report"),
            ({"report": [tmp_path / "no" / "r.md"]}, "there is no folder"),
            ({"against": tmp_path / "absent.json"}, "cannot be read"),
            ({"given_paragraph": True, "without_gold": True}, "choose one of the two"),
        ):
            with pytest.raises(InputError, match=complaint):
                run_eval(options(**{**files, **changes}), never)

    def test_a_set_that_brings_its_corpus_takes_no_other(self, tmp_path: Path) -> None:
        paragraph = {"context": "Of iron.", "qas": [{"id": "q", "question": "?", "answers": []}]}
        (tmp_path / "dev.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))
        given = options(set=tmp_path / "dev.json", corpus=tmp_path)
        with pytest.raises(InputError, match="brings its own corpus"):
            run_eval(given, Path)

    def test_a_stored_baseline(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        report = tmp_path / "run.json"
        self.run(options(report=[report], **self.files(tmp_path, "")))
        files = self.files(tmp_path, "[own.loss]\nEM = 0.01\n")
        with pytest.raises(InputError, match=r"own.json: \[own.loss\] has no baseline; store one with"):
            self.run(options(**files))
        path = place(files["gates"], "own")
        path.parent.mkdir()
        path.write_text(trimmed(json.loads(report.read_text())))
        capsys.readouterr()
        assert self.run(options(**files)) == 0
        assert "met: EM may have lost 0.0000, allowed 0.01\npassed\n" in capsys.readouterr().out
        better = json.loads(path.read_text())
        for row in better["rows"]:
            row |= {"right": True, "scores": {**row["scores"], "EM": 1.0}}
        path.write_text(json.dumps(better))
        assert self.run(options(**files)) == 1
        out = capsys.readouterr().out
        assert "lost: q2: What material is the tower of? (not stored) -> (refused)" in out
        assert out.endswith("NOT MET: EM may have lost 1.0000, allowed 0.01\nNOT PASSED\n")
        # A part of the set has no baseline, and needs none; one that is given counts instead of the stored one.
        assert self.run(options(limit=1, **files)) == 0
        assert self.run(options(against=report, **files)) == 0

    def test_the_gates_of_the_package_hold_its_own_sets_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "package" / "sets").mkdir(parents=True)
        gates = tmp_path / "package" / "gates.toml"
        gates.write_text("[own]\nEM = 1\n[own.loss]\nEM = 0\n")
        monkeypatch.setattr("eval.command.DEFAULT", gates)
        report = tmp_path / "run.json"
        files = self.files(tmp_path, "")
        self.run(options(report=[report], **files))
        run = json.loads(report.read_text())
        kept = place(gates, "own")
        kept.parent.mkdir()
        # Another set of this name was stored: a user's own is not held to it, and not told to overwrite it.
        kept.write_text(trimmed({**run, "fingerprint": {**run["fingerprint"], "set": {"sha256": "1" * 64}}}))
        capsys.readouterr()
        for part in ({}, {"limit": 1}):
            assert self.run(options(set=files["set"], **part)) == 0
            assert capsys.readouterr().out.count("gates: none for [own]; those of the package hold its own sets") == 1
        with pytest.raises(InputError, match="is a run of another set"):
            self.run(options(set=files["set"], gates=gates))
        # Held are a copy of the set that was stored, and whatever lies among the package's sets.
        kept.write_text(trimmed(run))
        assert self.run(options(set=files["set"])) == 1
        assert "NOT MET: EM 0.3333" in capsys.readouterr().out
        inside = gates.parent / "sets" / "own.jsonl"
        inside.write_bytes(files["set"].read_bytes() + b"\n")
        with pytest.raises(InputError, match="is a run of another set"):
            self.run(options(set=inside))

    @pytest.mark.parametrize(
        ("part", "change", "says"),
        [
            ("set", {"sha256": "1" * 64}, "is a run of another set \\(sha256"),
            ("corpus", {"documents": 4}, "is a run of another corpus \\(documents 4, here 3\\)"),
            ("models", {"reader": "other"}, None),
            ("settings", {"read": 3, "k": 9}, None),
        ],
    )
    def test_what_a_baseline_must_share(
        self, tmp_path: Path, part: str, change: dict[str, Any], says: str | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        report = tmp_path / "run.json"
        self.run(options(report=[report], **self.files(tmp_path, "")))
        run = json.loads(report.read_text())
        run["fingerprint"][part] |= change
        files = self.files(tmp_path, "[own.loss]\nEM = 0\n")
        path = place(files["gates"], "own")
        path.parent.mkdir()
        path.write_text(trimmed(run))
        if says is None:
            assert self.run(options(**files)) == 0
            assert all(f"  {name}: {value} -> " in capsys.readouterr().out for name, value in list(change.items())[:1])
        else:
            with pytest.raises(InputError, match=f"{says}.*python -m eval.baseline SET"):
                self.run(options(**files))


def test_an_article_that_ingestion_rejects_is_not_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    articles, index = tmp_path / "articles", tmp_path / "index"
    articles.mkdir()
    (articles / "mill.txt").write_text("The grinding house is from 1862.")
    (articles / "bridge.txt").write_text(" ")
    question = Question("q", "From what year is the grinding house?", ("1862",), ("mill.txt",))
    (tmp_path / "own.jsonl").write_text(TestCommand.line(question))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in articles.iterdir()}
    (tmp_path / "own.sha256.json").write_text(json.dumps(hashes))
    assert main(["index", str(articles), "--index", str(index)]) == 0
    asked = ["eval", str(tmp_path / "own.jsonl"), "--skip-if-absent"]
    for place_of in (["--index", str(index)], ["--corpus", str(articles)]):
        assert main([*asked, *place_of]) == 2
        assert "bridge.txt is there, but 'bridge.txt' is not in the index" in capsys.readouterr().err
    (articles / "bridge.txt").unlink()
    assert main([*asked, "--index", str(index)]) == 0
    assert "(bridge.txt is not in the index)" in capsys.readouterr().out
    (articles / "tower.txt").write_text("The tower is from 1889.")
    assert main([*asked, "--corpus", str(articles)]) == 0
    assert f"tower.txt is none of the 2 articles of {tmp_path / 'own.jsonl'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("doc_id", "paths"),
    [
        ("a/b.txt", ["articles"]),
        ("wire.jsonl#7", ["articles"]),
        ("articles/a/b.txt", ["other", "articles"]),
        ("b.txt", ["articles/a/b.txt"]),
        ("b.txt", None),
        ("articles.txt", None),
        ("wire.jsonl#" + "long " * 80, ["articles"]),
        ("none.jsonl#" + "long " * 80, None),
    ],
)
def test_where_the_file_of_a_document_would_be(tmp_path: Path, doc_id: str, paths: list[str] | None) -> None:
    (tmp_path / "articles" / "a").mkdir(parents=True)
    for name in ("articles/a/b.txt", "articles/wire.jsonl", "articles.txt"):
        (tmp_path / name).touch()
    found = _file(doc_id, [tmp_path / path for path in paths or ["articles"]])
    assert (found is not None) == (paths is not None)


def test_the_linter_loads_no_reader(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a reader was loaded")

    monkeypatch.setattr("rag.readers.load_reader", never)
    monkeypatch.setattr("rag.minireader.MiniReader.__init__", never)
    monkeypatch.setattr("rag.calibrate.Calibration.of", never)
    question = Question("q", "From what year is the grinding house?", ("1862",), ("mill.txt",))
    (tmp_path / "own.jsonl").write_text(TestCommand.line(question))
    asked = ["eval", str(tmp_path / "own.jsonl"), "--index", str(tmp_path / "index")]
    assert main(["index", str(corpus), "--index", str(tmp_path / "index")]) == 0
    assert main([*asked, "--check"]) == 0
    assert "own: 1 questions, nothing found wrong" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="a reader was loaded"):
        main(asked)
