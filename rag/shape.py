"""What shape of answer a question wants: a few words, several items, or a whole clause; and spans of that shape.

A reader finds words. Where the text lists several items together they become one quote, and a reason or a statement
gets its clause: both are still one stretch of one sentence.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Literal

from index.passage import Span
from rag.bounds import trimmed
from rag.evidence import Group
from rag.normal import enumerated, wording
from rag.quotable import STOPS, shown, stretches
from rag.reader import ScoredSpan

Shape = Literal["words", "list", "clause"]
ITEM_LEAD = 2.0
"""How far below the best item's mass (a logarithm) another item of a list may lie."""
MAX_ITEMS = 10
CLAUSE_WORDS = 4
"""A span of so many words or more says enough for a reason or a statement as it is."""

# Words in -s that are no plural beside "which": of one thing, or before the noun that is asked for ("sports team").
_SINGULAR = (
    r"\w*(?:ss|us|is)|alias|arms|athletics|atlas|canvas|customs|does|economics|electronics|gas|has|headquarters|lens|"
    r"mathematics|means|news|physics|politics|sales|savings|series|species|sports|statistics|was"
)
_PLURAL = rf"(?!(?:{_SINGULAR})\b)(?:(?-i:[a-z])\w+s|people|men|women|children|media|data)\b(?!['’]s\b)"
_COUNT = r"(?:two|three|four|five|six|seven|eight|nine|ten|\d+|other|various|different|main|major|some)"
_OWNER = r"(?:the\s+)?(?:(?-i:[A-Z])[\w.&-]*\s+){0,3}[\w.&-]+(?:['’]s|s['’])"
_PLURAL_VERB = r"(?:are|were|do|did|have|had|can|could|will|would|should|may|might|must)\b"
_OPENING = r"(?:^|[.,;:?!—–]\s)\W{0,3}(?:(?:in|of|from|to|with|for|at|on|by|through|under|about|against|between)\s+)?"
_SEVERAL = re.compile(
    rf"{_OPENING}which\s+(?:{_COUNT}\s+){{0,2}}{_PLURAL}(?!\s+(?:is|was)\b)"
    rf"|{_OPENING}which\s+(?-i:[A-Z])[\w.&-]*\s+{_PLURAL}"
    r"(?!\s+(?:the|an?|its|his|her|their|all|every|no|any|how|that)\b)"
    rf"|\bwhat\s+(?:{_COUNT}\s+){{1,2}}{_PLURAL}"
    rf"|\bwhat\s+{_PLURAL}\s+(?:of\b[^?]*\s)?(?:does|has|{_PLURAL_VERB})"
    rf"|{_OPENING}(?:which|what)\s+(?!{_PLURAL_VERB})\w+\s+{_PLURAL}\s+{_PLURAL_VERB}"
    rf"|\b(?:who\s+(?:are|were)\s+(?:all\s+)?(?:(?:the|some|{_OWNER})\s+)?"
    rf"|what\s+(?:are|were)\s+(?:all\s+)?(?:the|some|{_COUNT}|{_OWNER})\s+)"
    rf"(?:{_COUNT}\s+)*(?:\w+\s+)?{_PLURAL}(?![^?]*\b(?:called|for|from|like|of|worth)\W*$)"
    rf"|^\s*(?:list|enumerate)\b|^\s*name\s+(?:all|the|some|{_COUNT})\s+(?:\w+\s+){{0,2}}{_PLURAL}",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"^\W*why\b|\bhow come\b"
    r"|\b(?:for what|what (?:is|was|were|are) the)(?: \w+){0,3} (?:reason|reasons|motive|rationale)\b"
    r"|^\W*what\s+(?:do|does|did|has|have)\s+[^?]*\b(?:say|said|claim|claimed|argue|argued|warn|warned|announce|"
    r"announced|explain|explained)\b(?:\s+(?:about|of|on|to)\b[^?]*)?\W*$",
    re.IGNORECASE,
)
_JOINT = re.compile(
    r"\s*(?:,|&|,?\s*\b(?:and|or|as well as|along with|plus)\b)\s*(?:(?:the|a|an|both|then|also)\s+)?", re.IGNORECASE
)
_BREAK = re.compile(r"[;:]\s|\s[—–-]\s|—|,[\"”’]?\s+")
_COPULA = re.compile(r"(?:is|are|was|were)\s+(?:that\s+)?")
_CAUSE = re.compile(
    r"\b(?:because(?: of)?|due to|owing to|thanks to|on account of|so that|so as to|in order to|in that|given that|"
    r"since|as a result of)\b|\bfor(?=\s+[a-z]+ing\b)"
    r"|\bto(?=\s+(?!(?:as|the|an?|its|their|his|her)\b)[a-z]+\b)",
    re.IGNORECASE,
)


