"""The harness over a small pipeline of its own."""

import json
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval import harness
from eval.confidence import ece_by_chance
from eval.figures import figures_of
from eval.harness import DEPTH, ask_all, evaluate
from eval.outputs import write, write_predictions, write_run
from eval.questions import Question
from index.errors import InputError
from index.passage import Document, Hit
from rag.answer import Answer, Part, cite
from rag.copies import READ
from tests.word_pipeline import QUESTIONS, TEXTS, WordPipeline, own_set


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

    def test_a_refusal_counts_nothing_even_where_an_answer_has_no_words(self) -> None:
        refused = replace(QUESTIONS[1], answers=("The",))
        scores = evaluate(own_set(refused), WordPipeline(TEXTS)).rows[0].scores
        assert (scores["answered"], scores["EM"], scores["F1"]) == (0, 0, 0)
        assert (scores["EM_all"], scores["F1_all"]) == (1, 1)  # as the official script of SQuAD 2.0 has it

    def test_confidence_is_of_the_best_candidate_refused_or_not(self) -> None:
        result = evaluate(own_set(), WordPipeline(TEXTS))
        assert [row.confidence for row in result.rows] == [0.5, pytest.approx(1 / 3), 0.2, 0.5]
        assert [row.best_right for row in result.rows] == [True, True, False, False]
        assert result.figures["AUROC"] == pytest.approx((0.5 + 0 + 0) / 3)
        assert result.figures["AUROC_right"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
        brier = (0.5**2 + (2 / 3) ** 2 + 0.2**2 + 0.5**2) / 4
        assert result.figures["Brier"] == pytest.approx(brier)
        stated = [row.confidence for row in result.rows if row.confidence is not None]
        assert result.figures["ECE_chance"] == ece_by_chance(stated)

    def test_a_whole_sentence_that_holds_the_answer_is_right_for_the_confidence_too(self) -> None:
        class Sentences(WordPipeline):
            def _answer(self, question: str, hits: Sequence[Hit], k: int, timings: dict[str, float]) -> Answer:
                found = super()._answer(question, hits, k, timings)
                (cited,) = found.citations
                whole = replace(cited, quote=cited.sentence, start=cited.sentence_start, end=cited.sentence_end)
                return replace(found, answer=whole.quote, citations=(whole,))

        bridge = Question("q", "bridge", ("iron",), ("bridge of iron.txt",))
        result = evaluate(own_set(bridge), Sentences(TEXTS))
        (row,) = result.rows
        assert row.best == "The bridge is of iron."
        assert row.right
        assert row.scores["F1_forced"] < 0.5
        assert row.confidence is not None
        assert result.figures["Brier"] == pytest.approx((1 - row.confidence) ** 2)
        assert result.figures["coverage@80"] == 1

    def test_overlap_only_of_own_sets(self) -> None:
        assert evaluate(own_set(), WordPipeline(TEXTS)).figures["overlap"] == pytest.approx((1 / 1 + 1 / 2 + 1 / 3) / 3)
        brought = own_set(corpus=(Document("x", "y"),))
        assert "overlap" not in evaluate(brought, WordPipeline(TEXTS)).figures

    def test_latency_by_stage_and_memory(self) -> None:
        figures = evaluate(own_set(), WordPipeline(TEXTS)).figures
        assert (figures["p50_ms_read"], figures["p95_ms_total"]) == (2, 3)
        assert 0 < figures["p50_ms_retrieve"] <= figures["p95_ms_retrieve"] < 1000
        assert 10 < figures["peak_memory_mb"] < 100_000

    def test_the_same_digits_twice(self) -> None:
        first, second = (evaluate(own_set(), WordPipeline(TEXTS)).figures for _ in range(2))
        for figures in (first, second):
            del figures["p50_ms_retrieve"], figures["p95_ms_retrieve"], figures["peak_memory_mb"]
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
        assert pipeline.read == []
        assert result.figures["nDCG@10"] == 1
        assert "EM" not in result.figures
        assert result.rows[0].answered is None

    @pytest.mark.parametrize("gold", ["rival.txt", "paper 19.txt"])
    def test_documents_alone_are_judged_past_the_copies_of_one_story(self, gold: str) -> None:
        papers = {f"paper {n:02}.txt": "The iron bridge was sold." for n in range(20)}
        question = Question("q", "iron bridge sold", gold={gold: 1}, documents=(gold,))
        (row,) = evaluate(own_set(question), WordPipeline({**papers, "rival.txt": "The bridge is for rent."})).rows
        assert row.ranking.index(gold) > READ
        assert (row.right, row.blame) == (True, None)

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
        figures = evaluate(own_set(question, QUESTIONS[0]), WordPipeline(TEXTS)).figures
        assert figures["F1"] == 0.75  # of two items one; and one of one
        assert (figures["list_EM"], figures["list_F1"]) == (0, 0.5)
        assert "list_F1" not in evaluate(own_set(), WordPipeline(TEXTS)).figures

    def test_the_parts_of_an_answer_are_its_list(self) -> None:
        class Lists(WordPipeline):
            def _answer(self, question: str, hits: Sequence[Hit], k: int, timings: dict[str, float]) -> Answer:
                one = super()._answer(question, hits, k, timings)
                return replace(one, parts=tuple(Part(text, one.citations) for text in ("iron", "the steel", "tin")))

        two = Question("q", "bridge", ("iron", "steel"), ("bridge of iron.txt",), multi=True)
        one = Question("r", "bridge", ("iron",), ("bridge of iron.txt",))
        result = evaluate(own_set(two, one), Lists(TEXTS))
        # Two of three items stand in the list, whose length counts; the question that wants no list takes the answer.
        assert (result.rows[0].scores["list_EM"], result.rows[0].scores["list_F1"]) == (0, pytest.approx(2 / 3))
        assert result.rows[0].best_right
        assert result.rows[1].scores["EM"] == 1
        assert all(row.right for row in result.rows)

    def test_every_part_of_an_answer_cites(self) -> None:
        class Lists(WordPipeline):
            def _answer(self, question: str, hits: Sequence[Hit], k: int, timings: dict[str, float]) -> Answer:
                one = super()._answer(question, hits, k, timings)
                if one.answer != "iron":  # asked of the tower alone, for blame
                    return one
                parts = [Part("iron", one.citations)]
                for doc_id, word in (("wall.txt", "stone"), ("tower.txt", "glass")):
                    text = TEXTS[doc_id]
                    start = text.index(word)
                    parts.append(
                        Part(word, (cite(self.index.document(doc_id), (start, start + 5), (0, text.index(".") + 1)),))
                    )
                return replace(one, parts=tuple(parts), alternatives=())

        documents = ("bridge of iron.txt", "wall.txt", "tower.txt")
        question = Question("q", "bridge", ("iron", "stone"), documents, multi=True)
        figures = evaluate(own_set(question), Lists(TEXTS)).figures
        # Three citations, that of the answer itself counted once; "glass" is none of the answers.
        assert figures["citation_precision"] == pytest.approx(2 / 3)
        assert figures["citation_recall"] == pytest.approx(2 / 3)
        third = Question("q", "bridge", ("glass",), ("tower.txt",))  # the items are candidates: the third has it
        figures = evaluate(own_set(third), Lists(TEXTS)).figures
        assert (figures["sentence_hit@1"], figures["sentence_hit@3"]) == (0, 1)

    def test_a_list_is_right_by_all_of_its_items(self) -> None:
        three = Question("q", "bridge", ("iron", "steel", "tin"), ("bridge of iron.txt",), multi=True)
        (row,) = evaluate(own_set(three), WordPipeline(TEXTS)).rows
        assert (row.answered, row.right, row.scores["list_F1"]) == (True, False, pytest.approx(1 / 3))

    def test_one_search_a_question(self) -> None:
        for mode in ({}, {"without_gold": True}, {"given_paragraph": True}):
            pipeline = WordPipeline(TEXTS)
            rows = evaluate(own_set(), pipeline, **mode).rows
            blamed = sum(row.blame is not None and row.blame.isolated is not None for row in rows)
            assert len(pipeline.searched) == len(rows) + blamed


class TestModes:
    def test_given_paragraph_reads_the_gold_documents_alone(self) -> None:
        impossible = Question("q4", "Who likes it?", answerable=False, gold={"tower.txt": 1})
        result = evaluate(own_set(*QUESTIONS[:3], impossible), WordPipeline(TEXTS), given_paragraph=True)
        # Each document is one hit, so that of its sentences the first has the say.
        assert [row.best for row in result.rows] == ["iron", "glass", "stone", "glass"]
        assert "R@1" not in result.figures
        assert result.mode == "given_paragraph"

    def test_given_paragraph_leaves_out_what_has_none(self) -> None:
        result = evaluate(own_set(), WordPipeline(TEXTS), given_paragraph=True)
        assert [row.question.id for row in result.rows] == ["q1", "q2", "q3"]

    def test_without_gold_takes_every_passage_that_holds_an_answer(self) -> None:
        pipeline = WordPipeline(TEXTS)
        made_up = Question("q6", "Nobody likes what?", ("glass",), ("tower.txt",))
        result = evaluate(own_set(*QUESTIONS, made_up), pipeline, without_gold=True)
        assert "ECE_chance" not in result.figures
        taken = {question: {pipeline.index.passages[row].text for row in rows} for question, rows in pipeline.searched}
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


def test_depth_is_enough_for_ten_documents() -> None:
    assert DEPTH >= 10
    assert figures_of([])["peak_memory_mb"].n == 0


def test_the_passages_of_so_many_missed_and_right_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "KEPT", Counter({"missed": 1, "right": 2}))
    asked = own_set(*QUESTIONS, replace(QUESTIONS[0], id="q5"))
    rows = evaluate(asked, WordPipeline(TEXTS), passages=True).rows
    assert [(row.right, bool(row.shown)) for row in rows] == [
        (True, True), (False, True), (False, False), (False, False), (True, True),
    ]  # fmt: skip
    assert ("iron", "gold best") in rows[0].shown[0].pieces
    assert not any(row.shown for row in evaluate(asked, WordPipeline(TEXTS)).rows)
    assert harness.KEPT == {"missed": 1, "right": 2}


