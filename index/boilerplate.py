"""Which spans of a document are no article text: promotion, navigation, notices, repeated headers and footers.

They are masked, never deleted: offsets and text stay as they are. Only lines at a document's head or tail are looked
at, so that a sentence about newsletters in the body of an article is safe from these patterns.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from index.passage import Document, Span

EDGE = 12
"""Non-blank lines at each end of a document that are looked at."""
SENTENCE_LIMIT = 160
"""Code points of a sentence that may be boilerplate."""
TITLE_LIMIT = 120
"""Code points a first line has at most if it is to be the title."""
REPEATED_DOCUMENTS = 3
REPEATED_SHARE = 0.3

_PAGE = re.compile(r"[-–—|\[( ]*page \d{1,4}(?: ?(?:of|/) ?\d{1,4})?[-–—|\]) ]*$")
_BARE_PAGE = re.compile(r"(?P<dash>[-–—] ?)?\d{1,3}(?: of \d{1,4})?(?(dash) ?[-–—])$")
"""A page number without the word: any short number may look so, hence this says nothing but at the very edge."""
_LINE = re.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
_FINAL = tuple(".!?。！？")
_CLOSERS = "\"'”’»)]*_ \t"
_SENTENCES = re.compile(r"(?<=[.!?])(?<!\b[A-WYZ]\.)\s+")
"""An initial ("J. Doe") ends no sentence; "X" is a network."""
_BARS = re.compile(r"(?<=\s)[|·•](?=\s)")

# Patterns have to match a sentence of a line from its first letter to its last. They are invitations (an imperative
# with what it is for), labels of navigation, and notices of law and credits: a sentence that tells of newsletters and
# clicks is none. What may stand before and after the keyword of an invitation is bounded, for a sentence goes on there:
# with a date, a clause, a speaker.
_LEAD = r"[\s>»›→•|*#-]*"
_REST = r"[\s.!:>»›→…|*-]*$"
_LETTERS = r"(?:newsletters?|podcasts?|alerts?|(?:youtube )?channel|updates|mailing list|briefings?|digest|bulletin)"
_NETWORKS = (
    r"(?:twitter|x|facebook|instagram|linkedin|youtube|tiktok|threads|bluesky|google news|telegram|whatsapp|reddit"
    r"|pinterest|flipboard|mastodon)"
)
_NEWS = r"(?:news|stories|headlines|articles|events|analysis|coverage|journalism|insights?|reads)\b"
_WORD = (
    r"(?:(?!(?:by|via|at|before|after|until|who|that|which|you|get|says?|said)\b)[^\s;:]*[^\s,;:] )"  # no new clause
)
_MAIL = rf"(?:{_LETTERS}|magazine|e-?mails?|your inbox)\b"
_MAILS = rf"{_WORD}{{0,6}}{_MAIL}(?:(?:,|,? (?:and|or|&)) {_WORD}{{0,3}}{_MAIL}){{0,3}}"
_ASKED = r"(?:please |don['’]t forget to |click here to )?"
_NOW = r"(?: now| today| here| for free)*"
_AFTER = (
    rf"(?:,? (?:now|today|here|below|for free|daily|weekly|on {_NETWORKS}"
    r"|(?:every|each) (?:\w+ )?(?:day|week|weekday|month|morning|evening)"
    r"|(?:(?:sent|delivered|straight|directly|right) )*(?:in|to|into) your inbox))*"
    r"(?:,? (?:(?:and|to) (?:get|receive|stay|keep|never|be the first|read|follow|support)"
    r"|for (?:the latest|more|free|daily|weekly|exclusive|breaking|all))\b"
    r"(?!.*, [^,]*\b(?:says?|said|urges?|urged|tells?|told|warns?|warned)\b)\D{0,80})?"
    rf"{_REST}"
)
"""What may follow the thing one is invited to: when, how, what for; no date and no speaker."""
_AUDIENCE = r"(?:subscribers|readers|executives|professionals|leaders|investors|companies)"
# No name is what stands between names, or there would be two ways to read each.
_CAPITAL = r"(?!(?:and|in|the|our)\b)(?-i:[^\W\d_a-z])[\w.'’&-]*"
_PARTICLES = r"(?:(?-i:de|del|van|von|der|den|bin|al|el|la) )*"
_NAME = rf"{_PARTICLES}{_CAPITAL}(?: {_PARTICLES}{_CAPITAL}){{0,3}}"
_NAMES = rf"{_NAME}(?:(?:,|,? and|,? &| in|/)(?: the| our)? ?{_NAME}(?: (?:newsroom|bureau))?){{0,9}}"
_CREDIT = (
    r"(?:additional |further )?(?:reporting|writing|editing|compiled|translated|graphics|production)"
    rf"(?: and (?:reporting|writing|editing))? by (?:the )?{_NAMES}"
)
_COPIED = (
    r"(?:published|republished|broadcast|rewritten|redistributed|distributed|reproduced|copied|reprinted|transmitted)"
)
_COPYING = r"(?:copying|reproduction|republication|redistribution|distribution|reprinting|duplication)"
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
    rf"{_ASKED}(?:subscribe|sign[ -]?up|register){_NOW}{_REST}",
    rf"{_ASKED}(?:subscribe|sign[ -]?up){_NOW} (?:to|for) (?:{_MAILS}{_AFTER}|{_WORD}{{1,6}}here{_REST})",
    rf"{_ASKED}(?:subscribe|sign[ -]?up|register){_NOW} (?:for|(?:and|to) (?:get|receive)) {_MAILS}{_AFTER}",
    rf"(?:get|receive|have) (?=.*\b(?:{_NEWS}|{_LETTERS}\b|(?:delivered|sent|straight|directly)\b))"
    rf"[^:;$€£]{{1,90}} (?:in|to|into) your (?:e-?mail )?inbox{_AFTER}",
    rf"(?:get|receive) (?:our|the|free|daily|weekly) {_WORD}{{0,5}}newsletters?{_AFTER}",
    rf"join (?:our|over|more than|thousands|millions|\d[\d,.]*k?\+?) {_WORD}{{0,5}}"
    rf"(?:subscribers|readers|community|members|{_LETTERS})"
    rf"(?: (?:of|to) (?:our|the|this) {_WORD}{{0,4}}{_MAIL}"
    rf"| of {_WORD}{{0,2}}(?:readers|subscribers|members|supporters|professionals)"
    rf"| who (?:already )?(?:get|receive|read|trust|subscribe|rely|start|enjoy|follow)\b[^,;:]{{0,60}})?{_AFTER}",
    rf"join (?:our|over|more than|thousands|millions|\d[\d,.]*k?\+?) {_WORD}{{0,5}}"
    rf"who (?:already )?(?:get|receive|read|subscribe to) {_MAILS}{_AFTER}",
    rf"(?:read|trusted|loved) by {_WORD}{{0,6}}{_AUDIENCE}(?:,? (?:and|&) {_WORD}{{0,2}}{_AUDIENCE})?(?: worldwide)?"
    rf"(?: (?:at|from|in|across|around|of|like) "
    rf"(?:[^,;:]{{1,60}}|{_NAMES}(?:,? and (?:many )?(?:more|others))?))?{_REST}",
    rf"(?:discover|explore|get) (?:the )?(?:top|latest|best|more|all) {_WORD}{{0,3}}{_NEWS}"
    rf"(?:(?:,|,? (?:and|&)) {_WORD}{{0,2}}{_NEWS}){{0,3}}(?: (?:from|on|about) [^,;:\d]{{1,40}})?{_AFTER}",
    rf"(?:our |free |daily |weekly )*newsletters? sign[ -]?up{_REST}",
    rf"(?:follow us on|like us on {_NETWORKS})\b.*",
    rf"follow [\w .,'’@-]{{1,60}} on {_NETWORKS}\b(?:,? (?:and |or )?(?:on )?{_NETWORKS}\b)*"
    rf"(?:[\s,:(]+(?:at )?(?:@|https?:|www\.).{{0,100}}|{_AFTER})",
    rf"(?:download|get) (?:our|the) (?:free )?(?:mobile )?app"
    rf"(?: (?:from|on|in) (?:the )?(?:app store|google play|ios|iphone|android)\b.{{0,40}})?{_AFTER}",
    rf"(?:become an? (?:member|subscriber|supporter|patron)|(?:log|sign) ?in{_NOW}){_REST}",
    rf"already an? (?:member|subscriber)(?:\?|[,:]? (?:log|sign)[ -]?in\b.{{0,30}})?{_REST}",
    rf"support (?:our|independent) (?:work|journalism|reporting){_NOW}"
    r"(?: (?:by (?:becoming|donating|subscribing|joining|making|giving|contributing)|with an?|from [$€£]"
    rf"|for (?:as little as|just|only)|and (?:become|subscribe|donate|join))\b[^,;:]{{0,60}})?{_REST}",
    # to send word
    r"(?:do you )?(?:have|got) (?:a|any) (?:news |story |confidential )?(?:tips?|story)(?: or (?:story )?ideas?)?"
    r"(?: (?:for us|to share|(?:about|on|out of) [^?]{1,50}))?\?",
    r"(?:please )?(?:(?:e-?mail|contact|reach|write to) (?:us|our (?:\w+ )?(?:newsroom|desk|editors|team|reporters)"
    rf"|the (?:reporter|newsroom)(?: {_NAME})?)"
    r"|send (?:us )?(?:your |a |any )?(?:news |story |confidential )?tips?"
    r"(?: (?:or|and) (?:story )?(?:ideas?|questions))?)"
    rf"(?: (?:at|on|via|to|by e-?mail))*:? [\w.+-]+@[\w.-]+(?:,? or .{{1,60}})?{_REST}",
    # where to go from here
    r"(?:read|see|view|show|load|browse) (?:more|all|next|previous)"
    r"(?: (?:articles?|stor(?:y|ies)|news|posts?|about this|here"
    rf"|below|from .{{1,40}}))*(?: click here)?{_REST}",
    rf"{_NEXT}(?:\s*[:>»→|].*|{_REST})",
    rf"(?:click|tap) (?:here|below)(?: (?:to|for) .{{1,120}})?{_REST}",
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
    r"(?:(?:this|our) (?:web ?)?site uses|(?:by (?:continuing|using|clicking)\b.{0,60})?we (?:and our partners )?use)"
    r" cookies\b.*",
    rf"(?:accept|manage|reject) (?:all )?cookies{_REST}",
    r"by (?:clicking|closing|continuing|(?:using|browsing|visiting) (?:this|our|the) (?:web ?)?(?:site|page|service))\b"
    r".{0,60}\byou (?:agree|consent|accept)(?: to| with)? (?:the |our |their |its |all |this )*"
    r"(?:use|storing|storage|placing|processing|cookies?|terms|conditions|privacy|policy|policies)\b.{0,80}",
    r"you can (?:change|manage|update|withdraw) your (?:cookie |privacy )?(?:settings|preferences|choices|consent)\b"
    r".{0,40}",
    rf"(?:read|see|view) our (?:privacy|cookie) (?:policy|notice)(?: (?:for|to) .{{1,40}})?{_REST}",
    rf"{_FOOTERS}(?:\s*[|,/·•]\s*{_FOOTERS})+{_REST}",
    r"(?:©|(?:\(c\)|copyright (?:©|\(c\))) ?(?:copyright )?(?:19|20)\d\d\b).{0,80}",
    r"copyright (?:19|20)\d\d(?: ?[-–] ?(?:19|20)?\d\d)?,?"
    rf"(?: (?:by )?(?:the )?{_CAPITAL}(?: (?:and|of|the|for|&|{_CAPITAL})){{0,7}}\.| (?:by|the) {_NAMES}"
    rf"|.{{0,60}} (?:ltd|inc|llc|plc|gmbh|corp)\.?)?{_REST}",
    r".{0,100}\ball rights reserved\b.{0,60}",
    r"(?:(?:this|the|our) (?:material|content|article|story|report|publication) (?:may not|must not|cannot)"
    rf"|no part of (?:this|the|our) [\w ]{{1,30}} (?:may|can)) be {_COPIED}"
    rf"(?:(?:(?:,|,? (?:or|and)) {_COPIED})+|(?=,? (?:without|in whole|in part|in any form|except)\b))"
    rf"(?:,? (?:without|in whole|in part|in any form|except)\b.{{0,90}})?{_REST}",
    rf"(?:any |unauthori[sz]ed )*{_COPYING}(?:(?:,|,? (?:or|and)) {_COPYING})*"
    r"\b(?=.*\b(?:permission|consent|in whole|in part)\b).{0,80}"
    r"\b(?:is|are) (?:strictly |expressly )?(?:prohibited|forbidden)\b.{0,80}",
    # who wrote it, as agencies put it below
    rf"(?:{_CREDIT}\.|\({_CREDIT}\)|\(?{_CREDIT}(?:[;,] ?{_CREDIT}){{1,5}}\)?){_REST}",
    rf"(?:the )?{_NAMES} contributed to this (?:report|story|article){_REST}",
    r"the post\b.{1,200} appeared first on .{1,80}",
    rf"our standards: the [\w ]{{1,40}} (?:principles|standards|guidelines|code){_REST}",
)
_LISTING = re.compile(rf"{_LEAD}(?:{_KINDS}|{_MORE}|{_NEXT}){_REST}", re.IGNORECASE)
"""A line after which other articles are listed."""


@cache
def _promotion() -> re.Pattern[str]:
    """A line, or a sentence of one, that is an invitation, a notice or a credit; made when indexing needs it."""
    return re.compile(rf"{_LEAD}(?:{'|'.join(_PATTERNS)})$", re.IGNORECASE)


def mask(documents: Sequence[Document]) -> list[Document]:
    """``documents`` in their order, each with its boilerplate masked and its title settled (see ``titled``).

    Looked at are the first and last ``EDGE`` lines, from the edge up to the first sentence of the article (a long
    line, or one with a final full stop that is no boilerplate itself); headline, byline and the like are passed over.
    There, a line is masked that matches a pattern of promotion, navigation or notice, or that stands at the same end of
    several articles of its folder (copies of one count once); so are the short lines that end a document after a line
    such as "Recent stories". A document that would lose half its text or more keeps all of it.
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
            if not _short(document, span) and not _matches(_promotion(), document, span):
                break
            zone.append(span)
        zones.append(zone)
    return zones[0], zones[1]


