"""Markdown: which spans of a text are markup and front matter. The text itself stays as it is.

A small part of CommonMark 0.31, read line by line and then token by token, so that it takes linear time on any input:
headings, quotes, lists, fences, rules, tables, emphasis, links, images, code spans, tags, comments and escapes. What is
not recognised stays visible.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

from index.passage import Span

FRONT_MATTER_LINES = 200
"""Front matter that is not closed after so many lines is none."""
FIELDS = ("title", "date", "source", "author")

_LINE = re.compile(r"[^\n\r]*(?:\r\n|\n|\r|$)")
# What is a key too, for YAML: "og:image", "\"slug\"", and "Published on" where no sentence follows.
_KEY = re.compile(r"[\"']?[^\W\d][^\s\"'.!?]{0,60}(?:(?: [^\s\"'.!?]{1,60}){1,3}(?!.*[.!?]$))?[\"']?[ \t]*:(?:[ \t]|$)")
_FIELD = re.compile(r"([A-Za-z_][\w-]{0,40})[ \t]*:(?:[ \t]+(.*))?$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_QUOTE = re.compile(r"(?: {0,3}>[ \t]?)+")
_BULLET = re.compile(r"[ \t]*[-*+][ \t]+(?:\[[ xX]\][ \t]+)?")
_HEADING = re.compile(r" {0,3}#{1,6}(?=[ \t]|$)[ \t]*")
_DEFINITION = re.compile(
    r" {0,3}\[[ \t]*(?P<label>[^\[\]^\s][^\[\]]{0,200})\]:[ \t]*(?:<[^<>]*>|[^\s<]\S*)"
    r"(?:[ \t]+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?"
)
_COMMENT = re.compile(r" {0,3}<!--")
_TICKS = re.compile("`+")
# A tag has one of HTML's names, and attributes that have a value or one of HTML's names of those that need none: what
# else stands in angle brackets (a type's parameter, "a <b and c> d") is text, though CommonMark takes it for a tag.
_ELEMENTS = (
    "a abbr acronym address area article aside audio b base bdi bdo big blink blockquote body br button canvas caption"
    " center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption"
    " figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd"
    " label legend li link main map mark marquee math menu meta meter nav nobr noscript object ol optgroup option"
    " output p param path picture pre progress q rp rt ruby s samp script search section select slot small source span"
    " strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u"
    " ul var video wbr"
)
_FLAGS = (
    "allowfullscreen async autofocus autoplay checked compact controls crossorigin default defer disabled download"
    " formnovalidate hidden inert ismap itemscope loop multiple muted nomodule mozallowfullscreen noshade novalidate"
    " nowrap open playsinline readonly required reversed selected webkitallowfullscreen"
)
_TAG = (
    rf"</?(?i:{_ELEMENTS.replace(' ', '|')})"
    r"(?:[ \t]+(?:[A-Za-z_:][\w.:-]{0,60}[ \t]*=[ \t]*(?:\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|[^\s\"'=<>`]{1,2000})"
    rf"|data-[\w-]{{1,60}}|(?i:{_FLAGS.replace(' ', '|')}))){{0,40}}[ \t]*/?>"
)
_FOOTNOTE = re.compile(r" {0,3}\[\^[^\[\]\s]{1,60}\]:[ \t]*")
_INLINE = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<note>\[\^[^\[\]\s]{1,60}\])"
    r"|(?P<image>!\[)"
    r"|(?P<open>\[)"
    r"|(?P<close>\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'))?[ \t]*\)"
    r"|\[[^\[\]\n]{0,200}\])?)"
    r"|(?P<address><(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]{0,2000}"
    r"|[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,20})>)"
    rf"|(?P<tag>{_TAG})"
    r"|(?P<comment><!--)"
    r"|(?P<code>`+)"
    r"|(?P<mark>\*+|_+|~~+)"
)


def parse(text: str) -> tuple[dict[str, str | None], list[Span]]:
    """Front matter fields (``title``, ``date``, ``source``, ``author``, lower-case) and masked spans, in no order."""
    fields, body = _front_matter(text)
    masked: list[Span] = [(0, body)] if body else []
    masked += _markup(text, body)
    return fields, masked


def _lines(text: str, start: int) -> Iterator[Span]:
    """Lines from ``start`` on, with their newline."""
    while start < len(text):
        match = _LINE.match(text, start)
        end = match.end() if match else len(text)
        yield start, end
        start = end


def _front_matter(text: str) -> tuple[dict[str, str | None], int]:
    """Fields of a leading block between ``---`` lines, and where the body begins (0: there is no such block).

    Each of its lines is a field, goes on with one (indented, or "- " and an item) or is a comment: prose between two
    rules is none.
    """
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
        elif line and line[0] not in "#- \t]}" and not _KEY.match(line):
            return {}, 0
    return {}, 0


def _markup(text: str, body: int) -> Iterator[Span]:
    fence = ""
    table = False
    paragraphs: list[list[Span]] = [[]]  # the lines' spans after their block markup
    labels: set[str] = set()  # of the links that the document defines, maybe at its end: inline markup waits for them
    lines = list(_lines(text, body))
    delimiters = [_delimits(text[first:last]) for first, last in lines] + [False]
    commented = body  # where the last comment ends
    closed = text.rfind("-->")
    for number, (first, last) in enumerate(lines):
        first = max(first, min(commented, last))  # the line may begin inside a comment
        while not fence and (comment := _COMMENT.match(text, first, last)) and comment.end() <= closed:
            commented = text.find("-->", comment.end()) + 3
            yield comment.end() - 4, commented
            first = min(commented, last)
            paragraphs.append([])
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
            paragraphs.append([])
            yield first, last
            continue
        definition = None if paragraphs[-1] else _DEFINITION.fullmatch(line.rstrip())
        if not stripped or _rule(stripped) or (paragraphs[-1] and _underline(stripped)) or definition:
            paragraphs.append([])
            table = False
            if definition:
                labels.add(_label(definition["label"]))
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
            paragraphs.append([])
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
        paragraphs[-1].append((start, last))
        if heading or table:
            paragraphs.append([])
    for paragraph in paragraphs:
        if paragraph:
            yield from _inline(text, paragraph, labels)


def _delimits(line: str) -> bool:
    """Whether a line is the one between a table's head and body."""
    return "-" in line and "|" in line and not line.strip(" \t\r\n|:-")


