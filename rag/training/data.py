"""Questions and passages as the reader learns from them: token ids, where the answer stands, what stands nowhere.

All places where an answer's words stand count as right (training takes the marginal likelihood over them), because the
offsets of the training set are recomputed and not all right. An example without a place is one that the passage
does not answer: its target is [CLS].
"""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from index.errors import InputError
from index.passage import Span

CLS, SEP = 101, 102
MAX_TOKENS = 320
MAX_QUESTION = 64
STORY_TOKENS = 220
_WORD = re.compile(r"\w+")
_STORY_SENTENCE = re.compile(r"[^\n]+?(?:[.!?][\"'”’]*(?=\s)|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question with the paragraph it was asked of; ``spans`` are the places of its answers in ``paragraph``."""

    question_id: str
    article: int
    paragraph_id: int
    question: str
    paragraph: str
    answers: tuple[str, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """``[CLS] question [SEP] passage [SEP]``: ``ids`` int32, ``first`` the index of the first passage token.

    ``starts`` and ``ends`` are the first and last token of every right span, pairwise, ascending; empty for an
    example without an answer.
    """

    ids: NDArray[np.int32]
    first: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]


Group = tuple[Example, ...]
"""The passages of one question. A group of one is a question with the passage given."""


class Tokens:
    """The embedded model's tokenizer; remembers the passages it has seen."""

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json`` of the embedded model's folder."""
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._seen: dict[str, Encoding] = {}

    def passage(self, text: str) -> Encoding:
        """Tokens of a passage without special ones; offsets are code points of ``text``."""
        if text not in self._seen:
            self._seen[text] = self._tokenizer.encode(text, add_special_tokens=False)
        return self._seen[text]

    def example(self, question: str, passage: str, spans: Sequence[Span], most: int = MAX_TOKENS) -> Example | None:
        """Build an example of at most ``most`` tokens; None when ``spans`` holds places but the cut keeps none."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION]
        encoding = self.passage(passage)
        first = len(asked) + 2
        kept = encoding.ids[: most - first - 1]
        pairs = sorted(
            {
                (first + pair[0], first + pair[1])
                for start, end in spans
                if (pair := token_span(encoding, start, end)) is not None and pair[1] < len(kept)
            }
        )
        if spans and not pairs:
            return None
        ids = np.array([CLS, *asked, SEP, *kept, SEP], dtype=np.int32)
        return Example(ids, first, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def token_span(encoding: Encoding, start: int, end: int) -> tuple[int, int] | None:
    """First and last token of the characters start:end, or None where there are none."""
    first, last = encoding.char_to_token(start), encoding.char_to_token(end - 1)
    return None if first is None or last is None else (first, last)


def occurrences(text: str, answer: str) -> tuple[Span, ...]:
    """Places of ``answer`` in ``text``, ascending, disjoint, case kept, never beginning or ending inside a word."""
    words = answer.strip()
    found: list[Span] = []
    start = text.find(words) if words else -1
    while start >= 0:
        end = start + len(words)
        if not _joined(text, start) and not _joined(text, end):
            found.append((start, end))
        start = text.find(words, end)
    return tuple(found)


def _joined(text: str, place: int) -> bool:
    """Whether the characters on both sides of ``place`` belong to one word."""
    return 0 < place < len(text) and bool(_WORD.match(text[place - 1]) and _WORD.match(text[place]))


def read_squad(path: Path) -> list[Question]:
    """Read a SQuAD file, in its order; ``paragraph_id`` counts paragraphs. Raises InputError for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        questions = []
        paragraph_id = -1
        for article, entry in enumerate(content["data"]):
            for paragraph in entry["paragraphs"]:
                paragraph_id += 1
                text = paragraph["context"]
                for qa in paragraph["qas"]:
                    answers = tuple(dict.fromkeys(answer["text"] for answer in qa["answers"]))
                    spans = {span for answer in answers for span in occurrences(text, answer)}
                    if not spans:
                        spans = {(a["answer_start"], a["answer_start"] + len(a["text"])) for a in qa["answers"]}
                    questions.append(
                        Question(
                            qa["id"], article, paragraph_id, qa["question"].strip(), text, answers, tuple(sorted(spans))
                        )
                    )
        return questions
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a folder that holds squad11_train/squad.json") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a SQuAD file ({error!r}); give one in SQuAD's JSON layout") from error


def fingerprint(paths: Iterable[Path], more: Iterable[str] = ()) -> str:
    """sha256 over the texts of ``more`` and the bytes of the files, in order, hexadecimal."""
    digest = hashlib.sha256()
    for text in more:
        digest.update(text.encode("utf-8"))
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def holds(text: str, answers: Iterable[str]) -> bool:
    """Whether one of the answers stands in ``text``, whatever its case and word bounds."""
    folded = text.lower()
    return any(answer.lower() in folded for answer in answers)


class Neighbours:
    """Finds the paragraph of the same article that looks most like the answer to a question and is not."""

    def __init__(self, questions: Sequence[Question]) -> None:
        """Count the words of every paragraph that a question was asked of."""
        self._articles: dict[int, dict[int, str]] = {}
        for question in questions:
            self._articles.setdefault(question.article, {})[question.paragraph_id] = question.paragraph
        self._words = {
            number: frozenset(_WORD.findall(text.lower()))
            for paragraphs in self._articles.values()
            for number, text in paragraphs.items()
        }
        counts = Counter(word for words in self._words.values() for word in words)
        # A word of every tenth paragraph is no content word; in a corpus too small to tell, all words count.
        limit = max(len(self._words) / 10, 20)
        self._common = {word for word, count in counts.items() if count > limit}

    def nearest(self, question: Question) -> str | None:
        """The paragraph that shares most content words with the question and holds none of its answers, or None."""
        asked = set(_WORD.findall(question.question.lower())) - self._common
        best, most = None, -1
        for number, text in self._articles[question.article].items():
            shared = len(asked & self._words[number])
            if shared > most and number != question.paragraph_id and not holds(text, question.answers):
                best, most = text, shared
        return best


def story_window(tokens: Tokens, question: Question, draw: random.Random) -> tuple[str, tuple[Span, ...]] | None:
    """Cut whole sentences around one place of the answer out of a long story, at most STORY_TOKENS with the question.

    The window grows to either side by chance, so that answers stand anywhere in it. None when even the
    sentences of the answer are too long.
    """
    place = draw.choice(question.spans)
    sentences = [match.span() for match in _STORY_SENTENCE.finditer(question.paragraph)]
    inside = [n for n, (start, end) in enumerate(sentences) if start < place[1] and place[0] < end]
    if not inside:
        return None
    room = STORY_TOKENS - 3 - len(tokens.passage(question.question).ids)
    sizes = [len(tokens.passage(question.paragraph[start:end]).ids) for start, end in sentences]
    low, high = inside[0], inside[-1]
    used = sum(sizes[low : high + 1])
    if used > room:
        return None
    while True:
        sides = [n for n in (low - 1, high + 1) if 0 <= n < len(sentences) and used + sizes[n] <= room]
        if not sides:
            break
        chosen = draw.choice(sides)
        used += sizes[chosen]
        low, high = min(low, chosen), max(high, chosen)
    start, end = sentences[low][0], sentences[high][1]
    spans = tuple((a - start, b - start) for a, b in question.spans if start <= a and b <= end)
    return question.paragraph[start:end], spans
