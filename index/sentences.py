"""Where the sentences and headings of a document stand.

A document is seen as blocks (a line, or several that are one paragraph, broken for the eye), a block as sentences.
Masked text is blanked before any of it: it stands at no sentence's edge, a line of nothing else is as good as empty,
and markup inside a sentence is taken out before the sentence's words are looked at.

Sentence bounds come from nupunkt, an implementation of Kiss and Strunk (2006), "Unsupervised multilingual sentence
boundary detection", imported inside the function that needs it: the way of a query never comes here.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, cast

from index.passage import Document, Span
from index.tokens import ITEM, LINE_HYPHEN, RAISED, STOP_WORDS

SENTENCE_LIMIT = 500
"""Code points a sentence has at most; a longer one is cut."""
HEADING_LIMIT = 120
"""Code points a line without markup has at most if it is to be a heading."""
WRAPPED = 50, 120
"""Code points, least and most, of a line that the next one may go on with, in a file that is not hard-wrapped."""

BLANK = "\0"
_NEWLINES = "\n\r\x0b\x0c\x85\u2028\u2029"
NEWLINE = re.compile(rf"\r\n|[{_NEWLINES}]")
_EDGE = BLANK + "".join(chr(c) for c in range(0x3001) if chr(c).isspace())
_SEPARATES = re.compile(r"\||\)!?\[|<(?:br|p|td|th|li|div)\b", re.IGNORECASE)
_RAISES = re.compile(r"<sup\b", re.IGNORECASE)

_HASHES = re.compile(r"\s{0,3}#{1,6}\s")
_BULLET = re.compile(r"[-*+•‣▪–—]\s")
_FINAL = tuple(".!?:;,…。！？：；，।؟۔")
_STOPPED = tuple(char for char in _FINAL if char not in ",，،")
_CLOSERS = "\"'”’»)]}〉》」』】"
_CAPITAL = f"[{''.join(filter(str.isupper, map(chr, range(0x10000))))}]"

# Sentence ends of scripts that nupunkt does not know, with the closing marks that belong to them.
_FOREIGN_END = re.compile(rf"[。！？｡।॥۔؟]+[{re.escape(_CLOSERS)}]*")
# The end of a sentence before an opening quotation mark, which nupunkt often passes over.
_BEFORE_QUOTE = re.compile(rf"[.!?](?=\s+[“\"‘«]{_CAPITAL})")
# nupunkt learnt many plain words as abbreviations ("bank.", "month.", "Hall."): a word of three letters or more, or
# "no", ends a sentence before a capital unless it stands here, written so; in capitals it is an acronym ("the SEC.").
_PLAIN = re.compile(rf"(?<![\w.'’&-])([^\W\d_]{{3,}}|no)\.(?=\s+{_CAPITAL})")
# It takes a unit of one letter, and "ms", for initials: "a wall of 38 m. The dam".
_UNIT = re.compile(rf"(?<=\d)\s?(?:ms|[dghlms]|[a-zµμ]{{1,4}}[²³])\.(?=\s+{_CAPITAL})")
_SHORT = """
abbr approx assn assoc asst cert cont dept dist eds esp est etc excl fig figs govt illus inc incl intl lit ltd
mfg misc natl orig prof resp trans univ viz vol vols
"""
_SHORT_NAMES = """
Adm Ald Amb Ariz Atty Ave Benj Bldg Blvd Brig Bros Calif Capt Cdr Chap Chas Cie Cllr Cmdr Col Cols Colo Comm
Conn Corp Cpl Del Det Dir Div Drs Edw Esq Evid Exec Fed Fla Gen Gens Geo Gov Govs Hist Hon Hwy Ill Ind Ins Insp
Inst Int Intell Jas Jos Jour Kan Lieut Maj Mass Messrs Mich Minn Miss Mlle Mme Mont Mrs Msgr Mts Nat Neb Nev Nos
Okla Ont Ore Penn Pfc Pharm Phil Pkwy Pres Proc Profs Prop Prov Pty Pub Pvt Que Rep Reps Rev Revs Robt Sask Sec
Sen Sens Sgt Soc Spc Sta Supp Supt Tech Tel Tenn Tex Theo Thos Twp Ven Wash Wis Wyo Jan Feb Mar Apr Jun Jul Aug
Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun
"""
_ABBREVIATED = frozenset(f"{_SHORT} {_SHORT.title()} {_SHORT_NAMES}".split())
# What never ends a sentence: forms of address before a name, words before an example, figure or number.
_ADDRESS = re.compile(
    r"(?:^|[\s(\"'“‘-])(?:(?:Dr|Prof|Rev|Sen|Rep|Gov|Gen|Col|Lt|Maj|Capt|Cpl|Sgt|Adm|Msgr|Mme)s?|Mr|Mrs|Ms|Mx|Messrs|Mlle"
    r"|Hon|Pres|Ald|Cllr|Atty|Supt|Cmdr|Cdr|Cpt|Brig|Pfc|Pvt|Spc|vs|cf|viz|e\.g|i\.e|a\.k\.a)\.$"
    r"|(?:^|[(\"'“‘-]|[a-zà-ÿ,] )Ste?\.$"
)
# "Elm St.", "42nd St.": a street, unless a name follows ("Mount St. John").
_STREET = re.compile(rf"(?:^|[\s(])(?:{_CAPITAL}|\d)[\w’']* St\.$")
_NO_WORD = re.compile(r"\W")
# What may end a sentence before speech (`… at Acme Inc. “We grew,” he said.`), but not before a name in quotation
# marks (`Acme Inc. “Rocket” unit`): speech has a mark of its own before the closing one, or is long.
_BEFORE_NAME = re.compile(
    r"(?:^|[\s(\"'“‘-])(?:Inc|Cos?|Corp|Ltd|Bros|Jr|Sr|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_NAME = re.compile(r"“[^”]*[^”,.!?…]”|\"[^\"]*[^\",.!?…]\"|‘[^’]*[^’,.!?…]’|«[^»]*[^»,.!?…]»")
_OPENERS = '“"‘«('
# Marks of footnotes stand behind the full stop and belong to the sentence before them.
_NOTES = re.compile(rf"(?:(?:\[(?:\d{{1,3}}(?:[,–-]\d{{1,3}})*|[a-z])\])+|[{RAISED}]+)(?=\s|\Z)")
_BEFORE_NOTES = re.compile(rf"[.!?](?={_NOTES.pattern}\s+[“\"‘«]?{_CAPITAL})")
_COUNTED = re.compile(
    r"(?:^|[\s(])(?:[Nn]os?|[Pp]p?|[Ff]igs?|[Vv]ols?|[Cc]h|[Ss]ec|[Aa]rt|[Ee]qs?|[Aa]pprox|ca|[Mm]ax|[Mm]in|[Ee]xcl|[Ii]ncl"
    r"|Rs|Tab)\.$"
)
_SHORTENED = re.compile(r"(?:^|[\s(])(?:(?:\w\.)+\w{0,3}|\w)\.$")
# Where a sentence that is too long may be cut; "July 11, 1962" and "1, 2, 3" are no clauses.
_CLAUSE = re.compile(r"[;:](?=\s)|,(?=\s+\D)|—|[；：，、،]")
_END = re.compile(r"[.!?…]")
_RUN = re.compile(r"\S{400,}")
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}|[a-z])[.)]$")


class _Tokenizer(Protocol):
    def span_tokenize(self, text: str) -> Iterator[Span]: ...


@dataclass(frozen=True, slots=True)
class Block:
    """A line or paragraph with text of its own, trimmed to it.

    ``heading``: it heads the block after it. ``leads``: it is to stay with that block (a heading, a line like "There
    are three reasons:", or a question, which what follows answers).
    """

    start: int
    end: int
    heading: bool
    leads: bool


def sentences(document: Document) -> list[Span]:
    """Spans of the sentences of ``document``, ascending and disjoint.

    Every character that is neither white space nor masked (nor NUL) is in exactly one of them. None begins or ends
    with such a character, none is longer than ``SENTENCE_LIMIT``, and none holds a newline but where lines are wrapped.
    """
    shown = blanked(document)
    return [span for block in blocks(document, shown) for span in block_sentences(shown, block)]


def blanked(document: Document, start: int = 0, end: int | None = None) -> str:
    """``document.text[start:end]`` at its length, with masked characters as NUL; newlines stay.

    A mask that stands between two cells or links, or between a number and its raised note, begins with a space instead,
    so that it does not join their words. A masked hyphen at a line's end joins the halves of its word.
    """
    text = document.text
    stop = len(text) if end is None else end
    parts, position = [], start
    for first, last in document.masked_in(start, stop):
        first, last = max(first, start), min(last, stop)
        covered = text[first:last]
        before, after = text[first - 1 : first], text[last : last + 1]
        if LINE_HYPHEN.fullmatch(covered) and before.islower() and after.islower():
            blank = BLANK * len(covered)
        else:
            blank = re.sub(rf"[^{_NEWLINES}]", BLANK, covered)
        raised = before.isdigit() and after.isdigit() and _RAISES.search(covered)
        if blank[0] == BLANK and (raised or _SEPARATES.search(covered)):
            blank = " " + blank[1:]
        parts += [text[position:first], blank]
        position = last
    return "".join([*parts, text[position:stop]])


def joined(shown: str, span: Span) -> str:
    """The words of a span of blanked text, one space between them."""
    return " ".join(shown[span[0] : span[1]].replace(BLANK, "").split())


def _trim(shown: str, start: int, end: int) -> Span:
    """The span without white space and blanks at its edges; empty (start == end) if nothing else is in it."""
    inner = shown[start:end]
    start += len(inner) - len(inner.lstrip(_EDGE))
    return start, start + len(inner.strip(_EDGE))


def _lines(shown: str) -> Iterator[Span]:
    position = 0
    for newline in NEWLINE.finditer(shown):
        yield position, newline.start()
        position = newline.end()
    yield position, len(shown)


def blocks(document: Document, shown: str) -> Iterator[Block]:
    """The blocks of ``document`` in order; ``shown`` is its blanked text.

    Lines that stand together are one block in a hard-wrapped file. In others (with lists, tables and short paragraphs
    a file does not look it) a line is joined to the one before where that is as long as wrapped lines are and
    without a stop, and it begins in lower case.
    """
    text = document.text
    spans: list[Span] = []
    marked: list[bool] = []
    joins = wraps = False
    for line_start, line_end in _lines(shown):
        start, end = _trim(shown, line_start, line_end)
        if start == end:
            joins = wraps = False
            continue
        mark = shown[line_start:start].strip() != "" and _HASHES.match(text[line_start:start]) is not None
        goes_on = joins or (wraps and shown[start].islower())
        if goes_on and not mark and not ITEM.match(text[line_start : line_start + 200].lstrip()):
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
            marked.append(mark)
        joins = document.hard_wrapped and not mark
        line = shown[start:end]
        wraps = (
            not mark
            and WRAPPED[0] <= len(line) <= WRAPPED[1]
            and not line.endswith(_STOPPED)
            and "|" not in text[start:end]
        )

    candidate = [
        mark or (_may_head(shown, span) and "|" not in text[span[0] : span[1]])
        for mark, span in zip(marked, spans, strict=True)
    ]
    run = 0  # candidates in a row from here on; of a longer run (a poem, an address) only the last three head
    found: list[Block] = []
    for at in range(len(spans) - 1, -1, -1):
        run = run + 1 if candidate[at] else 0
        last = at == len(spans) - 1
        heading = not last and (marked[at] or (0 < run <= 3 and _followed(found[-1], candidate[at + 1])))
        start, end = spans[at]
        leads = not last and (heading or (end - start <= HEADING_LIMIT and shown[end - 1] in ":：?？"))
        found.append(Block(start, end, heading, leads))
    return iter(found[::-1])


def _followed(after: Block, candidate: bool) -> bool:
    """Whether the block after a short line is text, or a heading itself (and no list of short lines to the end)."""
    return after.heading or not candidate


def _may_head(shown: str, span: Span) -> bool:
    """Whether a block reads like a heading: short, on one line, with a letter, no bullet, no final punctuation."""
    start, end = span
    if end - start > HEADING_LIMIT:
        return False
    line = shown[start:end]
    if NEWLINE.search(line) or _BULLET.match(line) or not any(char.isalpha() for char in line):
        return False
    return not line.rstrip(_CLOSERS + _EDGE).endswith(_FINAL)


def block_sentences(shown: str, block: Block) -> Iterator[Span]:
    """The sentences of one block in order, none longer than the limit; a heading is one sentence."""
    bounds = [(block.start, block.end)] if block.heading else _bounds(shown, block.start, block.end)
    for start, end in bounds:
        yield from _cut(shown, start, end)


def _bounds(shown: str, start: int, end: int) -> list[Span]:
    """Sentence spans of one block, trimmed. Blanks are taken out for nupunkt and its offsets are mapped back."""
    text = shown[start:end]
    places: Sequence[int] | None = None
    if BLANK in text:
        places = [at for at, char in enumerate(text) if char != BLANK]
        text = text.replace(BLANK, "")
    ends = _ends(text)
    found, position = [], start
    for stop in ends:
        place = start + (stop if places is None else places[stop - 1] + 1)
        span = _trim(shown, position, place)
        if span[0] < span[1]:
            found.append(span)
        position = place
    return found


def _ends(text: str) -> list[int]:
    """Where the sentences of one line or paragraph end, ascending; the last is the text's end."""
    stops = set(_stops(text)) if _END.search(text) else set()
    for before in (_BEFORE_QUOTE, _BEFORE_NOTES):
        stops |= {match.end() for match in before.finditer(text) if _ends_word(text, match.start())}
    stops |= {match.end() for match in _PLAIN.finditer(text) if match[1] not in _ABBREVIATED}
    stops |= {match.end() for match in _UNIT.finditer(text)}
    if not text.isascii():
        stops |= {match.end() for match in _FOREIGN_END.finditer(text)}
    stops.discard(0)
    stops.discard(len(text))
    kept: list[int] = []
    position = 0
    for stop in sorted(stops):
        if stop <= position:
            continue
        left = text[max(position, stop - 40) : stop].rstrip()
        notes = _NOTES.match(text, stop)
        end = notes.end() if notes else stop
        right = text[end : end + 80].lstrip()
        if right and not _joins(left, right, whole=stop - position <= 40):
            kept.append(end)
            position = end
    return [*kept, len(text)]


def _stops(text: str) -> Iterator[int]:
    """Sentence ends as nupunkt sees them.

    Runs of hundreds of characters without white space (data, encoded files) are kept from it: it takes quadratic time.
    """
    position = 0
    for run in _RUN.finditer(text):
        yield from (position + end for _, end in list(_tokenizer().span_tokenize(text[position : run.start()]))[:-1])
        position = run.end()
    yield from (position + end for _, end in _tokenizer().span_tokenize(text[position:]))


def _ends_word(text: str, place: int) -> bool:
    """Whether no initial ("J.") or the like stands before ``place``: two letters, a digit or a closing mark do."""
    before = text[max(0, place - 2) : place]
    return (before.isalpha() and len(before) == 2) or before[-1:].isdigit() or before[-1:] in tuple("%”)]’")


def _joins(left: str, right: str, *, whole: bool) -> bool:
    """Whether what nupunkt took for a sentence's end is none. ``whole``: left is all of the sentence so far."""
    if whole and _ENUMERATOR.match(left.lstrip()):
        return True
    if left.endswith(("!", "?")):
        return right[0].islower() and not right.startswith(("http", "www."))
    if not left.endswith("."):
        return False
    if _COUNTED.search(left):
        return right[0].isdigit()
    if _STREET.search(left) and (right[0] in _OPENERS or _NO_WORD.split(right, 1)[0].lower() in STOP_WORDS):
        return False
    if _ADDRESS.search(left):
        return right.lstrip(_OPENERS)[:1].isalnum()
    if _BEFORE_NAME.search(left) and _NAME.match(right):
        return True
    return right[0].islower() and _SHORTENED.search(left) is not None


@lru_cache(maxsize=1)
def _tokenizer() -> _Tokenizer:
    import nupunkt

    return cast(_Tokenizer, nupunkt.load("default"))


def _cut(shown: str, start: int, end: int) -> Iterator[Span]:
    """Pieces of a sentence, trimmed, none longer than the limit.

    A cut goes behind the last clause mark in the second half of the limit, else to the last white space or masked
    text, else between two characters that are not one for the eye.
    """
    while end - start > SENTENCE_LIMIT:
        limit = start + SENTENCE_LIMIT
        window = shown[start : limit + 1]
        clauses = [match.end() for match in _CLAUSE.finditer(window, SENTENCE_LIMIT // 2, SENTENCE_LIMIT)]
        if clauses:
            stop = start + clauses[-1]
        else:
            spaces = [match.start() for match in re.finditer(rf"[\s{BLANK}]", window)]
            stop = start + spaces[-1] if spaces else _between_graphemes(shown, start, limit)
        piece = _trim(shown, start, stop)
        if piece[0] < piece[1]:
            yield piece
        start = stop
        while start < end and shown[start] in _EDGE:
            start += 1
    if start < end:
        yield start, end


def _between_graphemes(shown: str, start: int, limit: int) -> int:
    """The last place up to ``limit`` where a cut parts no character; ``limit`` itself where there is none."""
    for place in range(limit, start, -1):
        if not _one_character(shown, place, start):
            return place
    return limit


def _one_character(text: str, place: int, start: int) -> bool:
    """Whether ``text[place - 1]`` and ``text[place]`` belong to one grapheme cluster.

    The rules of Unicode's UAX #29 that need no table: marks, joiners, emoji modifiers and tags, flags, Hangul, virama.
    """
    left, right = text[place - 1], text[place]
    if unicodedata.category(right) in ("Mn", "Mc", "Me") or right in "\u200c\u200d" or left == "\u200d":
        return True
    if "\U0001f3fb" <= right <= "\U0001f3ff" or "\U000e0020" <= right <= "\U000e007f":
        return True
    if unicodedata.combining(left) == 9 and right.isalpha():
        return True
    if "\u1100" <= left <= "\u11ff" and "\u1160" <= right <= "\u11ff":
        return True
    if "\U0001f1e6" <= right <= "\U0001f1ff":
        before = place
        while before > start and "\U0001f1e6" <= text[before - 1] <= "\U0001f1ff":
            before -= 1
        return (place - before) % 2 == 1
    return False
