"""The command ``rag serve``: it starts, says where, stops on a signal, refuses in one sentence."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from index.errors import InputError
from rag.cli import main
from tests.web_site import HERE, fetch
from web.serve import listening


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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_before_the_server_runs_is_not_lost(root: Path, name: str) -> None:
    script = (
        "import signal, sys\nfrom pathlib import Path\nfrom web.serve import serve\n"
        "number = signal.Signals[sys.argv[2]]\n"
        "serve(lambda: Path(sys.argv[1]), '127.0.0.1', 0, lambda address: signal.raise_signal(number))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), name],
        cwd=HERE, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_log_that_nobody_reads(root: Path) -> None:
    with command("--index", root, "--port", 0, "--log-queries", "--json") as process:
        assert process.stdout
        assert process.stderr
        address = json.loads(process.stdout.readline())["url"]
        process.stderr.close()
        assert [fetch(f"{address}?{urlencode({'q': 'the mill'})}")[0] for _ in range(3)] == [200] * 3


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


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EACCES])
def test_localhost_goes_without_ipv6_but_not_beside_another_server(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, made = socket.create_server, list[socket.socket]()

    def without(address: tuple[str, int], **more: Any) -> socket.socket:
        if more["family"] == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        made.append(create(address, **more))
        return made[-1]

    monkeypatch.setattr(socket, "create_server", without)
    if number in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
        (opened,) = listening("localhost", 0)
        opened.close()
    else:
        with pytest.raises(InputError, match=r"on ::1 cannot be used"):
            listening("localhost", 0)
        assert made[0].fileno() == -1  # what was opened before is closed again


def test_no_index_to_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--index", str(tmp_path / "none"), "--port", "0"]) == 2
    assert "there is no index" in capsys.readouterr().err
