"""What the reader learns from: places of answers, shares kept and held out, retrieved passages, the news."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from index.minilm import model_folder, token_counts
from index.passage import Document
from index.split import split
from rag.training import examples, retrieved
from rag.training import reader as command
from rag.training.data import CLS, SEP, Neighbours, Question, Tokens, occurrences, read_squad, story_window
from rag.training.examples import (
    NEWS,
    NEWS_HELD,
    given_passage,
    least_alike,
    overlaps,
    read_sources,
    split_news,
    split_questions,
)
from rag.training.retrieved import Passages, load_groups, retrieved_groups, save_groups
from tests.towns import write_towns


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(model_folder())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_towns(tmp_path)


def test_occurrences_stop_at_the_bounds_of_words() -> None:
    assert occurrences("cat, category, cat", "cat") == ((0, 3), (15, 18))
    assert occurrences("a cost of $38", " $38 ") == ((10, 13),)
    assert occurrences("in 1990s", "1990") == ()


def test_gold_tokens_are_the_tokens_of_every_occurrence(tokens: Tokens) -> None:
    text = "Beyoncé sang; then Beyoncé left for $38 billion."
    built = tokens.example("Who sang?", text, [*occurrences(text, "Beyoncé"), *occurrences(text, "$38 billion")])
    assert built is not None
    offsets = tokens.passage(text).offsets
    pairs = [(a - built.first, b - built.first) for a, b in zip(built.starts, built.ends, strict=True)]
    found = [text[offsets[a][0] : offsets[b][1]] for a, b in pairs]
    assert found == ["Beyoncé", "Beyoncé", "$38 billion"]
    assert built.ids[0] == CLS
    assert built.ids[built.first - 1] == built.ids[-1] == SEP


def test_an_example_whose_answer_is_cut_off_is_none(tokens: Tokens) -> None:
    text = "word " * 60 + "Paris"
    spans = occurrences(text, "Paris")
    assert tokens.example("Where?", text, spans, most=40) is None
    shortened = tokens.example("Where?", text, (), most=40)
    assert shortened is not None
    assert len(shortened.ids) == 40


def test_held_out_and_learnt_questions_are_left_out(data: Path, tokens: Tokens) -> None:
    sources = read_sources(data)
    fresh, held = split_questions(sources.squad, 10)
    assert (len(sources.squad), len(fresh), len(held)) == (40, 26, 4)
    groups = given_passage(sources, tokens, seed=0, learnt=10)
    assert len(groups) == 26 + 3
    assert sum(not group[0].starts for group in groups) == 3
    again = given_passage(sources, tokens, seed=0, learnt=10, most=2, last=True)
    assert [group[0].ids.tolist() for group in again] == [group[0].ids.tolist() for group in groups[-2:]]


@pytest.mark.parametrize("phase", ["a", "b", "c", "d"])
def test_what_is_held_out_is_learnt_by_no_phase(
    phase: str, data: Path, tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The towns' questions are so alike that one changed for another town is one that was asked: none is changed.
    monkeypatch.setattr(retrieved, "CHANGED", 0.0)
    # All that may be learnt is, so that nothing is missing by chance.
    monkeypatch.setattr(command, "ALIKE_SHARE", 1.0)
    monkeypatch.setattr(examples, "UNANSWERABLE_SHARE", 1.0)
    options = command._parser().parse_args(["--data", str(data), "--out", str(tmp_path), "--work", str(tmp_path)])
    sources = read_sources(data)
    sources = replace(sources, news=tuple(q for q in sources.news if q.article < 2 * NEWS_HELD))
    _, held = split_questions(sources.squad, 0)
    news, held_news = split_news(sources.news)
    assert held
    assert held_news

    groups = command._groups(phase, options, sources, tokens, learnt=0)
    asked = {tuple(example.ids[1 : example.first - 1]) for group in groups for example in group}
    assert {tuple(tokens.passage(q.question).ids) for q in sources.squad if q not in held} <= asked
    assert not asked & {tuple(tokens.passage(q.question).ids) for q in [*held, *held_news]}

    def beginnings(questions: list[Question]) -> set[tuple[int, ...]]:
        """Twenty tokens of each passage, which are one passage's alone."""
        texts = {q.paragraph: None for q in questions}
        cut = (part for text in texts for part in split(Document("x", text), token_counts, first_id=0))
        return {tuple(tokens.passage(part.text).ids[:20]) for part in cut}

    read = {tuple(example.ids[example.first : -1][:20]) for group in groups for example in group}
    assert bool(read & beginnings(news)) is (phase == "d")
    assert not read & beginnings(held_news)


def test_questions_that_share_fewest_words_with_their_answers_sentence() -> None:
    text = "The bridge was opened by the queen in 1931. Trams have crossed the bridge since."

    def asked(name: str, question: str, answer: str) -> Question:
        return Question(name, 0, 0, question, text, (answer,), occurrences(text, answer))

    # Stems without stop words: bridge, open; since, monarch, inaugurate; cross, bridge (the other sentence's bridge).
    same = asked("same", "When was the bridge opened?", "1931")
    other = asked("other", "Since when do monarchs inaugurate?", "1931")
    half = asked("half", "What crossed the river?", "Trams")
    assert overlaps([same, other, half]) == {"same": 1.0, "other": 0.0, "half": 0.5}
    assert [q.question_id for q in least_alike([same, other, half], 2 / 3)] == ["other", "half"]


