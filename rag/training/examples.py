"""What each phase of the recipe learns from, in the order it learns it: a function of the data and the seed alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.passage import Document
from index.sentences import sentences
from index.tokens import tokenize
from rag.training.data import Group, Neighbours, Question, Tokens, fingerprint, read_squad, story_window

STAGE_1_QUESTIONS = 40_000
"""Questions that the weights of ``--init`` have learnt: the first so many after ``random.seed(0)`` and a shuffle."""
HELD_OUT = 500
UNANSWERABLE_SHARE = 0.12
STORIES = 400
NEWS = Path(__file__).with_name("news.json")
"""Articles and questions written for this project, in SQuAD's layout: reports whose figures and names compete, asked in
other words than theirs. A quarter of the questions has no answer in its article."""
NEWS_HELD = 14
"""Of so many articles of news the last is learnt by no phase."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The training sets as read; ``sha256`` covers the bytes of their files."""

    squad: tuple[Question, ...]
    stories: tuple[Question, ...]
    news: tuple[Question, ...]
    sha256: str


def read_sources(folder: Path) -> Sources:
    """Read ``squad11_train/squad.json`` and, where it stands, ``fairytaleqa_train/squad.json`` below ``folder``.

    NEWS is read from this package.
    """
    squad, stories = folder / "squad11_train" / "squad.json", folder / "fairytaleqa_train" / "squad.json"
    present = [squad, *([stories] if stories.is_file() else []), NEWS]
    read = {path: tuple(read_squad(path)) for path in present}
    return Sources(read[squad], read.get(stories, ()), read[NEWS], fingerprint(present))


def split_news(news: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Return (questions to learn, questions held out), by whole articles."""
    held = [question for question in news if question.article % NEWS_HELD == NEWS_HELD - 1]
    return [question for question in news if question.article % NEWS_HELD < NEWS_HELD - 1], held


def split_questions(questions: Sequence[Question], learnt: int) -> tuple[list[Question], list[Question]]:
    """Return (questions not learnt yet, questions held out), in the shuffled order that stage 1 used.

    The last HELD_OUT (at most a tenth) are learnt by no phase.
    """
    order = list(questions)
    random.Random(0).shuffle(order)  # noqa: S311
    held = min(HELD_OUT, len(order) // 10)
    return order[learnt : len(order) - held], order[len(order) - held :]


def overlaps(questions: Sequence[Question]) -> dict[str, float]:
    """By question id, the share of a question's words (stems, stop words dropped) in the sentence that answers it.

    Of several such sentences the one that shares most; 0 for a question of stop words alone.
    """
    words: dict[int, list[tuple[int, int, frozenset[str]]]] = {}
    found = {}
    for question in questions:
        if question.paragraph_id not in words:
            bounds = sentences(Document(str(question.paragraph_id), question.paragraph))
            words[question.paragraph_id] = [(a, b, frozenset(tokenize(question.paragraph[a:b]))) for a, b in bounds]
        asked = frozenset(tokenize(question.question))
        beside = [
            len(asked & stems)
            for a, b, stems in words[question.paragraph_id]
            if any(start < b and a < end for start, end in question.spans)
        ]
        found[question.question_id] = max(beside, default=0) / max(1, len(asked))
    return found


def least_alike(questions: Sequence[Question], share: float) -> list[Question]:
    """The ``share`` of the questions that share fewest words with what answers them, in their order."""
    alike = overlaps(questions)
    kept = sorted(questions, key=lambda question: alike[question.question_id])[: round(share * len(questions))]
    ids = {question.question_id for question in kept}
    return [question for question in questions if question.question_id in ids]


def given_passage(
    sources: Sources,
    tokens: Tokens,
    seed: int,
    learnt: int,
    most: int | None = None,
    *,
    last: bool = False,
    share: float = 1.0,
) -> list[Group]:
    """Phase A: questions with their passage, near passages without the answer, and stories, shuffled together.

    ``learnt`` questions are left out (see ``split_questions``), and all but the ``share`` of the rest that is least
    like its answers' sentences. ``most`` bounds the number of groups: the first ones of the order or, with ``last``,
    the last, which a phase that ran out of time has not seen.
    """
    draw = random.Random(f"given-passage {seed}")  # noqa: S311
    fresh, held = split_questions(sources.squad, learnt)
    if share < 1.0:
        fresh = least_alike(fresh, share)
    plans: list[tuple[str, Question]] = [("paragraph", question) for question in fresh]
    kept_out = {question.question_id for question in held}
    others = [question for question in sources.squad if question.question_id not in kept_out]
    plans += [("near", question) for question in draw.sample(others, int(UNANSWERABLE_SHARE * len(fresh)))]
    plans += [("story", question) for question in draw.sample(sources.stories, min(STORIES, len(sources.stories)))]
    draw.shuffle(plans)
    neighbours = Neighbours(sources.squad)
    groups: list[Group] = []
    if most is not None:
        plans = plans[max(0, len(plans) - most) :] if last else plans[:most]
    for kind, question in plans:
        passage: str | None = question.paragraph
        spans = question.spans
        if kind == "near":
            passage, spans = neighbours.nearest(question), ()
        elif kind == "story":
            # A draw of its own: the window does not depend on what came before it.
            window = story_window(tokens, question, random.Random(f"story {seed} {question.question_id}"))  # noqa: S311
            passage, spans = window if window else (None, ())
        example = tokens.example(question.question, passage, spans) if passage else None
        if example is not None:
            groups.append((example,))
    return groups
