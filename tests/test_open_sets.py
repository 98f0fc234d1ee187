"""Two tiny sets from a folder to one table, and no row measured twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eval import open_sets
from eval.open_sets import Row, code_hash, main, spread, table, tasks
from rag.readers import load_reader

MILL = "The mill was built in 1862. It ground flax and oats. A fire destroyed it."
BRIDGE = "The bridge is of iron. It carries 4,000 cars a day."
QAS = [
    {"id": "a", "question": "When was the mill built?", "answers": [{"text": "1862", "answer_start": 22}]},
    {
        "id": "b",
        "question": "What did the mill grind?",
        "answers": [{"text": "flax", "answer_start": 38}, {"text": "oats", "answer_start": 47}],
        "multi": True,
    },
]


def write_squad(path: Path) -> None:
    paragraphs = [{"context": MILL, "qas": QAS}, {"context": BRIDGE, "qas": []}]
    path.write_text(json.dumps({"data": [{"title": "Works", "paragraphs": paragraphs}]}))


def write_beir(folder: Path) -> None:
    (folder / "qrels").mkdir(parents=True)
    texts = {"mill": MILL, "bridge": BRIDGE}
    for name in ("corpus.jsonl", "evidence_corpus.jsonl"):
        lines = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in texts.items()]
        (folder / name).write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text(
        json.dumps({"_id": "q1", "text": "flax and oats", "metadata": {"answers": ["flax"]}})
    )
    for split in ("test", "evidence", "silver"):
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tmill\t1\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "works").mkdir(parents=True)
    write_squad(tmp_path / "data" / "works" / "squad.json")
    write_beir(tmp_path / "data" / "realtimeqa_2022" / "beir")
    return tmp_path / "data"


def test_what_is_asked_of_a_folder(data: Path) -> None:
    works = [
        ("works-given_paragraph", "spans"),
        ("works-given_paragraph-lists", "lists"),
        ("works-open", "spans"),
        ("works-open-lists", "lists"),
    ]
    evidence, test = ("realtimeqa_2022-evidence-retrieval", "news"), ("realtimeqa_2022-retrieval", "news")
    # The smaller corpus first, equal ones by name. A split without a corpus of its own is no set.
    assert [(task.name, task.family) for task in tasks(data)] == [evidence, test, *works]
    corpus = data / "realtimeqa_2022" / "beir" / "evidence_corpus.jsonl"
    corpus.write_text(corpus.read_text() + "\n" * 10_000)
    assert [(task.name, task.family) for task in tasks(data)] == [test, *works, evidence]


def test_folders_of_one_name_are_two_sets(data: Path, tmp_path: Path) -> None:
    for place in ("a/en", "b/en", "b/en/more/beir"):
        write_beir(data / place)
    names = [task.name for task in tasks(data) if task.path.stem == "test"]
    assert sorted(names) == [
        "a/en-retrieval",
        "b/en-retrieval",
        "b/en/more-retrieval",
        "realtimeqa_2022-retrieval",
    ]
    write_beir(tmp_path / "alone")
    assert {task.name for task in tasks(tmp_path / "alone")} == {"alone-retrieval", "alone-evidence-retrieval"}


def test_a_set_that_has_changed_is_another_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(open_sets, "load_reader", lambda _: load_reader("none"))
    write_beir(tmp_path / "data" / "en")
    asked = [str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    assert "| retrieval | en | retriever alone | 1 | 1.000 |" in capsys.readouterr().out
    (tmp_path / "data" / "en" / "qrels" / "test.tsv").write_text("q1\tmill\t1\nq1\tbridge\t2\n")
    assert main(asked) == 0
    assert "| retrieval | en | retriever alone | 1 | 1.000 |" not in capsys.readouterr().out


def test_one_table_and_no_row_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(open_sets, "load_reader", lambda _: load_reader("none"))
    asked = [str(data), "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("## Open sets (20")
    assert lines[2].startswith("| family | set | asked | questions | nDCG@10 | R@10 |")
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert len(lines) == 4 + 6
    assert any(line.startswith("| news | realtimeqa_2022 | retriever alone | 1 | 1.000 |") for line in lines)
    assert any(line.startswith("| lists | works | of the corpus | 1 |") for line in lines)
    assert "works-open: 2 of 2" in err

    def never(*_: object, **__: object) -> None:
        raise AssertionError("measured twice")

    monkeypatch.setattr(open_sets, "evaluate", never)
    assert main(asked) == 0
    assert capsys.readouterr().out == out
    # Another number of questions is another row.
    with pytest.raises(AssertionError, match="measured twice"):
        main([*asked, "--questions", "1"])


def test_a_set_that_cannot_be_asked_is_named_and_the_others_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (data / "works" / "squad.json").write_text('{"data":\n [}')
    assert main([str(data), "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4 + 2
    assert "works-open: " in err
    assert "squad.json, line 2: not JSON" in err
    assert main([str(tmp_path / "out"), "--out", str(tmp_path / "out")]) == 2
    assert "holds no set" in capsys.readouterr().err


def test_the_weakest_family_first() -> None:
    one = Row("a-open", "spans", "open", 4, 1, {"reader": 1}, {"F1_forced": 0.5}, "2026-01-02", "abc")
    rows = [
        one,
        replace(one, name="b-open", missed=3, stages={"reader": 1, "calibration": 2}, date="2026-01-01"),
        replace(one, name="c-retrieval", family="retrieval", asked="retrieval", missed=3, stages={"dense": 3}),
    ]
    lines = table(rows).splitlines()
    assert lines[0] == "## Open sets (2026-01-01 .. 2026-01-02, commit abc)"
    assert lines[2] == "| family | set | asked | questions | F1_forced | missed | dense | reader | calibration |"
    assert lines[4:] == [
        "| retrieval | c | retriever alone | 4 | 0.500 | 75.0% | 75.0% |  |  |",
        "| spans | b | of the corpus | 4 | 0.500 | 75.0% |  | 25.0% | 50.0% |",
        "| spans | a | of the corpus | 4 | 0.500 | 25.0% |  | 25.0% |  |",
    ]


def test_a_sample_of_questions_is_spread_over_the_set() -> None:
    questions = list(range(10))
    assert spread(questions, 4) == [0, 2, 5, 7]  # type: ignore[arg-type]
    assert spread(questions, 99) == spread(questions, None) == questions  # type: ignore[arg-type]


def test_the_hash_of_the_code_is_of_all_that_can_change_a_row(tmp_path: Path) -> None:
    assert code_hash() == code_hash()
    root = tmp_path / "training" / "checkout"  # where it lies does not matter
    parts = ("index/a.py", "rag/models/b.safetensors", "rag/models/c.onnx", "rag/models/d.json", "eval/peers/e.py")
    others = ("rag/training/f.py", "eval/baselines/g.json", "eval/results.md", "web/h.py")
    for name in (*parts, *others):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old")
    for names, changes in ((parts, True), (others, False)):
        for name in names:
            before = code_hash(root)
            (root / name).write_text("new")
            assert (code_hash(root) != before) is changes, name
