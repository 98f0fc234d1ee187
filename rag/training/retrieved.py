"""Phase B: each question with passages as the splitter cuts them and the sparse retriever ranks them.

The corpus is the training set's own paragraphs, each a document. A question gets the passage that answers it and
hard negatives: hits without its answer. A share of the questions is made unanswerable, as users ask them too:
the passages with an answer taken away, or a name or number of the question changed for another of its article that the
paragraph does not mention (compare Rajpurkar et al. 2018, arXiv:1806.03822, whose writers did so by hand).
"""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.minilm import token_counts
from index.passage import Document, Passage
from index.sparse import Sparse
from index.split import split
from index.tokens import tokenize
from rag.training.data import CLS, SEP, Example, Group, Question, Tokens, fingerprint, holds, occurrences

PASSAGES = 4
HITS = 8
"""Hits that negatives are drawn from: the nearest that cannot be right. When it answers, the reader is given more
(``rag.copies.READ``)."""
_SPARE = 8
"""Hits looked at, twice those drawn from and so many more: some may be right."""
UNANSWERABLE = 0.25
NEWS_PASSES = 2
UNANSWERABLE_NEWS = 1 / 6
"""Share of the news whose answers are taken away, beside the quarter that has none by its writing."""
CHANGED = 0.3
"""Share of the unanswerable ones whose question is changed, where it can be."""
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w.,]*\d)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]*[a-z](?: [A-Z][\w-]*[a-z])*")


class Passages:
    """The paragraphs of ``questions``, split into passages and indexed; rows are passage ids."""

    def __init__(self, questions: Sequence[Question], size: int = PASSAGES, hits: int = HITS) -> None:
        """Split and index every paragraph once. Groups are of ``size`` passages, drawn from so many ``hits``."""
        self._size, self._hits = size, hits
        self._passages: list[Passage] = []
        self._articles: dict[str, int] = {}
        self._of: dict[int, list[Passage]] = {}
        self._names: dict[tuple[int, str], set[str]] = {}
        for question in {question.paragraph_id: question for question in questions}.values():
            document = Document(str(question.paragraph_id), question.paragraph)
            new = split(document, token_counts, first_id=len(self._passages))
            self._passages.extend(new)
            self._of[question.paragraph_id] = new
            self._articles[document.doc_id] = question.article
            for kind, match in _changeable(question.paragraph):
                self._names.setdefault((question.article, kind), set()).add(match[0])
        self._sparse = Sparse.build([tokenize(passage.text) for passage in self._passages])

    def group(
        self, question: Question, tokens: Tokens, draw: random.Random, unanswerable: float = UNANSWERABLE
    ) -> Group | None:
        """Build a question's passages; None where the splitter cut its answer apart or too few passages are found.

        A question that has no answer gets the hits that are nearest to it.
        """
        if not question.answers:
            return self._build(question, question.question, tokens, draw, [], labelled=False)
        gold = [
            passage
            for passage in self._of[question.paragraph_id]
            if any(passage.start <= start and end <= passage.end for start, end in question.spans)
        ]
        if not gold:
            return None
        answerable = draw.random() >= unanswerable
        if answerable:
            return self._build(question, question.question, tokens, draw, gold, labelled=True)
        changed = self._changed(question, draw) if draw.random() < CHANGED else None
        if changed is not None:
            return self._build(question, changed[0], tokens, draw, gold, labelled=False, named=changed[1])
        return self._build(question, question.question, tokens, draw, [], labelled=False)

    def _build(
        self,
        question: Question,
        asked: str,
        tokens: Tokens,
        draw: random.Random,
        gold: Sequence[Passage],
        *,
        labelled: bool,
        named: str | None = None,
    ) -> Group | None:
        """Take one of ``gold``, the one ranked best, and draw the rest from the hits that cannot be right."""
        rows, _ = self._sparse.search(tokenize(asked), 2 * self._hits + _SPARE)
        ranked = [self._passages[int(row)] for row in rows]
        chosen = [passage for passage in ranked if passage in gold][:1] or list(gold[:1])
        hits = [passage for passage in ranked if self._wrong(passage, question, named, taken=not gold)][: self._hits]
        wanted = self._size - len(chosen)
        if len(hits) < wanted:
            return None
        chosen += draw.sample(hits, wanted)
        group: list[Example] = []
        for passage in chosen:
            spans = [place for answer in question.answers for place in occurrences(passage.text, answer)]
            right = labelled and passage.doc_id == str(question.paragraph_id)
            example = tokens.example(asked, passage.text, spans if right else ())
            if example is None:
                return None
            group.append(example)
        if labelled and not any(example.starts for example in group):
            return None
        return tuple(group)

    def _wrong(self, passage: Passage, question: Question, named: str | None, *, taken: bool) -> bool:
        """Whether a hit surely does not answer.

        A passage of the same article with the answer's words may answer after all; elsewhere they stand by chance,
        unless every passage with an answer is to be ``taken`` away. A changed question may be answered by a
        passage of the article that holds the name changed into.
        """
        near = self._articles[passage.doc_id] == question.article
        if named is not None:
            return not (passage.doc_id == str(question.paragraph_id) or (near and holds(passage.text, [named])))
        return not ((near or taken) and holds(passage.text, question.answers))

    def _changed(self, question: Question, draw: random.Random) -> tuple[str, str] | None:
        """The question with one name or number changed, and what it was changed into; None where nothing fits."""
        places = list(_changeable(question.question))
        draw.shuffle(places)
        for kind, match in places:
            others = sorted(
                other
                for other in self._names.get((question.article, kind), ())
                if not holds(question.paragraph, [other]) and not holds(question.question, [other])
            )
            if others:
                other = draw.choice(others)
                return question.question[: match.start()] + other + question.question[match.end() :], other
        return None


