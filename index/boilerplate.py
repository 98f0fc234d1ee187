"""Which spans of a document are no article text: promotion, navigation, repeated headers and footers.

They are masked, never deleted: offsets and text stay as they are. Only lines at a document's head or tail are looked
at, so that a sentence about newsletters in the body of an article is safe from these patterns.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from index.passage import Document, Span

EDGE = 12
"""Non-blank lines at each end of a document that are looked at."""
LINE_LIMIT = 160
"""Code points of a line that may be boilerplate."""
TITLE_LIMIT = 120
"""Code points a first line has at most if it is to be the title."""
REPEATED_DOCUMENTS = 3
REPEATED_SHARE = 0.3

_PAGE = re.compile(r"\W*(?:page )?\d{1,4}(?: ?(?:of|/) ?\d{1,4})?\W*$")
_LINE = re.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
_FINAL = tuple(".!?。！？")
_CLOSERS = "\"'”’»)]*_ \t"

# Patterns have to match a sentence of a line from its first letter to its last. They are invitations (an imperative
# with what it is for) and labels of navigation: a sentence that tells of newsletters and clicks is none.
_LEAD = r"[\s>»›→•|*#-]*"
_REST = r"[\s.!:>»›→…|*-]*$"
_LETTERS = r"(?:newsletters?|podcasts?|alerts?|(?:youtube )?channel|updates|mailing list|briefings?|digest|bulletin)"
_NETWORKS = (
    r"(?:twitter|x|facebook|instagram|linkedin|youtube|tiktok|threads|bluesky|google news|telegram|whatsapp|reddit"
    r"|pinterest|flipboard|mastodon)"
)
_KINDS = (
    r"(?:recent|related|latest|more|top|popular|trending|other|similar|recommended|most read|most popular|featured)"
    r" (?:stories|articles|posts|news|reads|headlines|reading|coverage|videos)(?: for you| you may like)?"
)
_MORE = r"(?:you (?:may|might) (?:also )?(?:like|enjoy)|recommended for you|what to read next|most read|trending now)"
_NEXT = r"(?:read next|up next|also read|read also|see also|read more|more on this(?: story| topic)?|continue reading)"
_SHARES = rf"(?:share|print|e-?mail|tweet|pin it|copy link|save|comments?|{_NETWORKS})"
_FOOTERS = (
    r"(?:about(?: us)?|contact(?: us)?|help|careers|advertise(?: with us)?|accessibility|sitemap|imprint|cookies?"
    r"|privacy|(?:privacy|cookie) (?:policy|notice|settings|preferences)"
    r"|terms(?: of (?:use|service)| (?:and|&) conditions)?)"
)
_PATTERNS = (
    # to subscribe, to register, to follow
    r"(?:please |don['’]t forget to |click here to )?(?:subscribe|sign[ -]?up|register)(?: now| today| here| for free)*"
    rf"(?:{_REST}| (?:to|for|and (?:get|receive))\b.*\b(?:{_LETTERS}|magazine|inbox|e-?mails?)\b.*|.* here{_REST})",
    r"(?:get|receive|have) .*\b(?:in|to|into) your (?:e-?mail )?inbox\b.*",
    r"(?:get|receive) (?:our|the|free|daily|weekly) .*\bnewsletters?\b.{0,40}",
    r"join (?:our|over|more than|thousands|millions|\d[\d,.]*k?\+?) "
    r".*\b(?:subscribers|readers|community|members|newsletter)\b.*",
    r"(?:read|trusted|loved) by .*\b(?:subscribers|readers|executives|professionals|leaders|investors|companies)\b.*",
    r"(?:discover|explore|get) (?:the )?(?:top|latest|best|more|all) "
    r".*\b(?:news|events|stories|headlines|articles)\b.{0,40}",
    rf"(?:our |free |daily |weekly )*newsletters? sign[ -]?up{_REST}",
    rf"(?:follow|like) us on\b.*|follow [\w .,'’@-]{{1,60}} on {_NETWORKS}\b.*",
    r"(?:download|get) (?:our|the) (?:free )?(?:mobile )?app\b.{0,60}",
    rf"(?:become an? (?:member|subscriber|supporter|patron)|log ?in){_REST}",
    r"already an? (?:member|subscriber)\b.{0,40}",
    r"support (?:our|independent) (?:work|journalism|reporting)\b.{0,80}",
    # where to go from here
    r"(?:read|see|view|show|load|browse) (?:more|all|next|previous)"
    r"(?: (?:articles?|stor(?:y|ies)|news|posts?|about this|here"
    rf"|below|from .{{1,40}}))*(?: click here)?{_REST}",
    rf"{_NEXT}(?:\s*[:>»→|].*|{_REST})",
    rf"(?:click|tap) (?:here|below)(?: (?:to|for) .{{1,80}})?{_REST}",
    rf"(?:previous|next|older|newer) (?:article|post|story|page|entry)s?(?:\s*[:>»→|].*|{_REST})",
    rf"(?:{_KINDS}|{_MORE}){_REST}",
    rf"(?:table of contents|in this article|skip to (?:main )?content|back to (?:top|home)|home ?[>»›|/] ?.*){_REST}",
    r"(?:share|print|e-?mail|tweet|save|bookmark|listen to) this (?:article|story|post|page)"
    rf"(?: (?:on|via|with|by) .{{1,60}})?{_REST}",
    rf"(?:share|tweet|like)(?: (?:this|it))? on {_NETWORKS}(?:[\s,|/]+(?:and |or )?{_NETWORKS})*{_REST}",
    rf"{_SHARES}(?:[\s|,/·•]+{_SHARES})+{_REST}",
    rf"(?:(?:leave|post|add|write) a (?:comment|reply)|\d+ comments?|comments? (?:\(\d+\)|closed|are closed)){_REST}",
    # advertising, consent, law
    r"(?:advertisements?|advertorial|sponsored (?:content|post)|ads by google|promoted content|paid post"
    rf"|(?:story|article) continues (?:after|below)(?: this)?(?: ad| advertisement)?){_REST}",
    r"(?:(?:this|our) (?:web ?)?site uses|(?:by (?:continuing|using|clicking)\b.{0,60})?we use) cookies\b.*",
    rf"(?:accept|manage|reject) (?:all )?cookies{_REST}",
    rf"{_FOOTERS}(?:\s*[|,/·•]\s*{_FOOTERS})+{_REST}",
    r"(?:©|\(c\)|copyright(?: ©| \(c\))?) ?(?:copyright )?(?:19|20)\d\d\b.{0,80}",
    r".{0,100}\ball rights reserved\b.{0,60}",
)
_PROMOTION = re.compile(rf"{_LEAD}(?:{'|'.join(_PATTERNS)})$", re.IGNORECASE)
_LISTING = re.compile(rf"{_LEAD}(?:{_KINDS}|{_MORE}|{_NEXT}){_REST}", re.IGNORECASE)
"""A line after which other articles are listed."""


def mask(documents: Sequence[Document]) -> list[Document]:
    """``documents`` in their order, each with its boilerplate masked and its title settled (see ``titled``).

    Looked at are the first and last ``EDGE`` lines, from the edge up to the first sentence of the article (a long
    line, or one with a final full stop that is no boilerplate itself); headline, byline and the like are passed over.
    There, a line is masked that matches a pattern of promotion or navigation or that stands at the same end of several
    files of its folder; so are the short lines that end a document after a line such as "Recent stories". A document
    that would lose half its text or more keeps all of it.
    """
    repeated = _repeated(documents)
    found = []
    for document in documents:
        lines = _lines(document)
        spans = _boilerplate(document, lines, repeated.get(_folder(document), frozenset()))
        if spans and 2 * _size(spans) < _size(lines):
            document = replace(document, masked=merged([*document.masked, *spans]))
        found.append(titled(document))
    return found


def titled(document: Document) -> Document:
    """``document`` with a title: its own, else its first unmasked line if that reads like one, else its file's name.

    A first line reads like a title if it has at most 120 characters, ends without full stop, question or exclamation
    mark, and text follows that is no continuation of it (no line of a hard-wrapped paragraph).
    """
    if document.title:
        return document
    lines = _lines(document)
    title = None
    if len(lines) > 1:
        (start, end), (following, _) = lines[0], lines[1]
        line = " ".join(_unmasked(document, start, end).split())
        blank_line = len(re.findall(r"\r\n|[\n\r\x85\u2028\u2029]", document.text[end:following])) > 1
        wraps = not blank_line and (document.hard_wrapped or document.text[following].islower())
        if (
            len(line) <= TITLE_LIMIT
            and not wraps
            and not line.rstrip(_CLOSERS).endswith(_FINAL)
            and re.search(r"[^\W_]", line)
        ):
            title = line
    return replace(document, title=title or document.doc_id.rsplit("/", 1)[-1])


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans sorted, with those that touch or overlap made one; empty ones are dropped."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return tuple(found)


def _lines(document: Document) -> list[Span]:
    """Lines that hold unmasked text, trimmed of white space."""
    found = []
    masks = iter([*document.masked, (len(document.text) + 1,) * 2])
    first, last = next(masks)
    for match in _LINE.finditer(document.text):
        line = match.group()
        start = match.start() + len(line) - len(line.lstrip())
        end = match.start() + len(line.rstrip())
        position, shown = start, False
        while position < end and not shown:
            if last <= position:
                first, last = next(masks)
            elif first <= position:
                position = min(last, end)
            else:
                shown = bool(document.text[position : min(first, end)].strip())
                position = min(first, end)
        if shown:
            found.append((start, end))
    return found


def _unmasked(document: Document, start: int, end: int) -> str:
    parts, position = [], start
    for first, last in document.masked:
        if last <= start:
            continue
        if first >= end:
            break
        parts.append(document.text[position : max(position, first)])
        position = max(position, last)
    parts.append(document.text[position:end])
    return "".join(parts)


def _zones(document: Document, lines: list[Span]) -> tuple[list[Span], list[Span]]:
    """The lines at head and tail that may be boilerplate, both from the edge inwards."""
    zones: list[list[Span]] = []
    for run in (lines[:EDGE], lines[: -EDGE - 1 : -1]):
        zone: list[Span] = []
        for span in run:
            if not _short(document, span) and not _matches(_PROMOTION, document, span):
                break
            zone.append(span)
        zones.append(zone)
    return zones[0], zones[1]


def _boilerplate(document: Document, lines: list[Span], repeated: frozenset[tuple[str, str]]) -> set[Span]:
    head, tail = _zones(document, lines)
    spans = {
        span
        for end, zone in (("head", head), ("tail", tail))
        for span in zone
        if _matches(_PROMOTION, document, span) or (end, _key(document, span)) in repeated
    }
    for number, span in enumerate(tail):
        if _matches(_LISTING, document, span):
            spans.update(tail[:number])
    return spans


def _matches(pattern: re.Pattern[str], document: Document, span: Span) -> bool:
    """Whether each sentence of a line matches."""
    if span[1] - span[0] > LINE_LIMIT:
        return False
    pieces = re.split(r"(?<=[.!?])\s+", _unmasked(document, *span).strip())
    return all(pattern.match(piece) for piece in pieces)


def _size(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def _short(document: Document, span: Span) -> bool:
    """Whether a line is no sentence of an article: a headline, byline, date, link."""
    line = _unmasked(document, *span).rstrip(_CLOSERS)
    return len(line) <= TITLE_LIMIT and not line.endswith(_FINAL)


def _key(document: Document, span: Span) -> str:
    """A line as it is compared between documents, "" if repetition says nothing of it.

    That is so of sentences, of bylines and of lines with numbers (dates, results): information, however often it stands
    there. Page numbers are compared without the number.
    """
    line = " ".join(_unmasked(document, *span).casefold().split())
    if _PAGE.match(line):
        return "page"
    if not _short(document, span) or re.search(
        r"\d|\b(?:by|author|editors?|reporting|reporters?|correspondent)\b", line
    ):
        return ""
    return line


def _folder(document: Document) -> str | None:
    """The folder over whose files repetition is counted; None for a line of a ``.jsonl`` file, which has no edges."""
    return None if ".jsonl#" in document.doc_id.lower() else document.doc_id.rpartition("/")[0]


def _repeated(documents: Sequence[Document]) -> dict[str | None, frozenset[tuple[str, str]]]:
    """By folder: (end, key) of the edge lines that stand in at least 3 and 30 % of its documents."""
    counts: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for document in documents:
        folder = _folder(document)
        if folder is None:
            continue
        sizes[folder] += 1
        zones = zip(("head", "tail"), _zones(document, _lines(document)), strict=True)
        counts[folder].update({(end, _key(document, span)) for end, zone in zones for span in zone})
    return {
        folder: frozenset(
            edge
            for edge, count in found.items()
            if edge[1] and count >= max(REPEATED_DOCUMENTS, REPEATED_SHARE * sizes[folder])
        )
        for folder, found in counts.items()
    }
