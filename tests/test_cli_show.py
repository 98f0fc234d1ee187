"""Names of documents as they are typed to ``rag show``."""

from pathlib import Path

import pytest

from index.build import build
from rag.cli import main

COMPOSED, DECOMPOSED = "R\u00e9sum\u00e9.txt", "Re\u0301sume\u0301.txt"


def test_an_accent_typed_in_another_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, index = tmp_path / "in", str(tmp_path / "index")
    folder.mkdir()
    (folder / DECOMPOSED).write_text("The mill is old.")
    build([folder], Path(index))
    for name in (COMPOSED, DECOMPOSED, "Re\u0301sum\u00e9.txt"):
        assert main(["show", name, "--index", index]) == 0
        assert capsys.readouterr().out == "The mill is old.\n"
    assert main(["show", "Resume.txt", "--index", index]) == 2
    (folder / COMPOSED).write_text("The mill is new.")
    if len(list(folder.iterdir())) == 2:  # some file systems take the two for one name
        build([folder], Path(index))
        capsys.readouterr()
        assert main(["show", COMPOSED, "--index", index]) == 0
        assert capsys.readouterr().out == "The mill is new.\n"
        assert main(["show", "Re\u0301sum\u00e9.txt", "--index", index]) == 2
