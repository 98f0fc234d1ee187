"""Markdown: which spans of a text are markup and front matter. The text itself stays as it is.

A small part of CommonMark 0.31, read line by line and then token by token, so that it takes linear time on any input:
headings, quotes, lists, fences, rules, tables, emphasis, links, images, code marks, tags, comments and escapes. What is
not recognised stays visible.
"""

import re
from collections.abc import Iterator

from index.passage import Span

FRONT_MATTER_LINES = 200
"""Front matter that is not closed after so many lines is none."""
FIELDS = ("title", "date", "source", "author")

_LINE = re.compile(r"[^\n\r]*(?:\r\n|\n|\r|$)")
_FIELD = re.compile(r"([A-Za-z_][\w-]{0,40})[ \t]*:(?:[ \t]+(.*))?$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_QUOTE = re.compile(r"(?: {0,3}>[ \t]?)+")
_BULLET = re.compile(r"[ \t]*[-*+][ \t]+(?:\[[ xX]\][ \t]+)?")
_HEADING = re.compile(r" {0,3}#{1,6}(?=[ \t]|$)[ \t]*")
_DEFINITION = re.compile(r" {0,3}\[[^\[\]^][^\[\]]{0,200}\]:[ \t]*\S")
_FOOTNOTE = re.compile(r" {0,3}\[\^[^\[\]\s]{1,60}\]:[ \t]*")
_INLINE = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<note>\[\^[^\[\]\s]{1,60}\])"
    r"|(?P<image>!\[)"
    r"|(?P<open>\[)"
    r"|(?P<close>\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?[ \t]*\)"
    r"|\[[^\[\]\n]{0,200}\])?)"
    r"|(?P<tag></?[A-Za-z][^<>\n]{0,1000}>)"
    r"|(?P<mark>\*+|_+|~~+|`+)"
)


def parse(text: str) -> tuple[dict[str, str | None], list[Span]]:
    """Front matter fields (``title``, ``date``, ``source``, ``author``, lower-case) and masked spans, in no order."""
    fields, body = _front_matter(text)
    masked: list[Span] = [(0, body)] if body else []
    comments = list(_comments(text, body))
    masked += comments
    masked += _markup(text, body, comments)
    return fields, masked


def _lines(text: str, start: int) -> Iterator[Span]:
    """Lines from ``start`` on, with their newline."""
    while start < len(text):
        match = _LINE.match(text, start)
        end = match.end() if match else len(text)
        yield start, end
        start = end


def _front_matter(text: str) -> tuple[dict[str, str | None], int]:
    """Fields of a leading block between ``---`` lines, and where the body begins (0: there is no such block)."""
    fields: dict[str, str | None] = {}
    start = 1 if text.startswith("\ufeff") else 0
    any_field = False
    for number, (first, last) in enumerate(_lines(text, start)):
        line = text[first:last].rstrip()
        if number == 0:
            if line != "---":
                return {}, 0
        elif line in ("---", "..."):
            return (fields, last) if any_field else ({}, 0)
        elif number > FRONT_MATTER_LINES:
            return {}, 0
        elif match := _FIELD.match(line):
            any_field = True
            name, value = match.group(1).lower(), (match.group(2) or "").strip()
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            if name in FIELDS and value:
                fields.setdefault(name, value)
    return {}, 0


def _comments(text: str, start: int) -> Iterator[Span]:
    while (first := text.find("<!--", start)) >= 0:
        last = text.find("-->", first + 4)
        if last < 0:
            return
        start = last + 3
        yield first, start


