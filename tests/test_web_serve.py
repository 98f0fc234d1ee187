"""The command ``rag serve``: it starts, says where, stops on a signal, refuses in one sentence."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from rag.cli import main
from tests.web_site import HERE, fetch


@contextmanager
def command(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "serve", *map(str, arguments)],
        cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "host"), [(signal.SIGTERM, "127.0.0.1"), (signal.SIGINT, "localhost")])
def test_serve_and_stop(root: Path, number: int, host: str) -> None:
    with command("--index", root, "--port", 0, "--host", host, "--log-queries", "--json") as process:
        assert process.stdout
        address = json.loads(process.stdout.readline())["url"]
        assert re.fullmatch(rf"http://{re.escape(host)}:\d+/", address)
        assert fetch(f"{address}healthz")[0] == 200
        assert fetch(f"{address}?{urlencode({'q': 'the mill'})}")[0] == 200
        port = address.rstrip("/").rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "rag", "serve", "--index", str(root), "--port", port],
            cwd=HERE, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith(f"rag: port {port} on 127.0.0.1 cannot be used")
        assert second.stderr.count("\n") == 1
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert re.fullmatch(r"[\d-]+ [\d:]+ the mill\n", err)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0 is refused"),
        (("--host", "example.org"), "this machine only"),
        (("--port", "65536"), "is no port"),
        (("--port", "-1"), "port"),
    ],
)
def test_what_is_refused(root: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--index", str(root), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_no_index_to_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--index", str(tmp_path / "none"), "--port", "0"]) == 2
    assert "there is no index" in capsys.readouterr().err
