"""The harness over a small pipeline of its own: words in common for search and reading, nothing learned."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.command import run_eval
from eval.figures import figures_of
from eval.harness import DEPTH, ask_all, evaluate, write_predictions, write_run
from eval.questions import Question, QuestionSet
from index.errors import InputError
from index.passage import Document, Hit, Passage
from rag.answer import Answer, Candidate, Support, cite

TEXTS = {
    "bridge of iron.txt": "The bridge is of iron. It opened in 1890.",
    "tower.txt": "The tower is of glass. Nobody likes the tower.",
    "wall.txt": "The wall is of stone. It opened in 1990–1991.",
}
NONE: frozenset[int] = frozenset()


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"the", "is", "of", "in", "it"}


class Shelf:
    """A passage a sentence."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._documents = {
            doc_id: Document(doc_id, text, source_sha256=f"raw {text}") for doc_id, text in texts.items()
        }
        self.passages: list[Passage] = []
        for doc_id, text in sorted(texts.items()):
            for found in re.finditer(r"[^. ][^.]*\.", text):
                row, span = len(self.passages), found.span()
                self.passages.append(Passage(row, doc_id, *span, found[0], (span,)))

    @property
    def doc_ids(self) -> list[str]:
        return list(self._documents)

    def document(self, doc_id: str) -> Document:
        return self._documents[doc_id]

    def passage(self, row: int) -> Passage:
        return self.passages[row]


