"""Reports as files, by suffix: .json (what ``--against`` reads), .xml (JUnit), .md (a CI summary), .html (a page)."""

import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from eval.figures import Row
from eval.gates import LossVerdict
from eval.outputs import write
from eval.report import Report, report_json
from eval.report_html import report_html
from index.errors import InputError
from rag.render import safe_line

MISSES = 50
"""Misses that the Markdown names; a CI summary has room for 1 MiB."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~-])")


def check_suffix(path: Path) -> None:
    """Raise InputError for a name that tells no kind of report."""
    if path.suffix.lower() not in WRITERS:
        known = ", ".join(WRITERS)
        raise InputError(f"{path}: the name tells no kind of report; let it end with one of {known}.")


def write_report(report: Report, path: Path) -> None:
    """Write the kind of report that the file's suffix names; InputError when it cannot be written."""
    check_suffix(path)
    write(path, WRITERS[path.suffix.lower()](report))


def json_text(report: Report) -> str:
    """RUN.json (``eval.report.report_json``)."""
    return json.dumps(report_json(report), ensure_ascii=False) + "\n"


# -- JUnit -------------------------------------------------------------------------------------------------------------


def junit(report: Report) -> str:
    """JUnit XML: a suite of gates, a case each, and a suite of questions, a case each.

    A gate that is not met is a failure. A missed question is skipped, with the stage that lost it: a set is allowed its
    misses, it is the gates that decide; but one that the baseline had right is a failure. The format has no
    standard; element and attribute names are those of https://github.com/testmoapp/junitxml.
    """
    result = report.result
    root = ET.Element("testsuites", name=_xml(f"rag eval {result.set_name}"))
    gates = ET.SubElement(root, "testsuite", name="gates")
    for verdict in report.judged:
        kind = "loss" if isinstance(verdict, LossVerdict) else "floor"
        case = ET.SubElement(
            gates, "testcase", classname=_xml(f"{result.set_name}.gates"), name=f"{verdict.figure} {kind}"
        )
        if not verdict.passed:
            ET.SubElement(case, "failure", message=_xml(str(verdict)))
    questions = ET.SubElement(root, "testsuite", name="questions")
    lost = {change.id for change in report.comparison.of_kind("lost")} if report.comparison else set()
    for row in result.rows:
        seconds = f"{row.timings_ms.get('total', 0.0) / 1000:.4f}"
        name = _xml(f"{row.question.id}: {row.question.question}")
        case = ET.SubElement(questions, "testcase", classname=_xml(result.set_name), name=name, time=seconds)
        if row.blame is not None:
            kind = "failure" if row.question.id in lost else "skipped"
            ET.SubElement(case, kind, message=_xml(_why(row)))
    for suite in (gates, questions):
        suite.set("tests", str(len(suite)))
        for kind, attribute in (("failure", "failures"), ("skipped", "skipped")):
            suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _why(row: Row) -> str:
    stage = row.blame.stage if row.blame else ""
    shown = f"answered {row.answer!r}" if row.answer else f"refused, best {row.best!r}"
    wanted = " or ".join(map(repr, row.question.answers[:3])) or "no answer"
    return f"missed, {stage}: {shown}, wanted {wanted}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


# -- Markdown ----------------------------------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    """A summary for CI: verdict, blame, gates, comparison, the first ``MISSES`` misses, figures."""
    heading, stages = report.blame
    verdict = "" if not report.gates else " — passed" if report.passed else " — **NOT PASSED**"
    lines = [f"## {_md(report.title)}{verdict}", "", f"**{_md(heading)}**", ""]
    if stages:
        lines += _md_table(("stage", "missed", "right when given the gold passages"), stages)
    lines += [f"- {'✅' if good else '❌'} {_md(line)}" for line, good in report.gates]
    lines += [f"- {_md(report.note)}"] if report.note else []
    comparison = report.comparison
    if comparison is not None:
        lines += ["", f"### Against {_md(comparison.baseline)}", ""]
        lines += [f"- {_md(name)}: {_md(old)} → {_md(new)}" for name, old, new in comparison.settings] + [""]
        lines += _md_table(("figure", "before", "now", "change", "95 % interval"), report.differences)
        lines += _md_table(
            ("", "question", "before", "now"),
            [(c.kind, f"{c.id}: {c.question}", *c.texts) for c in comparison.changes],
        )
    missed = [row for row in report.result.rows if row.blame is not None]
    if missed:
        lines += [f"<details><summary>{min(len(missed), MISSES)} of {len(missed)} misses</summary>", ""]
        cells = [
            (row.blame.stage if row.blame else "", row.question.id, row.question.question, _why(row)) for row in missed
        ]
        lines += [*_md_table(("stage", "id", "question", ""), cells[:MISSES]), "</details>", ""]
    lines += ["<details><summary>figures</summary>", ""]
    lines += [*_md_table(("figure", "value", "s.e.", "n"), report.figures), "</details>"]
    return "\n".join(lines) + "\n"


def _md_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    names = list(head)
    body = ["| " + " | ".join(_md(str(cell)) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names), *body, ""] if body else []


def _md(text: str) -> str:
    """The text as text: no markup, no HTML, no table cell's end, nobody mentioned, no line break."""
    escaped = _MARKS.sub(r"\\\1", html.escape(safe_line(text), quote=False))
    # Links and mentions are made of bare text as well.
    return escaped.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")


WRITERS: Mapping[str, Callable[[Report], str]] = {
    ".json": json_text,
    ".xml": junit,
    ".md": markdown,
    ".html": report_html,
}
"""Suffix -> the report as text."""
