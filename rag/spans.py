"""The neural reader: a network's logits for every token of every passage -> scored spans of the passages.

The network was trained with one softmax over all passages of a question, as in "Simple and Effective Multi-Paragraph
Reading Comprehension" (Clark & Gardner 2018), so that scores compare between passages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.passage import Hit, Passage, Span
from index.tokens import tokenize
from rag.bounds import trimmed
from rag.quotable import parts_words, same_list, shown, stretches
from rag.reader import ScoredSpan
from rag.shape import wanted

MAX_SPAN = 30
"""Tokens of the longest span."""
RETRIEVAL = 1.0
"""What a unit of fused score, less than the question's best passage has, takes from the logits of a passage's spans."""
KEPT = 20
"""Spans kept of a passage before overlapping ones are removed."""
_AMOUNT = re.compile(r"\W{0,2}[A-Z]{0,3}\W?\d")
"""How an amount begins: 500, $500, US$500, "500"."""

Floats = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one text as the network sees it: ``ids`` int64 (tokens,) of question and stretch together.

    ``first`` is the position in ``ids`` of the stretch's first token, ``offsets`` int64 (n, 2) are the half-open code
    points in the text of its n tokens; ``text`` is the text's number.
    """

    text: int
    ids: npt.NDArray[np.int64]
    first: int
    offsets: Offsets

    @property
    def stretch(self) -> npt.NDArray[np.int64]:
        """The ids of the stretch's tokens alone, int64 (n,)."""
        return self.ids[self.first : self.first + len(self.offsets)]


class Network(Protocol):
    """``identity`` names the weights and their hash."""

    identity: str

    def windows(self, question: str, texts: Sequence[str]) -> list[Window]:
        """Cover each text by one window or more."""
        ...

    def logits(self, windows: Sequence[Window]) -> Sequence[Floats | None]:
        """For each window float32 (1 + n, 2): start and end logits of no answer, then of each of its n tokens.

        None for a window that was left half-read, because it promises nothing; never for all of them.
        """
        ...


class SpanReader:
    """Spans by a network's logits, inside one sentence, never over masked words, cut at sensible bounds.

    Where a question wants several things and the network a stretch over several items of a list, each item of that list
    is a span, all of one score.
    """

    def __init__(self, network: Network, name: str) -> None:
        """``name`` is what the user chose."""
        self._network = network
        self.name = name
        self.identity = network.identity

    def read(self, question: str, hits: Sequence[Hit]) -> list[ScoredSpan]:
        """Spans of all hits, best first, ties by passage_id and start; none overlaps a better one of its passage
        or says nothing without it.

        The score is the mean of the span's start and end logits, less the same of no answer in its passage, plus
        ``RETRIEVAL`` times what the passage's fused score is above the best one's (so: less, but for the best).
        Signal: ``margin``, the span's start + end logits less those of no answer in its passage.
        """
        windows = self._network.windows(question, [hit.passage.text for hit in hits])
        lists = wanted(question) == "list"
        top = max((hit.score for hit in hits), default=0.0)
        found: dict[tuple[int, int, int], tuple[float, float, Span]] = {}
        for window, logits in zip(windows, self._network.logits(windows), strict=True):
            if logits is None:
                continue
            hit = hits[window.text]
            null = float(logits[0].sum())
            for start, end, sentence, value in _candidates(hit, window, logits[1:], lists=lists):
                score = (value - null) / 2 + RETRIEVAL * (hit.score - top)
                key = (window.text, start, end)
                if key not in found or found[key][0] < score:
                    found[key] = (score, value - null, sentence)
        return _scored(hits, found)


def best_span(logits: Floats) -> tuple[int, int, float]:
    """First and last of the n tokens of the best span, and its margin; ``logits`` (1 + n, 2), no answer first.

    Wherever it lies: sentences, masks and bounds are not looked at. Without tokens the last one is -1, the margin -inf.
    """
    tokens = logits[1:]
    if not len(tokens):
        return 0, -1, -np.inf
    sums = tokens[:, 0][:, None] + tokens[:, 1][None, :]
    reach = np.arange(len(tokens))[None, :] - np.arange(len(tokens))[:, None]
    best = int(np.where((reach >= 0) & (reach < MAX_SPAN), sums, -np.inf).argmax())
    start, end = divmod(best, len(tokens))
    return start, end, float(sums[start, end] - logits[0].sum())