def wanted(question: str) -> Shape:
    """The shape that the question's wording asks for."""
    if _CLAUSE.search(question):
        return "clause"
    return "list" if _SEVERAL.search(question) else "words"


def likeness(question: str) -> Callable[[str], Hashable]:
    """What two answers to ``question`` have in common that say the same: their items or their wording."""
    return enumerated if wanted(question) == "list" else wording


def shaped(question: str, spans: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    """The spans, in their order, in the shape that ``question`` wants; none overlaps a better one of its passage."""
    shape = wanted(question)
    if shape == "words":
        return list(spans)
    kept: list[ScoredSpan] = []
    for found in spans:
        span = _clause(found) if shape == "clause" else _enumeration(found, spans)
        if not any(_overlap(span, other) for other in kept):
            kept.append(span)
    return kept


def items(groups: Sequence[Group]) -> list[Group]:
    """The groups that are items of one list, ``groups[0]`` first: near it in mass, no wording inside another's.

    Nor is one that enumerates only what those before it say in all. Whole sentences are no items beside it; a line
    without a full stop is no sentence here (bullets have none).
    """
    found: list[Group] = []
    said: list[str] = []
    told: set[str] = set()
    for group in groups:
        if group.mass < groups[0].mass - ITEM_LEAD or len(found) == MAX_ITEMS:
            break
        best = group.spans[0]
        words = f" {wording(best.text)} "
        whole = (best.start, best.end) == best.sentence and best.text.endswith(STOPS)
        known = told.issuperset(enumerated(best.text)) or any(words in other or other in words for other in said)
        if not found or not (whole or known):
            found.append(group)
            said.append(words)
            told.update(enumerated(best.text))
    return found


def _overlap(span: ScoredSpan, other: ScoredSpan) -> bool:
    same = span.hit.passage.passage_id == other.hit.passage.passage_id
    return same and span.start < other.end and other.start < span.end


def _enumeration(span: ScoredSpan, spans: Sequence[ScoredSpan]) -> ScoredSpan:
    """The span with the neighbours of its sentence that nothing but commas, "and" or "or" separates from it."""
    low, high = _stretch(span)
    neighbours = [
        other
        for other in spans
        if other.hit.passage.passage_id == span.hit.passage.passage_id
        and low <= other.start
        and other.end <= high
        and abs(other.score - span.score) <= 2 * ITEM_LEAD
    ]
    start, end, before = span.start, span.end, None
    while before != (start, end):
        before = start, end
        for other in neighbours:
            if other.end <= start and _JOINT.fullmatch(span.hit.passage.between(other.end, start)):
                start = other.start
            elif other.start >= end and _JOINT.fullmatch(span.hit.passage.between(end, other.start)):
                end = other.end
    return replace(span, start=start, end=end)


def _clause(span: ScoredSpan) -> ScoredSpan:
    """The span, or the clause around it where it is but a few words."""
    if len(span.text.split()) >= CLAUSE_WORDS:
        return span
    passage = span.hit.passage
    low, high = _stretch(span)
    text = passage.between(low, high)
    at, stop = span.start - low, span.end - low
    first = max((match.end() for match in _BREAK.finditer(text) if match.end() <= at), default=0)
    last = min((match.start() for match in _BREAK.finditer(text) if match.start() >= stop), default=len(text))
    if copula := _COPULA.match(text, first, at):  # its subject stands before the break
        first = copula.end()
    causes = [match.start() for match in _CAUSE.finditer(text) if first <= match.start() <= at]
    first = max(causes, default=first)
    start, end = trimmed(shown(passage), passage.start, (low + first, low + last), (low, high))
    return replace(span, start=start, end=end) if start <= span.start and span.end <= end else span


def _stretch(span: ScoredSpan) -> Span:
    """What a quote around ``span`` may cover; its sentence, where a reader quotes masked words (whole sentences)."""
    for (low, high), _ in stretches(span.hit.passage):
        if low <= span.start and span.end <= high:
            return low, high
    return span.sentence