def _boilerplate(document: Document, lines: list[Span], repeated: frozenset[tuple[str, str]]) -> set[Span]:
    head, tail = _zones(document, lines)
    spans = {
        span
        for end, zone in (("head", head), ("tail", tail))
        for span, key in zip(zone, _keys(document, zone), strict=True)
        if _matches(_promotion(), document, span) or (end, key) in repeated
    }
    for number, span in enumerate(tail):
        if _matches(_LISTING, document, span):
            spans.update(tail[:number])
    return spans


def _matches(pattern: re.Pattern[str], document: Document, span: Span) -> bool:
    """Whether each sentence of a line matches, as a whole or in each of its pieces between bars."""

    def told(piece: str) -> bool:
        return len(piece) <= SENTENCE_LIMIT and pattern.match(piece) is not None

    return all(
        told(sentence) or (len(pieces := _BARS.split(sentence)) > 1 and all(map(told, pieces)))
        for sentence in _SENTENCES.split(_unmasked(document, *span).strip())
    )


def _size(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def _short(document: Document, span: Span) -> bool:
    """Whether a line is no sentence of an article: a headline, byline, date, link."""
    line = _unmasked(document, *span).rstrip(_CLOSERS)
    return len(line) <= TITLE_LIMIT and not line.endswith(_FINAL)


def _keys(document: Document, zone: list[Span]) -> list[str]:
    """The lines of a zone as they are compared between documents."""
    return [_key(document, span, outermost=not number) for number, span in enumerate(zone)]


def _key(document: Document, span: Span, *, outermost: bool) -> str:
    """A line as it is compared between documents, "" if repetition says nothing of it.

    That is so of sentences, of bylines and of lines with numbers (dates, results): information, however often it stands
    there. Page numbers are compared without the number, each way of writing them by itself; one without the word is
    taken for such only if no line lies beyond it.
    """
    line = " ".join(_unmasked(document, *span).casefold().split())
    if _PAGE.match(line) or (outermost and _BARE_PAGE.match(line)):
        return re.sub(r"\d+", "0", line)
    if not _short(document, span) or re.search(
        r"\d|\b(?:by|author|editors?|reporting|reporters?|correspondent)\b", line
    ):
        return ""
    return line


def _folder(document: Document) -> str | None:
    """The folder over whose files repetition is counted; None for a line of a ``.jsonl`` file, which has no edges."""
    return None if ".jsonl#" in document.doc_id.lower() else document.doc_id.rpartition("/")[0]


def _repeated(documents: Sequence[Document]) -> dict[str | None, frozenset[tuple[str, str]]]:
    """By folder: (end, key) of the edge lines that stand in at least 3 and 30 % of its articles.

    Copies of one article are one article here, or its headline would be a repeated line.
    """
    edges: dict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
    for document in documents:
        folder = _folder(document)
        if folder is None:
            continue
        lines = _lines(document)
        zones = _zones(document, lines)
        article = _body(document, lines, {*zones[0], *zones[1]})
        ends = zip(("head", "tail"), zones, strict=True)
        edges[folder, article].update((end, key) for end, zone in ends for key in _keys(document, zone))
    counts: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for (folder, _), found in edges.items():
        counts[folder].update(found)
        sizes[folder] += 1
    return {
        folder: frozenset(
            edge
            for edge, count in found.items()
            if edge[1] and count >= max(REPEATED_DOCUMENTS, REPEATED_SHARE * sizes[folder])
        )
        for folder, found in counts.items()
    }


def _body(document: Document, lines: list[Span], edges: set[Span]) -> int:
    """A number that copies of one article share: of its three longest lines that are no long promotion at its edges."""
    kept = (span for span in lines if span not in edges or _short(document, span))
    longest = sorted(kept, key=lambda span: span[0] - span[1])[:3]
    return hash(tuple(document.text[start:end] for start, end in longest))
