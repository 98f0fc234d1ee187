import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from eval.compare import Difference, comparable
from eval.figures import FIGURES, is_figure, lower_is_better
from eval.gates import DEFAULT, LossVerdict, check, check_losses, gate_name, load_gates
from index.errors import InputError


def gates(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_tables_by_set_and_mode(tmp_path: Path) -> None:
    found = load_gates(gates(tmp_path, '[own]\n"R@1" = 0.5\nECE = 1\n[own.without_gold]\nrefused = 0.9\n'))
    assert found == {"own": {"R@1": 0.5, "ECE": 1.0}, "own.without_gold": {"refused": 0.9}}
    assert gate_name("own", "without_gold") == "own.without_gold"
    assert gate_name("own", "given_paragraph") == "own.given_paragraph"
    assert gate_name("own", "open") == "own"


def test_floors_and_ceilings(tmp_path: Path) -> None:
    found = load_gates(gates(tmp_path, '[own]\n"R@1" = 0.5\nF1 = 0.5\nBrier = 0.2\np95_ms_total = 100\nECE = 0.1\n'))
    figures = {"R@1": 0.5, "F1": 0.4999, "Brier": 0.2, "p95_ms_total": 100.1}
    verdicts = check("own", figures, found)
    assert [(verdict.figure, verdict.passed) for verdict in verdicts] == [
        ("R@1", True),
        ("F1", False),
        ("Brier", True),
        ("p95_ms_total", False),
        ("ECE", False),  # a figure that the run does not define is not met
    ]
    assert list(map(str, verdicts)) == [
        "met: R@1 0.5000, wanted at least 0.5",
        "NOT MET: F1 0.4999, wanted at least 0.5",
        "met: Brier 0.2000, wanted at most 0.2",
        "NOT MET: p95_ms_total 100.1000, wanted at most 100",
        "NOT MET: ECE not measured, wanted at most 0.1",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the cache's folder is told by XDG_CACHE_HOME on Linux")
def test_ci_judges_an_index_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (Path(__file__).parent.parent / ".ci" / "run").read_text("utf-8")
    before, export, after = script.partition('export XDG_CACHE_HOME="$venv/cache"\n')
    assert export
    assert "step " not in before
    assert "XDG_CACHE_HOME" not in after
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_path("citespan").is_relative_to(tmp_path)  # where `rag eval --corpus` and own_index build


def test_a_set_without_gates_has_no_verdicts(tmp_path: Path) -> None:
    assert check("other", {"F1": 0.0}, load_gates(gates(tmp_path, "[own]\nF1 = 1\n"))) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[own]\nF2 = 0.5\n", r"\[own\]: 'F2' names no figure"),
        ("[own.without_gold]\nrefusal = 0.5\n", r"\[own.without_gold\]: 'refusal' names no figure"),
        ('[own]\nF1 = "high"\n', "F1 = 'high' is no number"),
        ("[own]\nF1 = true\n", "F1 = True is no number"),
        ("[own]\nF1 = nan\n", "F1 = nan is no number"),
        ("[own.F1]\nx = 1\n", "is no number"),
        ("[own.loss.loss]\nF1 = 0.1\n", r"\[own.loss\]: 'loss' names no figure"),
        ("F1 = 0.5\n", "'F1' stands in no table"),
        ("[own\n", "not TOML"),
        ("[own]\nF1 = inf\n", "F1 = inf is no number"),
        (f"[own]\nF1 = 1{400 * '0'}\n", "is no number"),
        ("[own]\nloss = 3\n", r"\[own\]: 'loss' names no figure"),
    ],
)
def test_gates_that_cannot_be_meant(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        load_gates(gates(tmp_path, text))


def test_a_loss_that_cannot_be_told_is_not_met(tmp_path: Path) -> None:
    found = load_gates(gates(tmp_path, "[own.loss]\nF1 = 0.01\n"))
    assert check_losses("own", {}, found) == [LossVerdict("F1", 0.01, None, False)]
    assert str(check_losses("own", {}, found)[0]) == "NOT MET: F1 is not in both runs, allowed 0.01"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_gates(tmp_path / "absent.toml")


def test_the_gates_that_ship() -> None:
    assert {"sample", "source"} <= set(load_gates(DEFAULT))
    assert "minus one standard error" in DEFAULT.read_text("utf-8")


def test_names_of_figures() -> None:
    assert all(map(is_figure, FIGURES))
    assert is_figure("p50_ms_retrieve")
    assert not is_figure("p99_ms_retrieve")
    assert lower_is_better("ECE")
    assert not lower_is_better("F1")


def test_no_loss_is_allowed_of_what_is_no_mean_over_questions() -> None:
    assert [name for name in FIGURES if not comparable(name)] == ["ECE_chance", "peak_memory_mb"]
    assert not comparable("p50_ms_read")


def test_the_loss_is_the_far_end_of_the_interval(tmp_path: Path) -> None:
    found = load_gates(gates(tmp_path, "[own.loss]\nF1 = 0.02\nBrier = 0.02\n"))
    for better, worse, passed in ((0.05, -0.02, True), (-0.01, -0.03, False)):
        differences = {
            "F1": Difference("F1", 0.5, 0.5, worse, better, 9),
            "Brier": Difference("Brier", 0.5, 0.5, -better, -worse, 9),
        }
        verdicts = check_losses("own", differences, found)
        assert [(verdict.figure, verdict.loss, verdict.passed) for verdict in verdicts] == [
            ("F1", -worse, passed),
            ("Brier", -worse, passed),
        ]


def test_what_is_no_file_of_gates(tmp_path: Path) -> None:
    assert load_gates(gates(tmp_path, "\ufeff[own]\nF1 = 1\n")) == {"own": {"F1": 1.0}}
    (tmp_path / "latin.toml").write_bytes(b"# \xff\n")
    with pytest.raises(InputError, match="not TOML"):
        load_gates(tmp_path / "latin.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load_gates(tmp_path)