def test_the_set_is_named_and_errors_stand_where_they_are_defined() -> None:
    result = evaluate(own_set(), WordPipeline(TEXTS))
    assert (result.set_name, result.set_sha256, result.mode) == ("own", "0" * 64, "open")
    assert "peak_memory_mb" in result.figures
    assert "peak_memory_mb" not in result.standard_errors


def test_documents_alone_are_for_the_open_mode() -> None:
    alone = Question("d", "Of iron?", documents=("tower.txt",), gold={"tower.txt": 1})
    both = replace(QUESTIONS[0], gold={"bridge of iron.txt": 1, "tower.txt": 1})
    for mode in ("given_paragraph", "without_gold"):
        found = ask_all(own_set(both, alone), WordPipeline(TEXTS), mode=mode, k=2)
        assert [(row.question.id, len(answer.alternatives)) for row, answer in found if answer] == [("q1", 2)]
    (row,) = evaluate(own_set(QUESTIONS[2]), WordPipeline(TEXTS), given_paragraph=True).rows
    assert row.blame
    assert (row.blame.stage, row.blame.fused) == ("reader", None)  # nothing was searched
    with pytest.raises(InputError, match="a gold document and an answer"):
        evaluate(own_set(alone), WordPipeline(TEXTS), given_paragraph=True)