def _candidates(hit: Hit, window: Window, logits: Floats, *, lists: bool) -> list[tuple[int, int, Span, float]]:
    """The best spans of a window as (start, end, sentence, start + end logit), in document offsets.

    With ``lists`` one over several items of a list is every item of it.
    """
    passage = hit.passage
    offsets = window.offsets + passage.start
    bounds = stretches(passage)
    list_of = np.array(same_list(passage, bounds) if lists else range(len(bounds)), np.int64)
    stretch_of = _stretch_of(offsets, [stretch for stretch, _ in bounds], passage)
    usable = np.flatnonzero(stretch_of >= 0)
    if not len(usable):
        return []
    offsets, logits, stretch_of = offsets[usable], logits[usable], stretch_of[usable]
    firsts = np.arange(len(usable))[:, None]
    lasts = firsts + np.arange(min(MAX_SPAN, len(usable)))
    inside = np.minimum(lasts, len(usable) - 1)
    allowed = (lasts == inside) & (list_of[stretch_of[inside]] == list_of[stretch_of[firsts]])
    values = np.where(allowed, logits[firsts, 0] + logits[inside, 1], -np.inf).ravel()
    kept = np.argpartition(values, -min(KEPT, len(values)))[-KEPT:]
    text = shown(passage)
    spans = []
    for place in kept[np.isfinite(values[kept])]:
        first, more = divmod(int(place), lasts.shape[1])
        last = first + more
        span = int(offsets[first, 0]), int(offsets[last, 1])
        one = stretch_of[first] == stretch_of[last]
        for number in [stretch_of[first]] if one else np.flatnonzero(list_of == list_of[stretch_of[first]]):
            stretch, sentence = bounds[number]
            start, end = trimmed(text, passage.start, span if one else stretch, stretch)
            if start < end:
                spans.append((start, end, sentence, float(values[place])))
    return spans


def _stretch_of(offsets: Offsets, stretches: Sequence[Span], passage: Passage) -> npt.NDArray[np.int64]:
    """For each token the number of the stretch it lies in, -1 if it lies in none or touches a mask that parts."""
    if not stretches:
        return np.full(len(offsets), -1)
    bounds = np.array(stretches)
    number = np.searchsorted(bounds[:, 0], offsets[:, 0], "right") - 1
    inside = (number >= 0) & (offsets[:, 1] <= bounds[np.maximum(number, 0), 1]) & (offsets[:, 1] > offsets[:, 0])
    for start, end in passage.masked:
        if parts_words(passage, (start, end)):
            inside &= (offsets[:, 1] <= start) | (offsets[:, 0] >= end)
    return np.where(inside, number, -1)


def _scored(hits: Sequence[Hit], found: dict[tuple[int, int, int], tuple[float, float, Span]]) -> list[ScoredSpan]:
    order = sorted(found.items(), key=lambda item: (-item[1][0], hits[item[0][0]].passage.passage_id, item[0][1]))
    taken: dict[int, list[Span]] = {}
    spans = []
    for (number, start, end), (score, margin, sentence) in order:
        better = taken.setdefault(number, [])
        passage = hits[number].passage
        if not any(
            (first < end and start < last) or _leads(passage, (start, end), (first, last)) for first, last in better
        ):
            better.append((start, end))
            spans.append(ScoredSpan(hits[number], start, end, sentence, score, {"margin": margin}))
    return spans


def _leads(passage: Passage, span: Span, better: Span) -> bool:
    """Whether ``span`` says nothing without the better one beside it: "the", or "around" before "$500 billion"."""
    first, second = sorted((span, better))
    between = passage.text[first[1] - passage.start : second[0] - passage.start]
    if second[0] < first[1] or between.strip(" ."):  # "approx. 500"
        return False
    words, beside = (passage.text[start - passage.start : end - passage.start] for start, end in (span, better))
    plain = words.islower() or (words.istitle() and any(span[0] == start for start, _ in passage.sentences))
    qualifies = span < better and words.isalpha() and plain and _AMOUNT.match(beside) is not None
    return qualifies or not tokenize(words)