class WordPipeline:
    """Ranks passages by words in common; answers with a passage's last word, if half of the question's words match."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.index = Shelf(texts)
        self.asked: list[tuple[str, frozenset[int]]] = []

    def search(self, query: str, k: int = 10, exclude: frozenset[int] = NONE) -> list[Hit]:
        if not words(query):
            raise InputError("the question has no words.")
        scored = [
            Hit(passage, len(words(query) & words(passage.text)) / len(words(query)))
            for passage in self.index.passages
            if passage.passage_id not in exclude
        ]
        return sorted(scored, key=lambda hit: (-hit.score, hit.passage.passage_id))[:k]

    def ask(self, question: str, k: int = 3, exclude: frozenset[int] = NONE) -> Answer:
        self.asked.append((question, exclude))
        return self.answer_from(question, self.search(question, 4, exclude), k)

    def answer_from(self, question: str, hits: Sequence[Hit], k: int = 3) -> Answer:
        found = [self._candidate(hit) for hit in hits]
        timings = {"read": 2.0, "total": 3.0}
        if found and found[0].confidence >= 0.5:
            best = found[0]
            others = tuple(found[1 : k + 1])
            return Answer(
                question, True, best.answer, best.confidence, None, best.citations, (), best.support, others, timings
            )
        sure = found[0].confidence if found else 0.0
        return Answer(question, False, None, sure, "weak", alternatives=tuple(found[:k]), timings_ms=timings)

    def _candidate(self, hit: Hit) -> Candidate:
        start = hit.passage.text.rindex(" ") + 1 + hit.passage.start
        span = (start, hit.passage.end - 1)
        citation = cite(self.index.document(hit.passage.doc_id), span, (hit.passage.start, hit.passage.end))
        return Candidate(citation.quote, hit.score, (citation,), Support(1, 1))


QUESTIONS = (
    Question("q1", "What is the bridge of?", ("iron",), ("bridge of iron.txt",), gold={"bridge of iron.txt": 1}),
    Question("q2", "What material is the tower of?", ("a glass", "crystal"), ("tower.txt",), gold={"tower.txt": 1}),
    Question("q3", "Which wall opened when somewhere?", ("1990",), ("wall.txt",), gold={"wall.txt": 2}),
    Question("q4", "Who likes it?", answerable=False),
)


def own_set(*questions: Question, corpus: tuple[Document, ...] | None = None) -> QuestionSet:
    return QuestionSet("own", Path("own.jsonl"), questions or QUESTIONS, corpus, "0" * 64)


def options(**changes: Any) -> argparse.Namespace:
    defaults = dict.fromkeys(("index", "corpus", "reader", "predictions", "run_file", "limit", "gates", "against"))
    flags = dict.fromkeys(("given_paragraph", "without_gold", "skip_if_absent", "json", "check"), False)
    return argparse.Namespace(**{**defaults, **flags, "report": [], **changes})


class TestOpen:
    def test_figures_by_hand(self) -> None:
        result = evaluate(own_set(), WordPipeline(TEXTS))
        figures = result.figures
        rows = {row.question.id: row for row in result.rows}
        # q1: one of two words matches. q2: one of three, in two passages, of which the first says "glass". q3: one of
        # five, in three passages, the wrong one first. q4: one of two.
        assert [(rows[q].answered, rows[q].answer, rows[q].best) for q in ("q1", "q2", "q3", "q4")] == [
            (True, "iron", "iron"),
            (False, "", "glass"),
            (False, "", "1890"),
            (True, "tower", "tower"),
        ]
        assert figures["answered"] == pytest.approx(1 / 3)
        assert figures["refused"] == 0
        assert figures["EM"] == figures["F1"] == pytest.approx(1 / 3)
        assert figures["EM_forced"] == figures["F1_forced"] == pytest.approx(2 / 3)
        assert figures["EM_all"] == 1 / 4
        assert figures["sentence_hit@1"] == pytest.approx(2 / 3)
        assert figures["sentence_hit@3"] == 1
        assert (figures["citation_precision"], figures["citation_recall"]) == (1, 1)
        # q3: the bridge ("opened") before the wall ("wall"), a tie, by passage_id.
        assert rows["q3"].ranking == ("bridge of iron.txt", "wall.txt", "tower.txt")
        assert figures["R@1"] == pytest.approx(2 / 3)
        assert figures["RR@10"] == pytest.approx((1 + 1 + 1 / 2) / 3)
        assert result.details["R@1"].n == 3
        assert result.standard_errors["R@1"] == pytest.approx(1 / 3)

    def test_confidence_is_of_the_best_candidate_refused_or_not(self) -> None:
        result = evaluate(own_set(), WordPipeline(TEXTS))
        assert [row.confidence for row in result.rows] == [0.5, pytest.approx(1 / 3), 0.2, 0.5]
        assert [row.best_f1 for row in result.rows] == [1, 1, 0, 0]
        assert result.figures["AUROC"] == pytest.approx((0.5 + 0 + 0) / 3)
        assert result.figures["AUROC_right"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
        brier = (0.5**2 + (2 / 3) ** 2 + 0.2**2 + 0.5**2) / 4
        assert result.figures["Brier"] == pytest.approx(brier)

    def test_overlap_only_of_own_sets(self) -> None:
        assert evaluate(own_set(), WordPipeline(TEXTS)).figures["overlap"] == pytest.approx((1 / 1 + 1 / 2 + 1 / 3) / 3)
        brought = own_set(corpus=(Document("x", "y"),))
        assert "overlap" not in evaluate(brought, WordPipeline(TEXTS)).figures

    def test_latency_by_stage_and_memory(self) -> None:
        figures = evaluate(own_set(), WordPipeline(TEXTS)).figures
        assert (figures["p50_ms_read"], figures["p95_ms_total"]) == (2, 3)
        assert 0 < figures["p50_ms_search"] <= figures["p95_ms_search"] < 1000
        assert 10 < figures["peak_memory_mb"] < 100_000

    def test_the_same_digits_twice(self) -> None:
        first, second = (evaluate(own_set(), WordPipeline(TEXTS)).figures for _ in range(2))
        for figures in (first, second):
            del figures["p50_ms_search"], figures["p95_ms_search"], figures["peak_memory_mb"]
        assert first == second

    def test_a_question_that_cannot_be_asked_counts_as_found_nothing(self) -> None:
        unusable = Question("q5", "???", ("iron",), ("tower.txt",), gold={"tower.txt": 1})
        result = evaluate(own_set(QUESTIONS[0], unusable), WordPipeline(TEXTS))
        assert result.rows[1].problem == "the question has no words."
        assert result.figures["R@10"] == result.figures["EM"] == result.figures["answered"] == 0.5

    def test_without_answers_documents_alone_are_judged(self) -> None:
        question = Question("q", "iron bridge", gold={"bridge of iron.txt": 2, "wall.txt": 0})
        pipeline = WordPipeline(TEXTS)
        result = evaluate(own_set(question, corpus=()), pipeline)
        assert pipeline.asked == []
        assert result.figures["nDCG@10"] == 1
        assert "EM" not in result.figures
        assert result.rows[0].answered is None

    def test_progress_and_rows_come_as_a_stream(self) -> None:
        seen: list[tuple[int, int]] = []
        rows = ask_all(own_set(), WordPipeline(TEXTS), progress=lambda done, total: seen.append((done, total)))
        row, answer = next(rows)
        assert (row.question.id, seen) == ("q1", [])
        assert answer is not None
        assert answer.answer == "iron"
        assert [row.question.id for row, _ in rows] == ["q2", "q3", "q4"]
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def test_lists_are_scored_whole(self) -> None:
        question = Question("q", "bridge", ("iron", "steel"), ("bridge of iron.txt",), multi=True)
        assert evaluate(own_set(question), WordPipeline(TEXTS)).figures["F1"] == 0.5


class TestModes:
    def test_given_paragraph_reads_the_gold_documents_alone(self) -> None:
        impossible = Question("q4", "Who likes it?", answerable=False, gold={"tower.txt": 1})
        result = evaluate(own_set(*QUESTIONS[:3], impossible), WordPipeline(TEXTS), given_paragraph=True)
        assert [row.best for row in result.rows] == ["iron", "glass", "stone", "tower"]
        assert "R@1" not in result.figures
        assert result.mode == "given_paragraph"

    def test_given_paragraph_leaves_out_what_has_none(self) -> None:
        result = evaluate(own_set(), WordPipeline(TEXTS), given_paragraph=True)
        assert [row.question.id for row in result.rows] == ["q1", "q2", "q3"]

    def test_without_gold_takes_every_passage_that_holds_an_answer(self) -> None:
        pipeline = WordPipeline(TEXTS)
        made_up = Question("q6", "Nobody likes what?", ("glass",), ("tower.txt",))
        result = evaluate(own_set(*QUESTIONS, made_up), pipeline, without_gold=True)
        taken = {question: {pipeline.index.passages[row].text for row in rows} for question, rows in pipeline.asked}
        assert taken == {
            QUESTIONS[0].question: {"The bridge is of iron."},
            QUESTIONS[1].question: {"The tower is of glass."},
            QUESTIONS[2].question: {"It opened in 1990–1991."},
            made_up.question: {"The tower is of glass."},
        }
        assert result.figures["refused"] == 3 / 4
        assert not {"EM", "EM_all", "answered", "AUROC", "Brier"} & set(result.figures)

    def test_both_at_once_is_refused(self) -> None:
        with pytest.raises(InputError, match="choose one"):
            evaluate(own_set(), WordPipeline(TEXTS), given_paragraph=True, without_gold=True)

    def test_nothing_to_ask(self) -> None:
        with pytest.raises(InputError, match="no question has a gold answer"):
            evaluate(own_set(QUESTIONS[3]), WordPipeline(TEXTS), without_gold=True)


class TestFiles:
    def test_predictions(self, tmp_path: Path) -> None:
        write_predictions(evaluate(own_set(), WordPipeline(TEXTS)), tmp_path / "p.json")
        assert json.loads((tmp_path / "p.json").read_text()) == {"q1": "iron", "q2": "", "q3": "", "q4": "tower"}

    def test_run_is_judged_as_it_was_ranked(self, tmp_path: Path) -> None:
        import ir_measures

        result = evaluate(own_set(), WordPipeline(TEXTS))
        write_run(result, tmp_path / "run")
        lines = [line.split(" ") for line in (tmp_path / "run").read_text().splitlines()]
        assert all(len(line) == 6 and line[1] == "Q0" and line[5] == "citespan" for line in lines)
        assert [line[2:4] for line in lines if line[0] == "q3"] == [
            ["bridge%20of%20iron.txt", "1"],
            ["wall.txt", "2"],  # the same score, kept behind by the next smaller number
            ["tower.txt", "3"],
        ]
        qrels = {q.id: {d.replace(" ", "%20"): r for d, r in q.gold.items()} for q in QUESTIONS if q.answerable}
        run = ir_measures.read_trec_run(str(tmp_path / "run"))
        names = ("R@1", "AP", "nDCG@10")
        theirs = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in names], qrels, run)
        assert {str(name): value for name, value in theirs.items()} == {
            name: pytest.approx(result.figures[name]) for name in names
        }

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be written"):
            write_predictions(evaluate(own_set(), WordPipeline(TEXTS)), tmp_path / "no" / "p.json")


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
        return run_eval(given, lambda: Path("index"), lambda _root, _reader: WordPipeline(TEXTS))

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

    def test_files_are_written(self, tmp_path: Path) -> None:
        outputs = {"predictions": tmp_path / "p.json", "run_file": tmp_path / "run"}
        self.run(options(**self.files(tmp_path), **outputs))
        assert all(path.stat().st_size for path in outputs.values())

    def test_against_an_earlier_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        files = self.files(tmp_path, "[own.loss]\nEM = 0.01\n")
        path = tmp_path / "run.json"
        assert self.run(options(report=[path], **files)) == 0
        out = capsys.readouterr().out
        assert out.startswith("blame: 3 of 4 missed")
        assert out.endswith("gates: [own.loss] is not checked without --against RUN.json\n")
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
        given = options(skip_if_absent=True, **self.files(tmp_path, hashes={**right, "new.txt": "?"}))
        assert self.run(given) == 0
        assert re.match(r"skipped: 1 of the 4 articles .* \(new.txt is not in the index\)\n$", capsys.readouterr().out)

    def test_a_document_that_nobody_indexed(self, tmp_path: Path) -> None:
        files = self.files(tmp_path)
        with pytest.raises(InputError, match="line 3, field 'documents': the index holds no document"):
            run_eval(options(**files), lambda: Path(), lambda *_: WordPipeline({k: TEXTS[k] for k in list(TEXTS)[:2]}))

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
        ):
            with pytest.raises(InputError, match=complaint):
                run_eval(options(**{**files, **changes}), never)

    def test_a_set_that_brings_its_corpus_takes_no_other(self, tmp_path: Path) -> None:
        paragraph = {"context": "Of iron.", "qas": [{"id": "q", "question": "?", "answers": []}]}
        (tmp_path / "dev.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))
        given = options(set=tmp_path / "dev.json", corpus=tmp_path)
        with pytest.raises(InputError, match="brings its own corpus"):
            run_eval(given, Path)


def test_depth_is_enough_for_ten_documents() -> None:
    assert DEPTH >= 10
    assert figures_of([])["peak_memory_mb"].n == 0
