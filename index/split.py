"""Document -> Passages: whole sentences up to a token budget, every offset exact."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from index.passage import Document, Passage, Span
from index.sentences import (
    NEWLINE,
    SENTENCE_LIMIT,
    Block,
    blanked,
    block_sentences,
    blocks,
    joined,
)

BUDGET = 110
"""Tokens of a passage, unless asked otherwise."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Sentences that stay together (headings with the sentence after them); ``bound`` ranks the break before it."""

    sentences: tuple[Span, ...]
    tokens: int
    bound: int


def split(
    document: Document,
    count_tokens: Callable[[list[str]], list[int]],
    budget: int = BUDGET,
    first_id: int = 0,
) -> list[Passage]:
    """Passages of ``document`` in ascending order, with ids from ``first_id`` on; every sentence is in one of them.

    ``count_tokens`` gives the number of tokens of each text and is called once, with all sentences. A passage holds
    at most ``budget`` tokens unless its one sentence, with the headings over it, has more. When the next sentence
    does not fit, the break goes to the last heading in the passage, else to the last paragraph bound, if at least
    half the budget lies before it.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} tokens")
    shown = blanked(document)
    found = list(blocks(document, shown))
    by_block = [list(block_sentences(shown, block)) for block in found]
    texts = [joined(shown, span) for spans in by_block for span in spans]
    counts = count_tokens(texts) if texts else []
    if len(counts) != len(texts):
        raise ValueError(f"{len(counts)} token counts for {len(texts)} sentences")
    units = _units(found, by_block, counts, budget)
    passages = []
    for number, group in enumerate(_fill(units, budget), start=first_id):
        spans = tuple(span for unit in group for span in unit.sentences)
        start, end = spans[0][0], spans[-1][1]
        masked = document.masked_in(start, end)
        passages.append(Passage(number, document.doc_id, start, end, document.text[start:end], spans, masked))
    return passages


def search_text(document: Document, passage: Passage) -> str:
    """What an encoder or BM25 is to see of ``passage``: its sentences without masked text.

    Sentences are joined by one space, or by one newline where a line (of a hard-wrapped file: a paragraph) ended.
    """
    shown = blanked(document, passage.start, passage.end)
    parts: list[str] = []
    before = passage.start
    for start, end in passage.sentences:
        if parts:
            ends = len(NEWLINE.findall(document.text, before, start))
            parts.append("\n" if ends > int(document.hard_wrapped) else " ")
        parts.append(joined(shown, (start - passage.start, end - passage.start)))
        before = end
    return "".join(parts)


def _units(blocks: list[Block], by_block: list[list[Span]], counts: list[int], budget: int) -> list[_Unit]:
    """Sentences in reading order, those of headings (up to half a budget) glued to the sentence after them."""
    units: list[_Unit] = []
    held: list[Span] = []
    held_tokens = held_bound = at = 0
    for block, spans in zip(blocks, by_block, strict=True):
        for number, span in enumerate(spans):
            tokens = max(1, counts[at])
            at += 1
            bound = 0 if number else (2 if block.heading else 1)
            full = held_tokens + tokens > budget and held_tokens > budget / 2
            if held and (full or span[0] - held[-1][1] > SENTENCE_LIMIT):
                units.append(_Unit(tuple(held), held_tokens, held_bound))
                held, held_tokens = [], 0
            if not held:
                held_bound = bound
            held.append(span)
            held_tokens += tokens
            if not block.leads:
                units.append(_Unit(tuple(held), held_tokens, held_bound))
                held, held_tokens = [], 0
    if held:
        units.append(_Unit(tuple(held), held_tokens, held_bound))
    return units


def _fill(units: list[_Unit], budget: int) -> Iterator[list[_Unit]]:
    """Groups of units, each a passage; see ``split`` for the rules."""
    group: list[_Unit] = []
    for unit in units:
        while group and _too_much(group, unit, budget):
            place = _break(group, unit, budget)
            yield group[:place]
            group = group[place:]
        group.append(unit)
    if group:
        yield group


def _too_much(group: list[_Unit], unit: _Unit, budget: int) -> bool:
    gap = unit.sentences[0][0] - group[-1].sentences[-1][1]
    return sum(held.tokens for held in group) + unit.tokens > budget or gap > SENTENCE_LIMIT


def _break(group: list[_Unit], unit: _Unit, budget: int) -> int:
    """Where in ``group`` the passage ends (its length: before ``unit``)."""
    if unit.sentences[0][0] - group[-1].sentences[-1][1] > SENTENCE_LIMIT:
        return len(group)
    best = (unit.bound, len(group))
    before = 0
    for place, held in enumerate(group):
        if before >= budget / 2:
            best = max(best, (held.bound, place))
        before += held.tokens
    return best[1]
