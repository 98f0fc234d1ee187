"""Floors that a question set must hold: ``eval/gates.toml``, and whether a run meets them."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eval.figures import is_figure, lower_is_better
from index.errors import InputError

DEFAULT = Path(__file__).with_name("gates.toml")
MODES = ("given_paragraph", "without_gold")
Gates = Mapping[str, Mapping[str, float]]
"""Set name (with "." and the mode where it is not the ordinary one) -> figure -> floor."""


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
        gates[name] = {}
        for figure, limit in table.items():
            if figure in MODES and isinstance(limit, dict):
                gates[f"{name}.{figure}"] = {key: _limit(path, f"{name}.{figure}", key, limit[key]) for key in limit}
            else:
                gates[name][figure] = _limit(path, name, figure, limit)
    return gates


def gate_name(set_name: str, mode: str) -> str:
    """The table that holds the gates of a set asked in this mode."""
    return f"{set_name}.{mode}" if mode in MODES else set_name


def check(set_name: str, figures: Mapping[str, float], gates: Gates) -> list[Verdict]:
    """A verdict for every gate of the set, in the file's order; none when the set has no gates.

    A gate whose figure the run does not define is not met: a run without a single answer must not pass for want of a
    citation precision. Raises InputError when a gate names a figure that no run has.
    """
    verdicts = []
    for figure, limit in gates.get(set_name, {}).items():
        if not is_figure(figure):
            raise InputError(f"the gate {figure!r} of [{set_name}] names no figure; `eval/figures.py` lists them.")
        value = figures.get(figure)
        good = value is not None and (value <= limit if lower_is_better(figure) else value >= limit)
        verdicts.append(Verdict(figure, limit, value, good))
    return verdicts


def _limit(path: Path, table: str, figure: str, limit: object) -> float:
    if not is_figure(figure):
        raise InputError(f"{path}, [{table}]: {figure!r} names no figure; `eval/figures.py` lists them.")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
        raise InputError(f"{path}, [{table}]: {figure} = {limit!r} is no number; write a floor such as 0.75.")
    return float(limit)
