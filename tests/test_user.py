"""The user's own folders, and who has none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from index.errors import InputError
from index.user import user_folder
from rag.calibrate import Calibration
from rag.cli import main
from rag.readers import load_reader


def test_the_folders_are_the_platforms() -> None:
    assert user_folder("cache") == platformdirs.user_cache_path("citespan")
    assert user_folder("data") == platformdirs.user_data_path("citespan")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user without an entry in the system's list and without HOME."""

    def none(*_: Any) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("user_cache_path", "user_data_path"):
        monkeypatch.setattr(platformdirs, name, none)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_what_ships_still_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert Calibration.of(load_reader("none")).threshold > 0
    with pytest.raises(InputError, match="there is no home to keep data in: set HOME or XDG_DATA_HOME"):
        user_folder("data")
    (tmp_path / "a.txt").write_text("The mill burned.")
    assert main(["ask", "--corpus", str(tmp_path), "What burned?"]) == 2
    assert "there is no home to keep cache in" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["eval.calibration", "web.bench"])
def test_programs_run_without_their_docstrings(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", module, "--help"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: python -m {module}" in done.stdout
