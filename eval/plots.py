"""Charts as numbers: coordinates on a drawing board that the report's template turns into SVG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.confidence import Floats, risk_coverage

WIDTH, HEIGHT, EDGE = 320.0, 240.0, 40.0
"""Size of a chart's board, and what its labels take of it on each side, in SVG units."""
_BAR, _LABELS = 22.0, 130.0
_BINS = 10
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of two shares. ``lines`` are polylines ("x,y x,y") with a class; ``dots`` are (x, y, radius, text).

    ``x_ticks`` and ``y_ticks`` are (place, label).
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[tuple[str, str], ...]
    dots: tuple[tuple[str, str, str, str], ...]
    x_ticks: tuple[tuple[str, str], ...]
    y_ticks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar at height ``y``: ``width`` in full colour, up to ``reach`` in a lighter one."""

    label: str
    y: str
    width: str
    reach: str
    text: str


def risk_coverage_chart(stated: Floats, right: Floats) -> Chart:
    """The risk among the answered over the share answered, from the surest on (``eval.confidence.risk_coverage``)."""
    points = [(coverage, risk) for coverage, risk, _ in risk_coverage(stated, right)]
    line = ("curve", " ".join(f"{_x(coverage)},{_y(risk)}" for coverage, risk in points))
    return _chart("Risk and coverage", "share answered", "share of them wrong", (line,), ())


def reliability_chart(stated: Floats, right: Floats) -> Chart:
    """The share that is right over the stated confidence, a dot for each of up to ten bins of equal mass.

    The reliability diagram of DeGroot and Fienberg 1983; on the diagonal, 0.8 is right four times in five. The dot's
    area is its number of questions.
    """
    order = np.argsort(np.asarray(stated, float), kind="stable")
    ordered = (np.asarray(stated, float)[order], np.asarray(right, float)[order])
    dots = []
    for sure, good in zip(*(np.array_split(values, _BINS) for values in ordered), strict=True):
        if len(sure):
            radius = 2 + 10 * float(np.sqrt(len(sure) / len(order)))
            text = f"{len(sure)} questions: stated {sure.mean():.2f}, right {good.mean():.2f}"
            dots.append((_x(float(sure.mean())), _y(float(good.mean())), f"{radius:.1f}", text))
    diagonal = ("diagonal", f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}")
    return _chart("Reliability", "stated confidence", "share right", (diagonal,), tuple(dots))


def blame_bars(stages: Sequence[tuple[str, int, str]]) -> tuple[Bar, ...]:
    """A bar a stage: how many questions it lost. ``stages`` are (name, missed, how many the reader alone gets)."""
    most = max((missed for _, missed, _ in stages), default=1)
    rows = [(stage, float(missed), float(missed), str(missed)) for stage, missed, _ in stages]
    return _bars(rows, float(most))


def latency_bars(figures: Mapping[str, float]) -> tuple[Bar, ...]:
    """A bar a stage: its p50 in full, its p95 lighter, from the figures ``p50_ms_STAGE`` and ``p95_ms_STAGE``."""
    rows = []
    for name, p50 in figures.items():
        stage = name.removeprefix("p50_ms_")
        if stage != name:
            p95 = figures.get(f"p95_ms_{stage}", p50)
            rows.append((stage, p50, p95, f"{p50:.1f} / {p95:.1f} ms"))
    return _bars(rows, max((p95 for _, _, p95, _ in rows), default=1.0))


def board_height(bars: Sequence[Bar]) -> str:
    """The height of the board that these bars take."""
    return _number(len(bars) * _BAR + 4)


def _bars(rows: Sequence[tuple[str, float, float, str]], most: float) -> tuple[Bar, ...]:
    room = WIDTH - _LABELS

    def width(value: float) -> str:
        return _number(max(1.0, room * value / most) if most > 0 else 1.0)

    return tuple(
        Bar(label, _number(2 + number * _BAR), width(value), width(reach), text)
        for number, (label, value, reach, text) in enumerate(rows)
    )


def _chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: tuple[tuple[str, str], ...],
    dots: tuple[tuple[str, str, str, str], ...],
) -> Chart:
    return Chart(title, x_label, y_label, lines, dots, _ticks(_x), _ticks(_y))


def _ticks(place: Callable[[float], str]) -> tuple[tuple[str, str], ...]:
    return tuple((place(value), f"{value:g}") for value in _TICKS)


def _x(share: float) -> str:
    return _number(EDGE + share * (WIDTH - 1.5 * EDGE))


def _y(share: float) -> str:
    return _number(HEIGHT - EDGE - share * (HEIGHT - 1.5 * EDGE))


def _number(value: float) -> str:
    return f"{value:.1f}"