def _markup(text: str, body: int, comments: list[Span]) -> Iterator[Span]:
    fence = ""
    table = False
    paragraph: list[Span] = []  # the lines' spans after their block markup
    lines = list(_lines(text, body))
    delimiters = [_delimits(text[first:last]) for first, last in lines] + [False]
    hidden = iter([*comments, (len(text) + 1, len(text) + 1)])
    comment = next(hidden)
    for number, (first, last) in enumerate(lines):
        while comment[1] <= first:
            comment = next(hidden)
        if comment[0] <= first:  # the line begins inside a comment
            first = min(comment[1], last)
        line = text[first:last]
        stripped = line.strip()
        opened = _FENCE.match(line)
        if fence:
            if opened and stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
                yield first, last
            continue
        if opened and not (opened.group(1)[0] == "`" and "`" in stripped[len(opened.group(1)) :]):
            fence = opened.group(1)
            yield from _inline(text, paragraph)
            paragraph = []
            yield first, last
            continue
        if not stripped or _rule(stripped) or (paragraph and _underline(stripped)) or _DEFINITION.match(line):
            yield from _inline(text, paragraph)
            paragraph, table = [], False
            if stripped:
                yield first, last
            continue
        start = first
        if quote := _QUOTE.match(text, start, last):
            yield start, quote.end()
            start = quote.end()
        if bullet := _BULLET.match(text, start, last):
            yield start, bullet.end()
            start = bullet.end()
        heading = _HEADING.match(text, start, last)
        note = _FOOTNOTE.match(text, start, last)
        for block in (heading, note):
            if block:
                yield start, block.end()
                start = block.end()
        if bullet or heading or note:
            yield from _inline(text, paragraph)
            paragraph = []
        if heading:
            end = first + len(line.rstrip())
            trailing = end - len(text[start:end].rstrip("#")) - start
            if trailing > 0 and (trailing == end - start or text[end - trailing - 1] in " \t"):
                yield end - trailing, end
                last = end - trailing
        table = "|" in line and (table or delimiters[number] or delimiters[number + 1])
        if table:
            if delimiters[number]:
                yield first, last
                continue
            yield from ((at, at + 1) for at in range(start, last) if text[at] == "|" and text[at - 1 : at] != "\\")
        paragraph.append((start, last))
        if heading or table:
            yield from _inline(text, paragraph)
            paragraph = []
    yield from _inline(text, paragraph)


def _delimits(line: str) -> bool:
    """Whether a line is the one between a table's head and body."""
    return "-" in line and "|" in line and not line.strip(" \t\r\n|:-")


def _rule(stripped: str) -> bool:
    """Whether a line is a thematic break."""
    return stripped[0] in "-*_" and not stripped.strip(stripped[0] + " \t") and stripped.count(stripped[0]) >= 3


def _underline(stripped: str) -> bool:
    return len(stripped) > 1 and (not stripped.strip("=") or not stripped.strip("-"))


def _inline(text: str, paragraph: list[Span]) -> Iterator[Span]:
    """Masked spans of the inline markup of one paragraph. Brackets and emphasis marks count only in pairs."""
    brackets: list[tuple[str, Span]] = []
    marks: dict[str, Span] = {}
    for first, last in paragraph:
        for token in _INLINE.finditer(text, first, last):
            kind, span = token.lastgroup, token.span()
            if kind == "escape":
                yield span[0], span[0] + 1
            elif kind in ("note", "tag"):
                yield span
            elif kind in ("image", "open"):
                brackets.append((kind, span))
            elif kind == "close" and brackets:
                opener, at = brackets.pop()
                if span[1] - span[0] > 1:
                    if opener == "image":
                        yield at[0], span[1]
                    else:
                        yield at
                        yield span
            elif kind == "mark":
                yield from _mark(text, span, marks, first)


def _mark(text: str, span: Span, marks: dict[str, Span], line_start: int) -> Iterator[Span]:
    """Both marks of a pair, when ``span`` closes one; ``marks`` holds the open ones by their characters."""
    start, end = span
    kind = text[start:end] if end - start <= 3 else ""
    if not kind:
        return
    before, after = text[start - 1 : start] if start > line_start else " ", text[end : end + 1] or " "
    if kind[0] == "_" and before.isalnum() and after.isalnum():
        return
    code = kind[0] == "`"
    if kind in marks and (code or not before.isspace()):
        opened = marks.pop(kind)
        if opened[1] < start:
            yield opened
            yield span
            return
    if code or not after.isspace():
        marks[kind] = span
