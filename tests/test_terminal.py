"""A command where it runs: terminals, pipes, encodings, closed and full outputs, Ctrl+C."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rag.cli import main
from tests.test_cli import HERE, QUESTION, process

Write = Callable[[Path, dict[str, str | bytes]], Path]


def test_colour_only_on_a_terminal_that_wants_it(root: Path) -> None:
    pty = pytest.importorskip("pty")

    def shown(**environment: str) -> str:
        control, terminal = pty.openpty()
        command = [sys.executable, "-m", "rag", "show", "bridge.md", "--index", str(root)]
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        with subprocess.Popen(command, cwd=HERE, stdout=terminal, env={**kept, **environment}):
            os.close(terminal)
            data = b""
            while True:
                try:
                    more = os.read(control, 4096)
                except OSError:  # the other side was closed
                    break
                if not more:
                    break
                data += more
        os.close(control)
        return data.decode()

    assert "\x1b[2m" in shown()
    assert "\x1b" not in shown(NO_COLOR="1")
    assert "\x1b[2m" in shown(NO_COLOR="")


# As a process


def test_as_a_process(root: Path) -> None:
    done = process("search", "water mill", "--json", RAG_INDEX=str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["hits"]
    done = process("ask", QUESTION, "--index", root / "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"rag: there is no index at .*\n", done.stderr)
    done = process("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"citespan \d+\.\d+\.\d+\n", done.stdout)
    odd = process("show", "\udcff\n", "--index", root, PYTHONIOENCODING="ascii")
    assert (odd.returncode, odd.stderr.count("\n")) == (2, 1)


def test_a_reader_that_goes_away(root: Path) -> None:
    command = [sys.executable, "-m", "rag", "show", "mill.txt", "--index", str(root)]
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "wb") as pipe:
        done = subprocess.run(command, cwd=HERE, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(command, cwd=HERE, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2
        assert re.fullmatch(r"rag: No space left on device .*\n", done.stderr)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(tmp_path: Path, write: Write, encoding: str) -> None:
    folder = write(tmp_path / "in", {"a.txt": "The café costs \u20ac5 \U0001f600 a day."})
    done = subprocess.run(
        [sys.executable, "-m", "rag", "search", "--json", "--corpus", str(folder), "café"],
        cwd=HERE, capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout.decode(encoding))["hits"][0]["text"] == "The café costs \u20ac5 \U0001f600 a day."


def test_closed_outputs_and_full_disks(root: Path) -> None:
    ask = f"{sys.executable} -m rag ask --index {root} '{QUESTION}'"
    missing = f"{sys.executable} -m rag status --index {root / 'none'}"
    for command, code in ((f"{ask} >&-", (0, 1)), (f"{ask} --json >&-", (0, 1)), (f"{missing} 2>/dev/full", (2,))):
        done = subprocess.run(["sh", "-c", command], cwd=HERE, capture_output=True, text=True, check=False)
        assert done.returncode in code, command
        assert "Traceback" not in done.stderr


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl+C as in a terminal: a run in the background, as a CI may be, is told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_a_stop_inside_an_import_is_a_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    def interrupted(_: object) -> int:
        with suppress(KeyboardInterrupt):  # as the import of a compiled module does, and the making of a class
            signal.raise_signal(signal.SIGINT)
        raise error("initialization failed")

    def failed(_: object) -> int:
        raise error

    monkeypatch.setattr("rag.cli._status", interrupted)
    assert main(["status"]) == 2
    assert capsys.readouterr().err == "rag: stopped\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr("rag.cli._status", failed)
    with pytest.raises(error):
        main(["status"])


STOPPED = """
import signal, sys
from importlib.abc import MetaPathFinder

class CtrlC(MetaPathFinder):
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("index", "rag") and name not in EARLY:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background
EARLY = "rag", "rag.cli", "rag.terminal", "index", "index.errors"
sys.meta_path.insert(0, CtrlC())
from rag.cli import main
sys.exit(main(["status"]))
"""


def test_a_stop_in_the_first_import_that_takes_its_time(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED], cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "rag: stopped\n")