def test_a_share_of_the_questions_is_kept(data: Path, tokens: Tokens) -> None:
    sources = read_sources(data)
    whole = given_passage(sources, tokens, seed=0, learnt=0)
    part = given_passage(sources, tokens, seed=0, learnt=0, share=0.5)
    assert sum(bool(group[0].starts) for group in part) == round(0.5 * sum(bool(group[0].starts) for group in whole))


def test_the_nearest_paragraph_holds_no_answer(data: Path) -> None:
    questions = read_sources(data).squad
    near = Neighbours(questions).nearest(questions[0])
    assert near is not None
    assert "1400" not in near
    assert "Tarn" in near


def test_a_story_window_is_whole_sentences_around_the_answer(tokens: Tokens) -> None:
    story = "\n".join(f"On day {n} the fox ran far. Then it slept for {n} hours." for n in range(100, 180))
    spans = occurrences(story, "152 hours")
    question = Question("q", 0, 0, "How long did it sleep?", story, ("152 hours",), spans)
    window = story_window(tokens, question, random.Random(0))
    assert window is not None
    text, places = window
    assert [text[a:b] for a, b in places] == ["152 hours"]
    assert text.endswith(".")
    assert len(tokens.passage(text).ids) <= 220


def test_retrieved_groups(data: Path, tokens: Tokens, tmp_path: Path) -> None:
    questions = read_sources(data).squad
    passages = Passages(questions)
    draw = random.Random(0)
    answerable = [passages.group(question, tokens, draw, unanswerable=0.0) for question in questions]
    assert all(group is not None and sum(bool(e.starts) for e in group) == 1 for group in answerable)
    without = [group for question in questions if (group := passages.group(question, tokens, draw, unanswerable=1.0))]
    assert without
    assert not any(example.starts for group in without for example in group)
    save_groups(tmp_path / "g.npz", without)
    for kept, group in zip(load_groups(tmp_path / "g.npz"), without, strict=True):
        assert [e.ids.tolist() for e in kept] == [e.ids.tolist() for e in group]
        assert [(e.first, e.starts, e.ends) for e in kept] == [(e.first, e.starts, e.ends) for e in group]
    save_groups(tmp_path / "none.npz", [])
    assert load_groups(tmp_path / "none.npz") == []


def test_groups_are_kept_by_all_that_they_are_made_of(data: Path, tokens: Tokens, tmp_path: Path) -> None:
    questions = list(read_sources(data).squad)
    first, rest = questions[0], questions[1:]
    changes = [
        replace(first, answers=("1400", "in 1400")),
        replace(first, spans=((0, 3),)),
        replace(first, paragraph=first.paragraph + " It is closed."),
    ]
    cache = tmp_path / "cache"
    cache.mkdir()

    def kept(pool: list[Question], corpus: list[Question]) -> int:
        retrieved_groups(pool, corpus, tokens, 0, 2, cache=cache)
        return len(list(cache.iterdir()))

    assert kept(questions, questions) == kept(questions, questions) == 1
    for count, changed in enumerate(changes):
        assert kept([changed, *rest], questions) == 2 * count + 2
        assert kept(questions, [changed, *rest]) == 2 * count + 3


def test_the_news_written_for_this_project() -> None:
    content = json.loads(NEWS.read_text("utf-8"))
    seen: set[str] = set()
    for article in content["data"]:
        assert article["title"]
        for paragraph in article["paragraphs"]:
            assert paragraph["context"] == paragraph["context"].strip()
            for qa in paragraph["qas"]:
                assert qa["id"] not in seen
                seen.add(qa["id"])
                assert qa["question"].strip()
                assert qa["is_impossible"] is not bool(qa["answers"])
                for answer in qa["answers"]:
                    start = answer["answer_start"]
                    assert paragraph["context"][start : start + len(answer["text"])] == answer["text"] != ""
    questions = read_squad(NEWS)
    learnt, held = split_news(questions)
    assert len(learnt) + len(held) == len(questions) == len(seen)
    assert not {q.article for q in learnt} & {q.article for q in held}
    assert 0 < len(held) < len(learnt) / 8


def test_a_question_without_an_answer_gets_the_nearest_passages(data: Path, tokens: Tokens) -> None:
    questions = list(read_sources(data).squad)
    first = questions[0]
    nobody = Question(
        "n",
        first.article,
        first.paragraph_id,
        "Who bought the old market of Arden on the river?",
        first.paragraph,
        (),
        (),
    )
    group = Passages([*questions, nobody]).group(nobody, tokens, random.Random(0), unanswerable=0.0)
    assert group is not None
    assert len(group) == 4
    assert not any(example.starts for example in group)
