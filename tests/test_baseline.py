"""The stored run: what it holds, where it lies, and the one command that renews it."""

import json
from pathlib import Path

import pytest

from eval.baseline import main, trimmed
from eval.figures import FIGURES
from eval.gates import DEFAULT, LOSS, load_gates, place, stored
from eval.harness import evaluate
from eval.questions import Question
from eval.run import read_run, run_json
from index.errors import InputError
from tests.word_pipeline import TEXTS, WordPipeline, own_set

LINE = {"id": "q", "question": "When was the mill built?", "answers": ["1862"], "kind": "date", "answerable": True}


def test_a_baseline_holds_nobodys_text_and_no_figure_of_the_machine() -> None:
    text = trimmed(run_json(evaluate(own_set(), WordPipeline(TEXTS))))
    assert text == trimmed(run_json(evaluate(own_set(), WordPipeline(TEXTS))))
    assert not any(word in text for word in ("iron", "material", "1890", "timings", "_ms", "memory"))
    kept = json.loads(text)
    assert {"EM", "nDCG@10", "Brier"} <= set(kept["figures"]) <= set(FIGURES)
    assert set(kept["rows"][0]) == {"id", "answerable", "right", "best_right", "confidence", "scores"}
    assert len(text.splitlines()) > len(kept["rows"])  # a line a question: a change shows where it is


def test_it_reads_as_a_run(tmp_path: Path) -> None:
    result = evaluate(own_set(), WordPipeline(TEXTS))
    path = place(tmp_path / "gates.toml", "squad20_dev/squad.without_gold")
    assert path == tmp_path / "baselines" / "squad20_dev_squad.without_gold.json"
    path.parent.mkdir()
    path.write_text(trimmed(run_json(result)))
    run = stored(tmp_path / "gates.toml", "squad20_dev/squad.without_gold")
    assert [row.answer for row in run.rows] == [None] * 4
    assert run.figures["F1"] == result.figures["F1"]
    with pytest.raises(InputError, match="has no baseline"):
        stored(tmp_path / "gates.toml", "other")


def test_every_allowed_loss_that_ships_has_its_baseline() -> None:
    tables = [name.removesuffix(f".{LOSS}") for name, table in load_gates(DEFAULT).items() if table]
    wanted = [name for name in tables if load_gates(DEFAULT).get(f"{name}.{LOSS}")]
    for name in wanted:
        assert read_run(place(DEFAULT, name)).rows, name
    shipped = DEFAULT.parent / "baselines"
    assert {path.name for path in shipped.glob("*")} == {place(DEFAULT, name).name for name in wanted}


def test_one_command_stores_and_renews(
    corpus: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text("[own]\nF1 = 0.5\n")
    documents = ["mill.txt", "syndicated/mill.txt"]
    (tmp_path / "own.jsonl").write_text(json.dumps({**LINE, "documents": documents}) + "\n")
    asked = [str(tmp_path / "own.jsonl"), "--index", str(root), "--reader", "none", "--gates", str(gates)]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"{gates} allows no losses yet: it takes a table [own.loss]\n")
    first = (tmp_path / "baselines" / "own.json").read_bytes()
    gates.write_text("[own.loss]\nF1 = 0.1\n")
    assert main(asked) == 0
    assert capsys.readouterr().out.endswith("own.json: stored\n")
    assert (tmp_path / "baselines" / "own.json").read_bytes() == first
    # The set has changed: the old baseline fits no more, and the same command stores it anew.
    (tmp_path / "own.jsonl").write_text(json.dumps({**LINE, "documents": documents, "question": "Since when?"}))
    from rag.cli import main as rag

    assert rag(["eval", *asked]) == 2
    assert "is a run of another set" in capsys.readouterr().err
    assert main(asked) == 0
    assert rag(["eval", *asked]) == 0


def test_a_set_of_ones_own_takes_no_packaged_baselines_place(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source.jsonl").write_text(json.dumps({**LINE, "documents": ["mill.txt"]}))
    before = place(DEFAULT, "source").read_bytes()
    assert main([str(tmp_path / "source.jsonl"), "--index", str(root), "--reader", "none"]) == 2
    assert "source is no set of the package's: give --gates FILE" in capsys.readouterr().err
    assert place(DEFAULT, "source").read_bytes() == before


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "absent.jsonl")]) == 2
    assert main([str(tmp_path / "own.jsonl"), "--gates", str(tmp_path / "absent.toml")]) == 2
    with pytest.raises(SystemExit):
        main(["own.jsonl", "--limit", "3"])
    assert "leave out --limit" in capsys.readouterr().err
    (tmp_path / "own.jsonl").write_text(json.dumps({**LINE, "documents": ["a.txt"]}))
    skipped = [str(tmp_path / "own.jsonl"), "--corpus", str(tmp_path / "absent"), "--skip-if-absent"]
    assert main([*skipped, "--gates", str(DEFAULT)]) == 0
    assert "skipped" in capsys.readouterr().out


def test_the_question_itself_is_not_kept() -> None:
    hostile = Question("q", "Whose words are these?", ("iron",), ("tower.txt",), gold={"tower.txt": 1})
    assert "Whose" not in trimmed(run_json(evaluate(own_set(hostile), WordPipeline(TEXTS))))
