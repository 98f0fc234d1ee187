"""The ``rag`` command, as the contract has it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from index import store
from index.publish import writing
from rag.calibrate import Calibration
from rag.cli import main
from rag.reader import Reader

HERE = Path(__file__).resolve().parent.parent
Write = Callable[[Path, dict[str, str | bytes]], Path]
QUESTION = "How much did the repair of the mill cost?"
CITATION = [
    *("document", "title", "date", "source", "start", "end", "quote", "line"),
    *("sentence_start", "sentence_end", "sentence", "sha256"),
]
ANSWER = [
    *("question", "answered", "answer", "confidence", "reason", "citations", "parts", "support", "alternatives"),
    "timings_ms",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rag(capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, on the common index unless it says otherwise: (exit code, stdout, stderr)."""
    monkeypatch.setenv("RAG_INDEX", str(root))

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run


def process(*arguments: object, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m rag`` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "rag", *map(str, arguments)],
        cwd=HERE, capture_output=True, text=True, check=False, env={**os.environ, **changed},
    )  # fmt: skip


def decide(monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    """Let every reader have a calibration that answers always, or never."""

    def of(reader: Reader) -> Calibration:
        return Calibration({}, 0.0, 0.0 if answers else 1.0)

    monkeypatch.setattr(Calibration, "of", of)


# Each command


def test_index(rag: Run, tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": "The mill is old.", "b.png": b"x", "c.jsonl": b"{}"})
    code, out, err = rag("index", folder, "--index", tmp_path / "index", "--json")
    made = json.loads(out)
    assert code == 0
    assert list(made) == [
        *("generation", "documents", "passages", "scanned", "indexed", "unchanged", "skipped", "failed", "seconds")
    ]
    assert (made["generation"], made["documents"], made["passages"], made["scanned"]) == ("gen-000001", 1, 1, 3)
    assert [list(entry) for entry in made["skipped"] + made["failed"]] == [["path", "reason"]] * 2
    assert err.splitlines() == [
        f"rag: {kind} {entry['path']}: {entry['reason']}" for kind in ("skipped", "failed") for entry in made[kind]
    ]
    code, out, _ = rag("index", folder, "--index", tmp_path / "index")
    assert code == 0
    assert "1 documents in 1 passages (gen-000002): 3 scanned, 0 indexed, 1 unchanged, 1 skipped, 1 failed" in out


def test_ask(rag: Run, root: Path) -> None:
    code, out, err = rag("ask", QUESTION, "--json", "-k", 2)
    made = json.loads(out)
    assert list(made) == ANSWER
    assert made["question"] == QUESTION
    assert code == (0 if made["answered"] else 1)
    assert err == ""
    assert 0 <= made["confidence"] <= 1
    assert list(made["support"]) == ["documents", "distinct"]
    assert list(made["timings_ms"]) == ["retrieve", "read", "total"]
    assert len(made["alternatives"]) <= 2
    generation = store.open_current(root)
    for candidate in ([made] if made["answered"] else []) + made["alternatives"]:
        assert candidate["answer"] == candidate["citations"][0]["quote"]
        assert list(candidate["support"]) == ["documents", "distinct"]
        for citation in candidate["citations"]:
            assert list(citation) == CITATION
            document = generation.document(generation.rows[citation["document"]])
            assert document.text[citation["start"] : citation["end"]] == citation["quote"]
            assert citation["sha256"] == document.sha256
    for alternative in made["alternatives"]:
        assert list(alternative) == ["answer", "confidence", "citations", "support"]


def test_exit_codes_and_text_of_answers(rag: Run, monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    decide(monkeypatch, answers=True)
    code, out, err = rag("ask", QUESTION)
    assert (code, err) == (0, "")
    assert re.search(r"\(confidence 0\.50, stands in \d articles?", out)
    place = re.search(r"(\S+):(\d+)$", out, re.MULTILINE)
    assert place is not None
    assert int(place[2]) <= len(Path(place[1]).read_text().splitlines())
    monkeypatch.chdir(corpus)
    assert re.search(r"(^| )[a-z/]+\.(txt|md|html):\d+$", rag("ask", QUESTION)[1], re.MULTILINE)
    decide(monkeypatch, answers=False)
    code, out, err = rag("ask", QUESTION)
    assert (code, err) == (1, "")
    assert out.startswith("No answer found: ")
    assert "Closest:" in out
    code, out, _ = rag("ask", QUESTION, "--json")
    made = json.loads(out)
    assert (code, made["answered"], made["answer"], made["citations"]) == (1, False, None, [])
    assert made["reason"] in ("weak", "not_found")
    assert made["alternatives"]


def test_ask_with_whole_sentences(rag: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(monkeypatch, answers=True)
    code, out, _ = rag("ask", QUESTION, "--reader", "none", "--json")
    (citation, *_) = json.loads(out)["citations"]
    assert code == 0
    assert citation["quote"] == citation["sentence"]


@pytest.mark.parametrize("answers", [True, False])
def test_questions_in_a_file(rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    decide(monkeypatch, answers=answers)
    file = tmp_path / "questions.jsonl"
    lines = [{"id": 7, "question": " How old is the mill? "}, {"id": "a", "question": QUESTION, "other": 1}]
    file.write_text("\ufeff" + "\r\n\r\n".join(map(json.dumps, [*lines, {"id": "a", "question": "Zyzzyva\u2028?"}])))
    code, out, err = rag("ask", "--questions", file, "--json")
    made = [json.loads(line) for line in out.split("\n")[:-1]]
    assert (code, err) == (0, "")
    assert [list(line) for line in made] == [["id", *ANSWER]] * 3
    assert [line["id"] for line in made] == [7, "a", "a"]
    assert [line["question"] for line in made] == ["How old is the mill?", QUESTION, "Zyzzyva\u2028?"]
    assert {line["answered"] for line in made} == {answers}
    code, out, _ = rag("ask", "--questions", file)
    assert code == 0
    assert out.index("7: How old") < out.index(f"a: {QUESTION}") < out.index("a: Zyzzyva")


def test_search(rag: Run) -> None:
    code, out, err = rag("search", " water mill ", "-k", 2, "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert list(made) == ["query", "hits"]
    assert made["query"] == "water mill"
    assert len(made["hits"]) == 2
    for hit in made["hits"]:
        assert list(hit) == ["passage_id", "document", "title", "start", "end", "text", "score", "parts"]
        assert hit["end"] - hit["start"] == len(hit["text"])
    code, out, _ = rag("search", "water mill", "-k", 2)
    assert code == 0
    assert out.startswith(" 1. ")


def test_show(rag: Run, corpus: Path) -> None:
    text = (corpus / "bridge.md").read_text()
    code, out, err = rag("show", "bridge.md", "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert list(made) == ["document", "title", "date", "source", "text", "sha256", "masked"]
    assert (made["document"], made["title"], made["date"], made["source"]) == (
        *("bridge.md", "The bridge", "2021-05-03", "Example Gazette"),
    )
    assert made["text"] == text
    assert made["masked"][0][0] == 0
    assert rag("show", "bridge.md")[1].rstrip("\n") == text.rstrip("\n")
    assert rag("show", "bridge.md", "--span", "0:3")[1] == "---\n"
    assert rag("show", "bridge.md", "--span", f"{len(text) - 5}:{len(text)}")[0] == 0
    made = json.loads(rag("show", "bridge.md", "--span", "0:3", "--json")[1])
    assert (made["span"], made["text"]) == ([0, 3], text)


def test_status(rag: Run, root: Path, tmp_path: Path, write: Write) -> None:
    code, out, err = rag("status", "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert list(made) == ["generation", "created", "documents", "passages", "encoder", "reader", "bytes", "stale"]
    assert (made["generation"], made["documents"], made["stale"]) == ("gen-000001", 6, False)
    data = [path for path in (root / "gen-000001").iterdir() if path.name != "MANIFEST.json"]
    assert made["bytes"] == sum(path.stat().st_size for path in data)
    folder = write(tmp_path / "in", {"a.txt": "The mill is old."})
    rag("index", folder, "--index", tmp_path / "index")
    write(folder, {"b.txt": "The bridge is new."})
    assert re.search(r"^stale +True$", rag("status", "--index", tmp_path / "index")[1], re.MULTILINE)


def test_status_of_an_index_of_another_recipe(
    rag: Run, tmp_path: Path, write: Write, resign: Callable[..., None]
) -> None:
    folder, place = write(tmp_path / "in", {"a.txt": "The mill is old."}), tmp_path / "index"
    rag("index", folder, "--index", place)
    resign(place, lambda manifest: manifest.update(recipe="0"))
    for command in (["ask", "Who?"], ["search", "mill"]):
        code, out, err = rag(*command, "--index", place)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "another version of Citespan: build it again with `rag index" in err
    assert json.loads(rag("status", "--index", place, "--json")[1])["stale"] is True
    assert rag("index", folder, "--index", place)[0] == 0
    assert rag("search", "mill", "--index", place)[0] == 0


# Which index


def test_index_by_flag_environment_and_default(
    rag: Run, root: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"in/a.txt": "The mill is old."})
    monkeypatch.chdir(tmp_path)
    assert json.loads(rag("status", "--json")[1])["documents"] == 6  # RAG_INDEX
    monkeypatch.delenv("RAG_INDEX")
    assert rag("status")[0] == 2
    assert rag("index", "in")[0] == 0
    assert (tmp_path / ".rag" / "CURRENT").exists()
    assert json.loads(rag("status", "--json")[1])["documents"] == 1
    assert json.loads(rag("status", "--json", "--index", root)[1])["documents"] == 6
    monkeypatch.setenv("RAG_INDEX", "")
    assert json.loads(rag("status", "--json")[1])["documents"] == 1
    monkeypatch.setenv("RAG_INDEX", "elsewhere")
    assert rag("index", "in")[0] == 0
    assert (tmp_path / "elsewhere" / "CURRENT").exists()


def test_a_corpus_is_indexed_and_refreshed(
    rag: Run, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write(tmp_path / "in", {"a.txt": "The mill is old."})

    def status() -> tuple[str, int, bool]:
        made = json.loads(rag("status", "--corpus", folder, "--json")[1])
        return made["generation"], made["documents"], made["stale"]

    assert status() == ("gen-000001", 1, False)
    assert status() == ("gen-000001", 1, False)
    write(folder, {"b.txt": "The bridge is new."})
    assert status() == ("gen-000002", 2, False)
    hits = json.loads(rag("search", "bridge", "--corpus", folder, "--json")[1])["hits"]
    assert hits[0]["document"] == "b.txt"
    (folder / "a.txt").unlink()
    assert rag("ask", "Is the bridge new?", "--corpus", folder)[0] in (0, 1)
    assert status() == ("gen-000003", 1, False)
    (index,) = (tmp_path / "cache").rglob("CURRENT")
    index.write_bytes(b"damaged")
    assert status()[1:] == (1, False)
    assert [path.name for path in folder.iterdir()] == ["b.txt"]  # nothing is written beside the articles
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for missing in (tmp_path / "none", loop):
        code, _, err = rag("ask", "Is it?", "--corpus", missing)
        assert (code, err.count("\n")) == (2, 1)


# Errors: one sentence each


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "COMMAND"),
        (["bogus"], "invalid choice: 'bogus'"),
        (["ask", "--bogus", "Who?"], "--bogus: see `rag"),
        (["ask"], "give one question"),
        (["ask", "Who?", "--questions", "file"], "give one question"),
        (["ask", ""], "has no words"),
        (["ask", "?!"], "has no words"),
        (["search", " "], "has no words"),
        (["ask", "x" * 2001], "2,001 characters"),
        (["search", "x" * 2001], "2,001 characters"),
        (["ask", "who\0is"], "NUL"),
        (["ask", "Who?", "-k", "0"], "'0' is no number from 1 to 10000"),
        (["ask", "Who?", "-k", "x"], "'x' is no number"),
        (["search", "mill", "-k", "10001"], "is no number"),
        (["search", "mill", "-k", "1" * 5000], "-k"),
        (["ask", "Who?", "--index", "a", "--corpus", "b"], "not allowed with"),
        (["ask", "Who?", "--reader", "no-such-reader"], "no-such-reader"),
        (["index"], "PATH"),
        (["index", "/none/such"], "'/none/such' was given as a folder"),
        (["index", "/none/\x1b[2J\nsuch"], "cannot be read"),
        (["show", "none.txt"], "holds no document 'none.txt'"),
        (["show", "mill.txt", "--span", "1"], "--span 1 is no stretch"),
        (["show", "mill.txt", "--span", "a:b"], "no stretch"),
        (["show", "mill.txt", "--span", "5:5"], "no stretch"),
        (["show", "mill.txt", "--span", "5:3"], "no stretch"),
        (["show", "mill.txt", "--span=-1:3"], "no stretch"),
        (["show", "mill.txt", "--span", "0:99999"], "no stretch"),
        (["show", "mill.txt", "--span", "0:" + "9" * 5000], "no stretch"),
        (["ask", "--questions", "/none/questions"], "cannot be read"),
        (["ask", "--questions", "/"], "cannot be read"),
        (["ask", "Who?", "--index", "/none/such"], "there is no index at /none/such"),
        (["search", "mill", "--index", "/none/such"], "there is no index"),
        (["show", "mill.txt", "--index", "/none/such"], "there is no index"),
        (["status", "--index", "/none/such"], "there is no index"),
    ],
)
def test_bad_input_is_told_in_one_sentence(rag: Run, arguments: list[str], says: str) -> None:
    code, out, err = rag(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("rag: ")
    assert err.count("\n") == 1
    assert says in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("not json", "line 2 is no JSON object"),
        ("5", "line 2 is no JSON object"),
        ("[]", "line 2 is no JSON object"),
        ('{"question": "Who?"}', "line 2 is no JSON object"),
        ('{"id": 1}', "line 2 is no JSON object"),
        ('{"id": 1, "question": 5}', "line 2 is no JSON object"),
        ('{"id": NaN, "question": "Who?"}', "line 2 is no JSON object"),
        ('{"id": 1e999, "question": "Who?"}', "line 2 is no JSON object"),
        ('{"id": 1, "id": 2, "question": "Who?"}', "line 2 has the field 'id' twice"),
        ('{"id": 1, "question": ""}', "line 2: the question '' has no words"),
        ('{"id": 1, "question": "a\\u0000b"}', "line 2: the question"),
        (json.dumps({"id": 1, "question": "x" * 2001}), "line 2: the question has 2,001"),
        ("[" * 100_000, "line 2 is no JSON object"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_bad_questions_are_told_before_any_is_asked(rag: Run, tmp_path: Path, second: str, says: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"id": 1, "question": "Who?"}\n' + second, "utf-8", "surrogateescape")
    code, out, err = rag("ask", "--questions", file, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    file.write_text("\n \n")
    assert "holds no questions" in rag("ask", "--questions", file)[2]


def test_a_damaged_index_and_files_in_its_place(rag: Run, tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": "The mill is old."})
    place = tmp_path / "index"
    rag("index", folder, "--index", place)
    # What stands may be sound: one that cannot be read now is not said to be damaged, nor built over.
    code, _, err = rag("ask", "Who?", "--index", tmp_path / ("x" * 300))
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be read" in err
    (place / "gen-000001" / "vectors.npy").write_bytes(b"damaged")
    for command in (["ask", "Who?"], ["search", "mill"], ["show", "a.txt"], ["status"]):
        code, out, err = rag(*command, "--index", place)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "is damaged" in err
    assert rag("index", folder, "--index", place)[0] == 0
    assert rag("status", "--index", place)[0] == 0
    for bad in (folder, folder / "a.txt"):
        code, _, err = rag("index", folder, "--index", bad)
        assert (code, err.count("\n")) == (2, 1)
        assert "--index" in err
    assert (folder / "a.txt").read_text() == "The mill is old."
    with writing(place):
        code, _, err = rag("index", folder, "--index", place)
    assert (code, err.count("\n")) == (2, 1)
    assert "another process" in err


def test_names_that_are_not_utf_8(rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown alike wherever they are shown, and may be given as shown or as the shell has them."""
    decide(monkeypatch, answers=True)
    name, shown = os.fsdecode(b"caf\xe9.txt"), "caf\\xe9.txt"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text("The mill was built in 1862.")
    monkeypatch.chdir(tmp_path / "in")
    monkeypatch.setenv("RAG_INDEX", "../index")
    assert rag("index", ".")[0] == 0
    assert rag("show") == (0, f"{shown}\n", "")
    assert f"{shown}:1" in rag("search", "mill")[1]
    assert f" {shown}:1\n" in rag("ask", "When was the mill built?", "--reader", "none")[1]
    for given in (shown, name):
        assert rag("show", given) == (0, "The mill was built in 1862.\n", "")
    assert rag("show", "none" + name)[0] == 2


def test_a_working_directory_that_is_gone(
    rag: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for command in (["search", "mill"], ["ask", QUESTION, "--reader", "none"], ["show", "mill.txt"], ["status"]):
        code, out, err = rag(*command)
        assert code in (0, 1)
        assert out
        assert err == ""


# Terminals


def test_nothing_of_a_document_steers_the_terminal(
    rag: Run, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(monkeypatch, answers=True)
    evil = "The \x1b[31mred\x1b[0m mill \x9b2J cost \u202e$3 million. " + "It is an old mill. " * 30 + "\n"
    folder = write(tmp_path / "in", {"a\x1b]0;x\x07.txt": evil, "b\x1b[2J.png": b"x"})
    place = tmp_path / "index"
    for command in (
        ["index", folder],
        ["index", folder, "--json"],
        ["ask", "What did the mill \x1b[1mcost?"],
        ["ask", "What did the mill \x9bcost?", "--json"],
        ["search", "mill"],
        ["search", "mill", "--json"],
        ["show", "a\x1b]0;x\x07.txt"],
        ["show", "a\x1b]0;x\x07.txt", "--json"],
        ["show", "none\x1b[2J"],
        ["status"],
    ):
        code, out, err = rag(*command, "--index", place)
        assert code == (2 if "none\x1b[2J" in command else 0)
        assert not set(out + err) & {"\x1b", "\x9b", "\x07", "\u202e"}
        if "--json" in command:
            json.loads(out)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in ("index", "ask", "search", "show", "status", "eval"):
        assert f"\n    {command} " in shown


def test_a_document_without_a_name_lists_them(rag: Run, root: Path) -> None:
    ids = list(store.open_current(root).rows)
    assert rag("show") == (0, "".join(f"{doc_id}\n" for doc_id in ids), "")
    listed = json.loads(rag("show", "--json")[1])
    assert listed["total"] == len(ids)
    assert [list(one) for one in listed["documents"]] == [["document", "title", "date", "source"]] * len(ids)
    assert [one["document"] for one in listed["documents"]] == ids
    code, _, err = rag("show", "--span", "1:2")
    assert code == 2
    assert "name it" in err


EMPTY = [["index", ""], ["ask", "Who?", "--corpus", ""], ["ask", "Who?", "--index", ""], ["show", "a", "--span", ""]]


@pytest.mark.parametrize("arguments", EMPTY)
def test_an_empty_argument_is_not_the_default(rag: Run, arguments: list[str]) -> None:
    code, out, err = rag(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is empty" in err
