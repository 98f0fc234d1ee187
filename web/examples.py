"""Questions to begin with, drawn from the corpus: each is made from a sentence that stands in it and answers it."""

import re
from collections.abc import Iterator

from index.search import Index

SENTENCES = 4000
"""About how many sentences are looked at, spread over the corpus: the first page must not wait for a large one."""
_LONGEST = 240

# One capitalised word at the head of a sentence may be any word; several, or one like "OpenAI", are a name.
_NAME = r"(?:[A-Z][\w&-]*(?: [A-Z][\w&-]*){1,3}|[A-Z][a-z]*[A-Z]\w*)"
_THING = rf"(?P<thing>(?:The|An?) (?:[\w-]+ ){{0,4}}[\w-]+|{_NAME}|[A-Z][\w&-]*['’]s(?: [a-z][\w-]*){{1,2}})"
_PERSON = r"(?P<thing>[A-Z][a-z]+ (?:[A-Z]\. )?[A-Z][a-z]+)"
_MONEY = r"(?:about |around |nearly |almost |more than |up to )?(?:US|A|C)?[$€£¥]\s?\d"
_NUMBER = r"(?:about |around |nearly |almost |more than |by )*(?:US|A|C)?[$€£¥]?\d"
_MOVES = {"gained": "gain", "rose": "rise", "fell": "fall", "grew": "grow", "shrank": "shrink", "dropped": "drop"}
_OPINIONS = {"thinks": "think", "believes": "believe", "expects": "expect", "reckons": "reckon", "warns": "warn of"}
_TIMES = {"opens": "open", "starts": "start", "begins": "begin", "ends": "end", "closes": "close"}
_COUNTS = {"employs": "employ", "carries": "carry", "produces": "produce", "serves": "serve", "operates": "operate"}
_BASE = _MOVES | _OPINIONS | _TIMES | _COUNTS


def _any(words: dict[str, str]) -> str:
    return f"(?P<do>{'|'.join(words)})"


_PATTERNS = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (rf"{_THING} costs? {_MONEY}", "How much does {thing} cost?"),
        (rf"{_THING} is worth {_MONEY}", "How much is {thing} worth?"),
        (rf"{_THING} lasts ", "How long does {thing} last?"),
        (rf"{_PERSON}, (?:who (?:runs|heads|leads|founded|chairs|owns|is) |(?:the |its )?chief )", "Who is {thing}?"),
        (rf"{_THING} (?P<be>was|were) (?P<done>built|opened|founded|closed|launched) in ", "When {be} {thing} {done}?"),
        (rf"{_THING} {_any(_MOVES)} {_NUMBER}", "By how much did {thing} {do}?"),
        (rf"{_THING} {_any(_COUNTS)} {_NUMBER}[\d.,]*(?: (?:thousand|million|billion))? (?P<what>[a-z]+)",
         "How many {what} does {thing} {do}?"),
        (rf"{_THING} {_any(_TIMES)} (?:on|in|at) ", "When does {thing} {do}?"),
        (rf"(?P<thing>{_NAME}) {_any(_OPINIONS)} ", "What does {thing} {do}?"),
        (rf"{_THING} will (?P<do>buy|invest|spend|pay|raise|build) {_MONEY}", "How much will {thing} {do}?"),
    )
)  # fmt: skip
_POINTS = re.compile("It|He|She|They|We|I|You|This|That|These|Those|There|Here|But|And|If|When|Its|His|Her|Their|Not")


def example_questions(index: Index, wanted: int = 4) -> list[str]:
    """Up to ``wanted`` questions, of as many kinds and from as many documents as there are; perhaps none."""
    kinds: dict[int, list[tuple[str, str]]] = {}
    for doc_id, sentence in _sentences(index):
        for kind, (pattern, form) in enumerate(_PATTERNS):
            match = pattern.match(sentence)
            if match and not _POINTS.fullmatch(match["thing"].split()[0]):
                words = {name: _BASE.get(word, word) for name, word in match.groupdict().items()}
                words["thing"] = re.sub(r"^(The|An?) ", lambda article: article[0].lower(), words["thing"])
                kinds.setdefault(kind, []).append((doc_id, form.format(**words)))
    chosen: list[str] = []
    used: set[str] = set()
    for again in (False, True):
        for kind in sorted(kinds):
            fresh = [(doc, q) for doc, q in kinds[kind] if q not in chosen and (again or doc not in used)]
            if fresh and len(chosen) < wanted:
                used.add(fresh[0][0])
                chosen.append(fresh[0][1])
    return chosen


def _sentences(index: Index) -> Iterator[tuple[str, str]]:
    """Document ids and sentences of passages taken at even steps from first to last."""
    for row in range(0, len(index), max(1, len(index) * 4 // SENTENCES)):
        passage = index.passage(row)
        for start, end in passage.sentences:
            if end - start <= _LONGEST and not any(a < end and start < b for a, b in passage.masked):
                yield passage.doc_id, passage.between(start, end)