def _changeable(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Years, other numbers, and names inside a sentence, with their kinds; names of one, two, more words differ."""
    for match in _NUMBER.finditer(text):
        yield ("year" if len(match[0]) == 4 and match[0].isdigit() else "number"), match
    for match in _NAME.finditer(text):
        yield f"name {min(match[0].count(' '), 2)}", match


def retrieved_groups(
    pool: Sequence[Question],
    corpus: Sequence[Question],
    tokens: Tokens,
    seed: int,
    count: int,
    unanswerable: float = UNANSWERABLE,
    cache: Path | None = None,
) -> list[Group]:
    """Groups as of ``drawn_groups``, with passages of ``corpus``'s paragraphs.

    With ``cache``, a folder, the groups are kept there, by data, code and arguments.
    """
    kept = None
    if cache is not None:
        # Whole questions: an answer, its places or its paragraph may change while the question stays.
        key = fingerprint(code_files(), map(repr, chain([seed, count, unanswerable], pool, ["corpus"], corpus)))
        kept = cache / f"groups-{key[:16]}.npz"
        if kept.is_file():
            return load_groups(kept)
    groups = drawn_groups(pool, Passages(corpus), tokens, seed, count, unanswerable)
    if kept is not None:
        save_groups(kept, groups)
    return groups


def drawn_groups(
    pool: Sequence[Question], passages: Passages, tokens: Tokens, seed: int, count: int, unanswerable: float
) -> list[Group]:
    """Groups of ``count`` questions drawn from ``pool``, in drawn order."""
    draw = random.Random(f"retrieved {seed}")  # noqa: S311
    drawn = draw.sample(pool, min(count, len(pool)))
    return [group for question in drawn if (group := passages.group(question, tokens, draw, unanswerable))]


def news_groups(
    news: Sequence[Question],
    tokens: Tokens,
    seed: int,
    count: int | None = None,
    size: int = PASSAGES,
    hits: int = HITS,
) -> list[Group]:
    """NEWS_PASSES draws of ``count`` of the learnt articles' questions (default: all), the first by ``seed``."""
    passages = Passages(news, size, hits)  # of the learnt articles alone: what is held out is no negative either
    count = len(news) if count is None else count
    draws = range(seed, seed + NEWS_PASSES)
    return [group for draw in draws for group in drawn_groups(news, passages, tokens, draw, count, UNANSWERABLE_NEWS)]


def code_files() -> list[Path]:
    """The code that groups are a function of, beside the data: what is kept of them is of no use when it changes."""
    indexing = [Path(split.__code__.co_filename).with_name(f"{name}.py") for name in _CODE]
    return [Path(__file__), Path(__file__).with_name("data.py"), *indexing]


_CODE = ("split", "sentences", "sparse", "tokens", "minilm")


def save_groups(path: Path, groups: Sequence[Group]) -> None:
    """Write groups as flat arrays, by an atomic rename: each question and each passage once, as token ids in a row."""
    examples = [example for group in groups for example in group]
    arrays = {
        "spans": np.array([len(example.starts) for example in examples], np.int32),
        "starts": np.array([place - e.first for e in examples for place in e.starts], np.int32),
        "ends": np.array([place - e.first for e in examples for place in e.ends], np.int32),
        "groups": np.array([len(group) for group in groups], np.int32),
    }
    asked = [example.ids[1 : example.first - 1] for example in examples]
    for name, texts in (("question", asked), ("passage", [example.ids[example.first : -1] for example in examples])):
        numbers: dict[bytes, int] = {}
        rows = [numbers.setdefault(ids.astype(np.uint16).tobytes(), len(numbers)) for ids in texts]
        arrays[name] = np.array(rows, np.int32)
        arrays[f"{name}_ids"] = np.frombuffer(b"".join(numbers), np.uint16)
        arrays[f"{name}_lengths"] = np.array([len(ids) // 2 for ids in numbers], np.int32)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def load_groups(path: Path) -> list[Group]:
    """The inverse of ``save_groups``."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    questions, passages = (
        _parts(arrays[f"{name}_ids"].astype(np.int32), arrays[f"{name}_lengths"]) for name in ("question", "passage")
    )
    cls, sep = np.array([CLS], np.int32), np.array([SEP], np.int32)
    examples = []
    for question, passage, a, b in zip(
        arrays["question"],
        arrays["passage"],
        _parts(arrays["starts"], arrays["spans"]),
        _parts(arrays["ends"], arrays["spans"]),
        strict=True,
    ):
        first = len(questions[question]) + 2
        ids = np.concatenate([cls, questions[question], sep, passages[passage], sep])
        examples.append(Example(ids, first, tuple((a + first).tolist()), tuple((b + first).tolist())))
    flow = iter(examples)
    return [tuple(next(flow) for _ in range(size)) for size in arrays["groups"]]


def _parts(values: NDArray[np.int32], lengths: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """``values`` cut into parts of so many each; what would be behind the last is empty and left out."""
    return np.split(values, np.cumsum(lengths))[:-1]