def test_what_cannot_be_asked() -> None:
    unusable = replace(QUESTIONS[0], question="???")
    absent = Question("n", "???", answerable=False, gold={"tower.txt": 1})
    alone = Question("d", "???", documents=("tower.txt",), gold={"tower.txt": 1})
    rows = evaluate(own_set(unusable, absent, alone), WordPipeline(TEXTS)).rows
    assert [(row.right, row.blame and row.blame.stage, row.confidence) for row in rows] == [
        (False, "not asked", 0.0), (True, None, 0.0), (False, "not asked", None),
    ]  # fmt: skip
    assert [(row.best, row.timings_ms) for row in rows] == [("", {})] * 3
    assert "R@1" not in evaluate(own_set(unusable), WordPipeline(TEXTS), given_paragraph=True).figures


def test_a_ranking_is_scored_down_to_ten() -> None:
    texts = {f"{n}.txt": "The gate is of iron." for n in range(1, 9)}
    asked = Question("q", "Which iron gate?", ("steel",), ("7.txt",), gold={"7.txt": 1})
    (row,) = evaluate(own_set(asked), WordPipeline(texts)).rows
    ranked = {name: row.scores[name] for name in ("R@1", "R@5", "R@10", "RR@10", "AP", "nDCG@10", "sound")}
    sevenths = dict.fromkeys(("RR@10", "AP"), pytest.approx(1 / 7))
    assert ranked == {"R@1": 0, "R@5": 0, "R@10": 1, **sevenths, "nDCG@10": pytest.approx(1 / 3), "sound": 0}


def test_the_fourth_candidate_is_no_hit_of_three() -> None:
    texts = {f"{n}.txt": f"The gate is of {metal}." for n, metal in enumerate(("tin", "lead", "zinc", "iron"))}
    asked = Question("q", "Which gate?", ("iron",), ("3.txt",))
    ((row, answer),) = ask_all(own_set(asked), WordPipeline(texts))
    assert answer is not None
    assert answer.alternatives[-1].answer == "iron"
    assert row.scores["sentence_hit@3"] == 0


def test_predictions_are_utf_8_and_end_in_a_newline(tmp_path: Path) -> None:
    result = evaluate(own_set(QUESTIONS[0]), WordPipeline(TEXTS))
    write_predictions(replace(result, rows=(replace(result.rows[0], answer="Köln"),)), tmp_path / "p.json")
    assert (tmp_path / "p.json").read_bytes() == '{\n"q1": "Köln"\n}\n'.encode()


def test_a_run_of_odd_ids_and_scores_above_one(tmp_path: Path) -> None:
    result = evaluate(own_set(QUESTIONS[0]), WordPipeline(TEXTS))
    odd = replace(QUESTIONS[0], id="q\t1\u00a0é")
    row = replace(result.rows[0], question=odd, ranking=("a", "b"), ranking_scores=array("d", [2.5, 2.5]))
    write_run(replace(result, rows=(row,)), tmp_path / "run")
    assert (tmp_path / "run").read_text("utf-8").splitlines() == [
        "q%091%C2%A0é Q0 a 1 2.5 citespan",
        "q%091%C2%A0é Q0 b 2 2.49999976 citespan",
    ]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path / "report", "of \udcff.txt\n")
    assert (tmp_path / "report").read_text("utf-8") == "of ?.txt\n"
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path, "")
