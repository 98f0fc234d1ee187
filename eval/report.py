"""A run and its verdicts, as the terminal shows them and as one JSON object. Blame comes first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.compare import Comparison, Difference
from eval.gates import LossVerdict, Verdict
from eval.harness import Result
from eval.run import blame_json, run_json
from rag.render import safe_line


@dataclass(frozen=True, slots=True)
class Report:
    """A run, what became of its gates, and how it compares with the baseline, if one was given.

    ``note`` says why there are no verdicts, "" when there are.
    """

    result: Result
    verdicts: Sequence[Verdict]
    losses: Sequence[LossVerdict]
    comparison: Comparison | None
    note: str

    @property
    def passed(self) -> bool:
        """Whether every gate is met."""
        return all(verdict.passed for verdict in self.judged)

    @property
    def judged(self) -> "list[Verdict | LossVerdict]":
        """Every gate: the floors, then the allowed losses."""
        return [*self.verdicts, *self.losses]

    @property
    def gates(self) -> list[tuple[str, bool]]:
        """Every gate as a line and whether it is met."""
        return [(str(verdict), verdict.passed) for verdict in self.judged]

    @property
    def title(self) -> str:
        """The set, how many questions, and how they were asked."""
        rows = self.result.rows
        answerable = sum(row.question.answerable for row in rows)
        name = f"{self.result.set_name}: {len(rows)} questions"
        return f"{name}, {answerable} of them answerable, asked {self.result.mode}"

    @property
    def blame(self) -> tuple[str, list[tuple[str, int, str]]]:
        """A heading, and for every stage that lost a question: its name, how many, how many the reader alone gets."""
        counted = blame_json(self.result.rows)
        lines = [
            (stage, each["missed"], f"{each['isolated_right']} of {each['isolated']}" if each["isolated"] else "")
            for stage, each in counted["stages"].items()
        ]
        return f"blame: {counted['missed']} of {len(self.result.rows)} missed", lines

    @property
    def figures(self) -> list[tuple[str, str, str, int]]:
        """Every figure as people read it: its name, value, standard error ("" where none is defined) and n."""
        return [
            (name, _figure_text(name, each.value), "" if each.error is None else f"{each.error:.4f}", each.n)
            for name, each in self.result.details.items()
        ]

    @property
    def differences(self) -> list[tuple[str, str, str, str, str]]:
        """Every figure of both runs: its name, what it was, what it is, the change, the paired interval ("": none)."""
        return [
            (
                name,
                _figure_text(name, each.theirs),
                _figure_text(name, each.ours),
                f"{each.difference:+.4f}",
                _interval_text(each),
            )
            for name, each in (self.comparison.differences.items() if self.comparison else ())
        ]


def report_json(report: Report) -> dict[str, Any]:
    """What ``rag eval --json`` prints: ``eval.run.run_json``, the verdicts and the comparison.

    ``gates``: ``figure``, ``limit``, ``value``, ``passed`` of each floor; ``losses``: ``figure``, ``allowed``,
    ``loss``, ``passed``. ``passed``: whether all are met. Where the run was compared (``--against``, or with the set's
    stored run where its gates allow a loss), ``against``: ``baseline``, ``differences`` (``figure``, ``ours``,
    ``theirs``, ``lower``, ``upper``, ``n``), ``gained`` and ``lost`` (ids), ``changes`` and ``settings``.
    """
    found = run_json(report.result)
    found["gates"] = [asdict(verdict) for verdict in report.verdicts]
    found["losses"] = [asdict(verdict) for verdict in report.losses]
    found["passed"] = report.passed
    comparison = report.comparison
    if comparison is not None:
        found["against"] = {
            "baseline": comparison.baseline,
            "differences": [asdict(each) for each in comparison.differences.values()],
            "gained": [change.id for change in comparison.of_kind("gained")],
            "lost": [change.id for change in comparison.of_kind("lost")],
            "changes": [asdict(change) for change in comparison.changes],
            "settings": [{"name": name, "before": old, "after": new} for name, old, new in comparison.settings],
        }
    return found


def report_text(report: Report) -> str:
    """The terminal's table: blame, figures, comparison, gates, verdict; nothing in it steers a terminal."""
    heading, stages = report.blame
    lines = [f"{heading:<34}{'given gold':>12}" if stages else heading]
    lines += [f"  {stage:<22}{missed:>10}{alone:>12}" for stage, missed, alone in stages]
    lines += ["", report.title, "", f"{'figure':<22}{'value':>10}{'s.e.':>9}{'n':>8}"]
    lines += [f"{name:<22}{value:>10}{error:>9}{n:>8}" for name, value, error, n in report.figures]
    for row in report.result.rows:
        if row.problem:
            lines.append(f"not asked, counts as not found: {row.question.id}: {row.problem}")
    if report.comparison is not None:
        lines += ["", *_comparison(report.comparison, report.differences)]
    lines += ["", *(line for line, _ in report.gates)]
    if report.note:
        lines.append(report.note)
    if report.gates:
        lines.append("passed" if report.passed else "NOT PASSED")
    return "\n".join(map(safe_line, lines))


def _figure_text(name: str, value: float) -> str:
    """A figure as people read it: latency and memory with one digit, all else with four."""
    return f"{value:.1f}" if name.startswith("p") else f"{value:.4f}"


def _interval_text(difference: Difference) -> str:
    """The paired interval, "" where there is none."""
    if difference.lower is None or difference.upper is None:
        return ""
    return f"{difference.lower:+.4f} .. {difference.upper:+.4f}"


def _comparison(comparison: Comparison, differences: Sequence[tuple[str, str, str, str, str]]) -> list[str]:
    gained, lost = comparison.of_kind("gained"), comparison.of_kind("lost")
    lines = [f"against {comparison.baseline}: {len(gained)} gained, {len(lost)} lost"]
    lines += [f"  {name}: {before} -> {after}" for name, before, after in comparison.settings]
    lines.append(f"{'figure':<22}{'before':>10}{'now':>10}{'change':>10}  95 % interval")
    for name, before, now, change, interval in differences:
        lines.append(f"{name:<22}{before:>10}{now:>10}{change:>10}  {interval}".rstrip())
    lines += [f"{each.kind}: {each.id}: {each.question} {' -> '.join(each.texts)}" for each in comparison.changes]
    return lines
