"""A Hugging Face model as a reader: the same logits as the network that ships, and clear words when there is none."""

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from eval.reading import export
from index.errors import ModelError
from index.minilm import model_folder
from rag import cli
from rag.calibrate import Calibration
from rag.huggingface import HuggingFaceReader
from rag.minireader import MiniReader
from rag.readers import load_reader

QUESTION = "Who built the mill?"
TEXTS = ["The mill was built in 1862 by Jane Ash. " * count for count in (1, 3, 60)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader that ships, as a folder that transformers reads."""
    folder = tmp_path_factory.mktemp("reader")
    export(folder)
    return folder


def test_logits_are_those_of_the_network_that_ships(exported: Path) -> None:
    ours, theirs = MiniReader("fp32", skims=False), HuggingFaceReader(str(exported))
    mine, windows = ours.windows(QUESTION, TEXTS), theirs.windows(QUESTION, TEXTS)
    assert len(windows) > len(TEXTS)
    for one, other in zip(mine, windows, strict=True):
        assert one.text == other.text
        assert one.first == other.first
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.offsets, other.offsets)
    for one, other in zip(ours.logits(mine), theirs.logits(windows), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_long_question_is_cut_alike(exported: Path) -> None:
    question = "Who built the mill by the river? " * 40
    ours, theirs = MiniReader("fp32"), HuggingFaceReader(str(exported))
    for one, other in zip(ours.windows(question, TEXTS), theirs.windows(question, TEXTS), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_a_question_that_is_no_unicode_is_read_alike(exported: Path) -> None:
    ours, theirs = MiniReader("fp32"), HuggingFaceReader(str(exported))
    (one,), (other,) = (reader.windows("Who built caf\udce9?", TEXTS[:1]) for reader in (ours, theirs))
    np.testing.assert_array_equal(one.ids, other.ids)


def test_no_confidence_without_a_fit(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rag.calibrate.own_file", lambda: tmp_path / "calibration.json")
    monkeypatch.setenv("RAG_INDEX", str(tmp_path / "index"))
    (tmp_path / "a.txt").write_text("The mill was built in 1862 by Jane Ash.\n", "utf-8")
    assert cli.main(["index", str(tmp_path / "a.txt")]) == 0
    asked = ["ask", QUESTION, "--reader", str(exported)]
    assert cli.main(asked) == 2
    assert "no confidence was fitted" in capsys.readouterr().err

    identity = load_reader(str(exported)).identity
    (tmp_path / "calibration.json").write_text(
        f'{{"{identity}": {{"weights": {{"margin": 1.0}}, "bias": 0, "threshold": 0.1}}}}', "utf-8"
    )
    assert cli.main(asked) == 0
    assert "Jane Ash" in capsys.readouterr().out

    (tmp_path / "calibration.json").write_text("[]", "utf-8")
    assert cli.main(asked) == 2
    assert "no calibration can be read" in capsys.readouterr().err


def test_a_folder_that_is_none_and_a_model_without_the_head(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_reader(str(tmp_path / "absent"))
    with pytest.raises(ModelError, match="not trained to answer questions"):
        load_reader(str(model_folder()))
    broken = shutil.copytree(exported, tmp_path / "broken")
    (broken / "tokenizer.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_reader(str(broken))


def test_the_embedded_readers_have_their_calibration() -> None:
    for name in (None, "none"):
        assert 0 < Calibration.of(load_reader(name)).threshold < 1


@pytest.mark.slow
def test_nothing_is_asked_of_the_hub(tmp_path: Path) -> None:
    """Not even for what is no file of a model: huggingface_hub 2 asks for a list of agents when it is first used."""
    heard: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        environment |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}"}
        script = "from rag.readers import load_reader; load_reader('acme/absent')"
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        hub.shutdown()
    assert "ModelError: the reader 'acme/absent' cannot be loaded" in done.stderr
    assert heard == []
