"""What a question set must hold, ``eval/gates.toml``, and whether a run does: floors, and losses against a baseline."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.compare import Difference, comparable
from eval.figures import is_figure, lower_is_better
from eval.run import Run, read_run
from index.errors import InputError

DEFAULT = Path(__file__).with_name("gates.toml")
MODES = ("given_paragraph", "without_gold")
LOSS = "loss"
Gates = Mapping[str, Mapping[str, float]]
"""Set name (with "." and the mode where it is not the ordinary one) -> figure -> floor; the same name with ".loss" ->
figure -> the loss allowed against a baseline."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate and what became of it; ``value`` is None when the run does not define the figure, which fails."""

    figure: str
    limit: float
    value: float | None
    passed: bool

    def __str__(self) -> str:
        """One line: what was measured, what was wanted."""
        bound = "at most" if lower_is_better(self.figure) else "at least"
        measured = "not measured" if self.value is None else f"{self.value:.4f}"
        return f"{'met' if self.passed else 'NOT MET'}: {self.figure} {measured}, wanted {bound} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class LossVerdict:
    """One allowed loss and what became of it, both in the figure's own unit; ``loss`` is None when it has no interval.

    ``loss`` is the far end of the paired interval: how much worse than the baseline the run may be. Above ``allowed``
    (or None) it fails.
    """

    figure: str
    allowed: float
    loss: float | None
    passed: bool

    def __str__(self) -> str:
        """One line: what may have been lost, what was allowed."""
        lost = "is not in both runs" if self.loss is None else f"may have lost {max(0.0, self.loss):.4f}"
        return f"{'met' if self.passed else 'NOT MET'}: {self.figure} {lost}, allowed {self.allowed:g}"


def load_gates(path: Path = DEFAULT) -> Gates:
    """Read the gates; InputError for a file that cannot be read, a figure nobody knows or a floor that is no number."""
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file of gates.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error}); write a table a set, a line a figure.") from None
    gates: dict[str, dict[str, float]] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path}: {name!r} stands in no table; write [SET] above it.")
        _add(gates, path, name, table, (*MODES, LOSS))
    return gates


def _add(
    gates: dict[str, dict[str, float]], path: Path, name: str, table: Mapping[str, object], inner: tuple[str, ...]
) -> None:
    gates[name] = {}
    for figure, limit in table.items():
        if figure in inner and isinstance(limit, dict):
            _add(gates, path, f"{name}.{figure}", limit, (LOSS,) if figure in MODES else ())
        else:
            gates[name][figure] = _limit(path, name, figure, limit)
            if name.endswith(f".{LOSS}") and not (comparable(figure) and gates[name][figure] >= 0):
                problem = (
                    f"{figure} = {limit!r} is no allowed loss; write a number from 0 on, of a figure of questions."
                )
                raise InputError(f"{path}, [{name}]: {problem}")


def gate_name(set_name: str, mode: str) -> str:
    """The table that holds the gates of a set asked in this mode."""
    return f"{set_name}.{mode}" if mode in MODES else set_name


def place(gates: Path, name: str) -> Path:
    """Where the baseline of the table ``name`` of this file of gates lies."""
    return gates.parent / "baselines" / f"{name.replace('/', '_')}.json"


def stored(gates: Path, name: str) -> Run:
    """The stored baseline of a table; InputError when there is none or it cannot be read."""
    path = place(gates, name)
    if not path.is_file():
        raise InputError(f"{path}: [{name}.{LOSS}] has no baseline; store one with `python -m eval.baseline SET`.")
    return read_run(path)


def check(set_name: str, figures: Mapping[str, float], gates: Gates) -> list[Verdict]:
    """A verdict for every gate of the set, in the file's order; none when the set has no gates.

    A gate whose figure the run does not define is not met: a run without a single answer must not pass for want of a
    citation precision.
    """
    verdicts = []
    for figure, limit in gates.get(set_name, {}).items():
        value = figures.get(figure)
        good = value is not None and (value <= limit if lower_is_better(figure) else value >= limit)
        verdicts.append(Verdict(figure, limit, value, good))
    return verdicts


def check_losses(set_name: str, differences: Mapping[str, Difference], gates: Gates) -> list[LossVerdict]:
    """A verdict for every allowed loss of the set, in the file's order.

    Judged is the lower bound of the paired interval (the upper one, where smaller is better): the loss that the sample
    does not rule out. A figure that one of the runs does not define is not met.
    """
    verdicts = []
    for figure, allowed in gates.get(f"{set_name}.{LOSS}", {}).items():
        found = differences.get(figure)
        bound = None if found is None else found.upper if lower_is_better(figure) else found.lower
        loss = None if bound is None else bound if lower_is_better(figure) else -bound
        verdicts.append(LossVerdict(figure, allowed, loss, loss is not None and loss <= allowed))
    return verdicts


def _limit(path: Path, table: str, figure: str, limit: object) -> float:
    if not is_figure(figure):
        raise InputError(f"{path}, [{table}]: {figure!r} names no figure; `eval/figures.py` lists them.")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not abs(limit) <= sys.float_info.max:
        raise InputError(f"{path}, [{table}]: {figure} = {limit!r} is no number; write a floor such as 0.75.")
    return float(limit)