def _rule(stripped: str) -> bool:
    """Whether a line is a thematic break."""
    return stripped[0] in "-*_" and not stripped.strip(stripped[0] + " \t") and stripped.count(stripped[0]) >= 3


def _underline(stripped: str) -> bool:
    return len(stripped) > 1 and (not stripped.strip("=") or not stripped.strip("-"))


def _inline(text: str, paragraph: list[Span], labels: set[str]) -> Iterator[Span]:
    """Masked spans of the inline markup of one paragraph. Brackets and emphasis marks count only in pairs.

    Inside code spans, comments and addresses in angle brackets nothing is markup.
    """
    brackets: list[tuple[str, Span]] = []
    marks: dict[str, Span] = {}
    ticks: dict[int, list[int]] = {}  # where the runs of so many backticks begin
    for first, last in paragraph:
        for run in _TICKS.finditer(text, first, last):
            ticks.setdefault(len(run.group()), []).append(run.start())
    closed = text.rfind("-->", paragraph[0][0], paragraph[-1][1])
    at = 0
    for first, last in paragraph:
        at = max(at, first)  # a comment or code span may have ended on a later line
        while token := _INLINE.search(text, at, last):
            kind, (start, at) = token.lastgroup, token.span()
            if kind == "escape":
                yield start, start + 1
            elif kind in ("note", "tag"):
                yield start, at
            elif kind == "address":
                yield start, start + 1
                yield at - 1, at
            elif kind == "comment" and at <= closed:
                at = text.find("-->", at) + 3
                yield start, at
            elif kind == "code":
                length = at - start
                same = ticks.get(length, [])
                if (after := bisect_left(same, at)) < len(same):
                    yield start, at
                    at = same[after] + length
                    yield at - length, at
            elif kind in ("image", "open"):
                brackets.append((kind, (start, at)))
            elif kind == "close":
                opener, opened = brackets.pop() if brackets else ("", (start, start))
                if not opener or not _leads(text, opened[1], start, at, labels):
                    at = start + 1
                elif opener == "image":
                    yield opened[0], at
                else:
                    yield opened
                    yield start, at
            elif kind == "mark":
                yield from _mark(text, (start, at), marks, first)


def _label(words: str) -> str:
    """A link's label as labels are compared."""
    return " ".join(words.split()).casefold()


def _leads(text: str, inside: int, start: int, end: int, labels: set[str]) -> bool:
    """Whether the bracket at ``start``, whose pair ends at ``inside``, makes a link with what follows it up to ``end``.

    An address in parentheses does; a label in brackets, or for ``[]`` the text between the two, if it is defined.
    """
    tail = text[start + 1 : end]
    if not tail.startswith("["):
        return bool(tail)
    words = tail[1:-1] or text[inside : min(start, inside + 300)]  # no label is as long as that
    return _label(words) in labels


def _mark(text: str, span: Span, marks: dict[str, Span], line_start: int) -> Iterator[Span]:
    """Both marks of a pair, when ``span`` closes one; ``marks`` holds the open ones by their characters."""
    start, end = span
    kind = text[start:end] if end - start <= 3 else ""
    if not kind:
        return
    before, after = text[start - 1 : start] if start > line_start else " ", text[end : end + 1] or " "
    if kind[0] == "_" and before.isalnum() and after.isalnum():
        return
    if kind in marks and not before.isspace():
        opened = marks.pop(kind)
        if opened[1] < start:
            yield opened
            yield span
            return
    if not after.isspace():
        marks[kind] = span
