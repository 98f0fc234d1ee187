"""One self-contained HTML page of a run: no network, one script and one style sheet of its own, everything escaped.

Documents are hostile: every word of theirs passes Jinja's autoescape, and the page's policy allows no script or style
but the two whose hashes it names.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval import plots
from eval.blame import STAGES
from eval.figures import Row
from eval.report import Report
from rag.render import safe_line

_HERE = Path(__file__).parent


def report_html(report: Report) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["safe_line"] = safe_line
    hashes = {f"{kind}_hash": _hash(environment.get_template(f"report.{kind}").render()) for kind in ("js", "css")}
    heading, stages = report.blame
    comparison = report.comparison
    changes = {change.id: change for change in comparison.changes} if comparison else {}
    sure = [(row.confidence, float(row.best_right)) for row in report.result.rows if row.confidence is not None]
    stated, right = [pair[0] for pair in sure], [pair[1] for pair in sure]
    latency = plots.latency_bars(report.result.figures)
    bars = plots.blame_bars(stages)
    return environment.get_template("report.html.j2").render(
        **hashes,
        report=report,
        heading=heading,
        stages=stages,
        meaning=STAGES,
        charts=[plots.risk_coverage_chart(stated, right), plots.reliability_chart(stated, right)] if sure else [],
        bars=[
            (title, each, plots.board_height(each))
            for title, each in (("Blame", bars), ("Latency, p50 / p95", latency))
            if each
        ],
        board=(plots.WIDTH, plots.HEIGHT, plots.EDGE),
        questions=list(_questions(report, {key: change.kind for key, change in changes.items()})),
        kinds=["missed", "right", *([] if comparison is None else ["gained", "lost", "changed"])],
        fingerprint=report.result.fingerprint,
    )


def _questions(report: Report, changes: dict[str, str]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(report.result.rows):
        yield {
            "row": row,
            "number": number,
            "stage": row.blame.stage if row.blame else "",
            "change": changes.get(row.question.id, ""),
            "confidence": "" if row.confidence is None else f"{row.confidence:.4f}",
            "verdict": "right" if row.right else "missed",
            "ranks": _ranks(row),
            "shown": [
                (one, ", ".join(f"{name} {value:.3f}" for name, value in one.parts.items())) for one in row.shown
            ],
        }


def _ranks(row: Row) -> str:
    """Where the best passage that holds the answer ranked, in words; "" for a question that was not missed."""
    blame = row.blame
    if blame is None:
        return ""
    ranks = (("fused", blame.fused), ("sparse", blame.sparse), ("dense", blame.dense))
    known = ", ".join(f"{name} {rank}" for name, rank in ranks if rank is not None)
    alone = {None: "", True: "right", False: "wrong"}[blame.isolated]
    parts = [f"rank of the best passage that holds the answer: {known}"] if known else []
    return "; ".join([*parts, *([f"given the passages that hold it: {alone}"] if alone else [])])


def _hash(text: str) -> str:
    """The hash of an inline script or style as a content security policy names it (CSP Level 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
