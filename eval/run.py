"""RUN.json: what ``rag eval --json`` prints and ``--report FILE.json`` writes of a run, and reading it back.

One object. Of it a comparison reads ``fingerprint`` (``eval.fingerprint``), ``figures`` and ``rows``: a row a question
with ``id``, ``question``, ``answerable``, ``answered`` (null where only documents are judged), ``answer`` ("" when
refused), ``best`` and ``best_right`` (the best candidate, refused or not), ``confidence``, ``right`` (not missed),
``blame`` (null or the fields of ``eval.blame.Blame``), ``scores`` (what it adds to each figure that is a mean),
``timings_ms`` and ``problem``. Readers ignore fields they do not know; a stored baseline (``eval.baseline``) has less.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.blame import STAGES
from eval.figures import Row
from eval.harness import Result
from eval.records import Record, read_json


@dataclass(frozen=True, slots=True)
class RunRow:
    """One question of a run, as far as a comparison needs it; ``answer`` is None where it was not stored."""

    id: str
    question: str
    answerable: bool
    answer: str | None
    right: bool
    best_right: bool
    confidence: float | None
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """A run as stored: ``name`` says where, ``rows`` are in the set's order."""

    name: str
    fingerprint: Mapping[str, Mapping[str, object]]
    figures: Mapping[str, float]
    rows: tuple[RunRow, ...]


def run_json(result: Result) -> dict[str, Any]:
    """The object; ``eval.report`` adds the verdicts to it."""
    return {
        "set": result.set_name,
        "sha256": result.set_sha256,
        "mode": result.mode,
        "questions": len(result.rows),
        "blame": blame_json(result.rows),
        "figures": result.figures,
        "standard_errors": result.standard_errors,
        "n": {name: figure.n for name, figure in result.details.items()},
        "problems": [{"id": row.question.id, "problem": row.problem} for row in result.rows if row.problem],
        "fingerprint": result.fingerprint,
        "rows": [_row_json(row) for row in result.rows],
    }


def blame_json(rows: Sequence[Row]) -> dict[str, Any]:
    """``missed`` questions in all, and for every stage that lost one: how many, and how many of these the reader gets
    right when handed the passages that hold the answer (``isolated_right`` of ``isolated``).
    """
    stages = {}
    blames = [row.blame for row in rows if row.blame is not None]
    for stage in STAGES:
        isolated = [blame.isolated for blame in blames if blame.stage == stage]
        if isolated:
            stages[stage] = {
                "missed": len(isolated),
                "isolated": sum(right is not None for right in isolated),
                "isolated_right": sum(right is True for right in isolated),
            }
    return {"missed": len(blames), "stages": stages}


def as_run(result: Result) -> Run:
    """The run just made, in the form of a stored one."""
    rows = (
        RunRow(
            row.question.id,
            row.question.question,
            row.question.answerable,
            row.answer,
            row.right,
            row.best_right,
            row.confidence,
            row.scores,
        )
        for row in result.rows
    )
    return Run("this run", result.fingerprint, result.figures, tuple(rows))


def read_run(path: Path) -> Run:
    """Read a stored run; InputError with file and field when it is none."""
    record = read_json(path, "a run that `rag eval SET --report RUN.json` wrote")
    fingerprint = _object(record, "fingerprint")
    for name, part in fingerprint.items():
        if not isinstance(part, dict):
            raise record.error(f"fingerprint.{name}", "is no object")
    rows = tuple(_run_row(row) for row in record.children("rows"))
    if not rows:
        raise record.error("rows", "is empty; store a run of the set with --report RUN.json")
    return Run(str(path), fingerprint, _numbers(record, "figures"), rows)


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "id": row.question.id,
        "question": row.question.question,
        "kind": row.question.kind,
        "answerable": row.question.answerable,
        "answers": list(row.question.answers),
        "answered": row.answered,
        "answer": row.answer,
        "best": row.best,
        "best_right": row.best_right,
        "confidence": row.confidence,
        "right": row.right,
        "blame": asdict(row.blame) if row.blame else None,
        "scores": row.scores,
        "timings_ms": row.timings_ms,
        "problem": row.problem,
    }


def _run_row(record: Record) -> RunRow:
    if "best_f1" in record.data:
        raise record.error("best_f1", "is of an earlier version; store the run anew with --report")
    return RunRow(
        id=record.text("id"),
        question=record.text("question", default="", blank=True),
        answerable=record.flag("answerable"),
        answer=record.text("answer", blank=True) if "answer" in record.data else None,
        right=record.flag("right"),
        best_right=record.flag("best_right"),
        confidence=None
        if record.data.get("confidence") is None
        else _number(record, "confidence", record.data["confidence"]),
        scores=_numbers(record, "scores"),
    )


def _object(record: Record, name: str) -> dict[str, Any]:
    value = record.data.get(name)
    if not isinstance(value, dict):
        raise record.error(name, "is no object; store a run of the set with --report RUN.json")
    return value


def _numbers(record: Record, name: str) -> dict[str, float]:
    return {key: _number(record, f"{name}.{key}", value) for key, value in _object(record, name).items()}


def _number(record: Record, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise record.error(name, f"{str(value)[:20]!r} is no number")
    return float(value)
