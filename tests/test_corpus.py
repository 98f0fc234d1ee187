"""The index kept for ``--corpus``: one writer at a time, the others wait; and which corpus it is of."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index import store
from index.build import build
from index.publish import writing
from rag import corpus
from rag.cli import main
from tests.test_cli import HERE, process

Write = Callable[[Path, dict[str, str | bytes]], Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path, write: Write) -> Path:
    return write(tmp_path / "in", {"a.txt": "The mill is old."})


def test_one_who_finds_another_building_waits_and_builds_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = corpus._kept(folder)
    building, told = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        building.set()
        told.wait(60)

    def complain(sentence: str) -> None:
        print(sentence, file=sys.stderr)
        told.set()

    monkeypatch.setattr(corpus, "complain", complain)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(build, [folder], root, progress=slow)
        building.wait(60)
        assert main(["search", "mill", "--corpus", str(folder)]) == 0
        other.result()
    assert capsys.readouterr().err == f"another process is indexing {folder}: waiting until it is done\n"
    assert store.open_current(root).name == "gen-000001"


def test_one_who_waited_for_nothing_builds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = corpus._kept(folder)
    with ThreadPoolExecutor(1) as pool, writing(root):
        told = threading.Event()
        monkeypatch.setattr(corpus, "complain", lambda _: told.set())
        waiting = pool.submit(corpus.refreshed, folder)
        assert told.wait(60)
    assert waiting.result() == root
    assert store.open_current(root).name == "gen-000001"


def test_nobody_waits_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(corpus, "WAIT", 0.2)
    with writing(corpus._kept(folder)):
        assert main(["search", "mill", "--corpus", str(folder)]) == 2
    waiting, given_up = capsys.readouterr().err.splitlines()
    assert waiting.startswith("rag: another process is indexing")
    assert given_up.startswith("rag: another process is writing the index at")


def test_ctrl_c_while_it_waits(folder: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background is told to ignore it
    try:
        with writing(corpus._kept(folder)):
            waiting = subprocess.Popen(
                [sys.executable, "-m", "rag", "search", "mill", "--corpus", str(folder)],
                cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert waiting.stderr
            assert "waiting until it is done" in waiting.stderr.readline()
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (waiting.returncode, out, err) == (2, "", "rag: stopped\n")


@pytest.mark.slow
def test_four_at_once_on_a_new_folder_and_on_one_that_has_changed(folder: Path, write: Write) -> None:
    for name, query in (("a.txt", "mill"), ("b.txt", "bridge")):
        write(folder, {name: f"The {query} is old."})
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(process, "search", query, "--corpus", folder, "--json") for _ in range(4)]
        for done in (future.result() for future in asked):
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["hits"][0]["document"] == name


# Which corpus


def test_a_file_is_cited_by_the_name_it_was_given_by(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "in", {"real.txt": "The gate is old.", "other.txt": "The gate is new."})
    (folder / "alias.txt").symlink_to("real.txt")
    (tmp_path / "way").symlink_to(folder)

    def found(path: Path) -> tuple[str, str]:
        assert main(["search", "gate", "--corpus", str(path), "--json"]) == 0
        (hit,) = json.loads(capsys.readouterr().out)["hits"]
        return hit["document"], hit["text"]

    for _ in range(2):
        for name in ("alias.txt", "real.txt"):
            for place in (folder, tmp_path / "way"):
                assert found(place / name) == (name, "The gate is old.")
    assert len(list((tmp_path / "cache").rglob("CURRENT"))) == 2
    (folder / "alias.txt").unlink()
    (folder / "alias.txt").symlink_to("other.txt")
    assert found(folder / "alias.txt") == ("alias.txt", "The gate is new.")
    assert len(list((tmp_path / "cache").rglob("CURRENT"))) == 2


def test_a_folder_has_one_index_by_whatever_way(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "way").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert len({corpus.refreshed(path) for path in (folder, tmp_path / "way", Path(), Path("../in"))}) == 1
    assert store.open_current(corpus.refreshed(folder)).name == "gen-000001"


def test_other_content_of_the_same_size_and_time_is_seen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def found() -> str:
        assert main(["search", "mill", "--corpus", str(folder), "--json"]) == 0
        (hit,) = json.loads(capsys.readouterr().out)["hits"]
        return str(hit["text"])

    assert found() == "The mill is old."
    facts = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("The mill is new.")
    os.utime(folder / "a.txt", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert found() == "The mill is new."
