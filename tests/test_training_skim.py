"""Training what tells which passages to read on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from index.layers import DIM
from rag.skim import NAMES, Skim
from rag.training import skim as command
from rag.training.skim import HalfRead, figures, fit, foretold
from tests.towns import few_news, write_towns


def questions(count: int, passages: int, seed: int) -> list[HalfRead]:
    """Passages of 3 to 9 tokens, one of which has first numbers that say the margin."""
    draw = np.random.default_rng(seed)

    def passage(mark: float) -> np.ndarray:
        rows = draw.normal(0, 0.1, (draw.integers(4, 10), DIM))
        rows[draw.integers(1, len(rows)), :32] = mark
        return rows.astype(np.float16)

    marks = draw.random((count, passages)).astype(np.float32)
    return [HalfRead([passage(mark) for mark in row.tolist()], 12 * row - 10) for row in marks]


def test_the_forecast_in_training_is_the_one_in_use() -> None:
    draw = torch.Generator().manual_seed(1)
    shapes = ((6, DIM), (6,), (5, DIM + 3), (5,), (1, 5), (1,))
    tensors = {name: torch.randn(shape, generator=draw) / 8 for name, shape in zip(NAMES, shapes, strict=True)}
    skim = Skim({name: tensor.numpy() for name, tensor in tensors.items()})
    (read,) = questions(1, 4, seed=2)
    filled, sizes = command._padded(read.rows)
    assert len(set(sizes.tolist())) > 1
    theirs = foretold(tensors, filled, sizes).tolist()
    ours = [skim.foretell(np.concatenate([rows, rows[:1]]).astype(np.float32), 1) for rows in read.rows]
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_what_can_be_foretold_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "EPOCHS", 40)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        learnt, again = (fit(questions(80, 8, seed=3), seed=5) for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(learnt[name], again[name]) for name in NAMES)
    skim = Skim({name: tensor.numpy() for name, tensor in learnt.items()})
    assert figures(skim, questions(40, 8, seed=4))["correlation"] > 0.85


def test_figures_by_hand() -> None:
    class Same(Skim):
        """Foretells the first number of [CLS]."""

        def __init__(self) -> None:
            pass

        def foretell(self, hidden: np.ndarray, first: int) -> float:
            return float(hidden[0, 0])

    def read(*pairs: tuple[float, float]) -> HalfRead:
        rows = [np.full((2, DIM), guess, np.float16) for guess, _ in pairs]
        return HalfRead(rows, np.array([value for _, value in pairs], np.float32))

    some = [
        read((1, 2), (-2, -1), (-8.5, -9)),  # two of three are read on, the best among them
        read((-9, 3), (-5, -9), (-6, -10)),  # the best one is not
        read((-9, -3), (-5, -9), (-6, -10)),  # nor here, but it is no answer
        read((5, 20), (6, 3), (-1, 2)),  # the third is too far behind 20
    ]
    found = figures(Same(), some)
    assert found["questions"] == 4
    assert found["read_on"] == pytest.approx(8 / 12, abs=1e-4)
    assert found["lost"] == pytest.approx(1 / 3, abs=1e-4)
    assert -1 <= found["correlation"] <= 1


@pytest.mark.slow
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few_news(tmp_path, monkeypatch)
    monkeypatch.setattr(command, "SIZE", 2)  # one article of news is held out
    data, out = write_towns(tmp_path), tmp_path / "skim.safetensors"
    asked = ["--data", str(data), "--out", str(out), "--questions", "6"]
    assert command.main(asked) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["passages"] == 2 * record["questions"]
    assert set(record["scores"]) == {"squad_held_out", "news_held_out"}
    tensors = load_file(out)
    assert set(tensors) == set(NAMES)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    first = out.read_bytes()
    assert command.main(asked) == 0
    assert out.read_bytes() == first


def test_too_few_paragraphs_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_news(tmp_path, monkeypatch)
    data = write_towns(tmp_path)
    monkeypatch.setattr(command, "SIZE", 40)
    assert command.main(["--data", str(data), "--out", str(tmp_path / "x")]) == 2
    assert "too few paragraphs for 40 passages a question" in capsys.readouterr().err
