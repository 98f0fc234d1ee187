"""What shape of answer a question wants, and how spans take it."""

import re
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.passage import Hit, Passage
from rag.evidence import Group
from rag.reader import ScoredSpan
from rag.shape import ITEM_LEAD, MAX_ITEMS, items, likeness, shaped, wanted


@pytest.mark.parametrize(
    ("question", "shape"),
    [
        ("Why did the harbour close?", "clause"),
        ("For what reason was the bridge moved?", "clause"),
        ("What was the reason given for the delay?", "clause"),
        ("What was the main reason for the delay?", "clause"),
        ("What is the single most likely reason for the delay?", "clause"),
        ("What did the mayor say about the harbour?", "clause"),
        ("Which companies supply the chips?", "list"),
        ("Which two towns share the bridge?", "list"),
        ("What are the other towns?", "list"),
        ("Who are the members of the board?", "list"),
        ("Who are its founders?", "list"),
        ("Who were all founders?", "list"),
        ("In what years were the bridges built?", "list"),
        ("Who are Norvik's rivals?", "list"),
        ("Who were the New Harbour Trust’s founders?", "list"),
        ("What are acozivir's side effects?", "list"),
        ("What are the drivers' demands?", "list"),
        ("Which U.S. states are affected?", "list"),
        ("Name three suppliers.", "list"),
        ("Name the suppliers of the harbour.", "list"),
        ("List the suppliers of the harbour.", "list"),
        ("Which AI companies use the harbour?", "list"),
        ("Which firms does the harbour supply?", "list"),
        ("What ships does it own?", "list"),
        ("What kinds of ships are kept there?", "list"),
        ("The harbour shut. Which ships were moved?", "list"),
        ("What happens if the deal is cancelled?", "words"),
        ("What helps people who have a boat?", "words"),
        ("What keeps the bridge from falling when it was built?", "words"),
        ("What did James do?", "words"),
        ("What will Siemens have to pay?", "words"),
        ("Which sports team won?", "words"),
        ("Which women's team won?", "words"),
        ("Which women’s team won?", "words"),
        ("What is Norvik's rival?", "words"),
        ("What are people saying about Norvik's tugs?", "words"),
        ("What are Norvik's tugs for?", "words"),
        ("What are Norvik's tugs worth?", "words"),
        ("What are the tugs made from?", "words"),
        ("Which Texas city is largest?", "words"),
        ("Which Treaty protects the harbour?", "words"),
        ("Which news agency did report it?", "words"),
        ("What sales tax does the state have?", "words"),
        ("Which series won the award?", "words"),
        ("What gas is used?", "words"),
        ("When is the quarter in which the harbour reports earnings?", "words"),
        ("What are tugs?", "words"),
        ("What are the new cranes for?", "words"),
        ("Name the boss.", "words"),
        ("Name the head of the harbour.", "words"),
        ("What causes the flood?", "words"),
        ("What does the mayor do?", "words"),
        ("What is the status of the harbour?", "words"),
        ("Which bus goes to the harbour?", "words"),
        ("Which of them was first?", "words"),
        ("How much is the deal worth?", "words"),
        ("What did the flood leave the state of the town in?", "words"),
    ],
)
def test_what_a_question_wants(question: str, shape: str) -> None:
    assert wanted(question) == shape


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            "Which {} towns share the bridge?",
            "two three four five six seven eight nine ten 12 other various different main major some",
        ),
        ("What ships {} it own?", "are were do did have had can could will would should may might must does has"),
        ("{} which towns does it run?", "in of from to with for at on by through under about against between"),
        ("{} the towns.", "list enumerate"),
        ("Name {} towns.", "all the some two"),
    ],
)
def test_each_of_the_words_that_ask_for_several(question: str, words: str) -> None:
    assert [word for word in words.split() if wanted(question.format(word)) != "list"] == []


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            "Which {} company won?",
            "alias arms athletics atlas canvas customs economics electronics gas headquarters lens mathematics news "
            "physics politics sales savings series species sports statistics glass virus analysis",
        ),
        ("Which {} it?", "does has was means"),
        ("What are the new tugs {}?", "called for from like of worth"),
        ("Which Texas towns {} mayor likes?", "the a an its his her their all every no any how that"),
    ],
)
def test_each_of_the_words_that_ask_for_one_thing(question: str, words: str) -> None:
    assert [word for word in words.split() if wanted(question.format(word)) != "words"] == []


def test_each_of_the_words_that_ask_for_a_statement_or_a_reason() -> None:
    verbs = [
        "say",
        "said",
        "claim",
        "claimed",
        "argue",
        "argued",
        "warn",
        "warned",
        "announce",
        "announced",
        "explain",
        "explained",
    ]
    assert [verb for verb in verbs if wanted(f"What did the mayor {verb} about it?") != "clause"] == []
    assert {wanted(f"What {verb} the mayor say {word} it?") for verb in ("do", "does", "did", "has", "have")
            for word in ("about", "of", "on", "to")} == {"clause"}  # fmt: skip
    nouns = ("reason", "reasons", "motive", "rationale")
    assert {wanted(f"What {verb} the {noun} for it?") for verb in ("is", "was", "were", "are") for noun in nouns} == {
        "clause"
    }
    assert wanted("How come it closed?") == "clause"


def test_time_is_linear_in_a_question() -> None:
    started = time.perf_counter()
    for piece in (". ", "which ", "what cats of ", "who are all the ", "who are a b ", "what is the ", "a.b-"):
        wanted(piece * (2000 // len(piece)))
    assert time.perf_counter() - started < 1  # quadratic, the first alone took as long


def hit(text: str, row: int = 0) -> Hit:
    """A passage that begins at 50 of its document."""
    found = tuple((50 + m.start(), 50 + m.end()) for m in re.finditer(r"[^.]+\.", text)) or ((50, 50 + len(text)),)
    sentences = tuple((start + (text[start - 50] == " "), end) for start, end in found)
    return Hit(Passage(row, "a", 50, 50 + len(text), text, sentences), 1.0)


def span(where: Hit, words: str, score: float = 0.0) -> ScoredSpan:
    start = where.passage.start + where.passage.text.index(words)
    sentence = next(s for s in where.passage.sentences if s[0] <= start < s[1])
    return ScoredSpan(where, start, start + len(words), sentence, score, {"margin": score})


def test_items_that_stand_together_are_one_quote() -> None:
    where = hit("The chips come from Acme, the Borg works and Crown. Delta was left out.")
    spans = [span(where, words, -n) for n, words in enumerate(["Borg works", "Acme", "Crown", "Delta"])]
    assert [s.text for s in shaped("Which firms supply chips?", spans)] == ["Acme, the Borg works and Crown", "Delta"]
    assert [s.text for s in shaped("Which firm supplies chips?", spans)] == ["Borg works", "Acme", "Crown", "Delta"]


def test_what_no_comma_joins_or_comes_far_behind_stays_apart() -> None:
    where = hit("Acme, unlike Borg, sells to Crown, and Delta buys.")
    spans = [span(where, "Acme"), span(where, "Borg"), span(where, "Crown"), span(where, "Delta", -2 * ITEM_LEAD - 1)]
    assert [s.text for s in shaped("Which firms sell?", spans)] == ["Acme", "Borg", "Crown", "Delta"]


@pytest.mark.parametrize(
    "joint",
    [
        ",",
        "&",
        "and",
        ", and",
        "or",
        "as well as",
        "along with",
        "plus",
        "and the",
        "or a",
        "and an",
        "and both",
        "and then",
    ],
)
def test_each_of_the_words_that_join_items(joint: str) -> None:
    where = hit(f"There are Acme {joint} Borg now.")
    (found,) = shaped("Which firms sell?", [span(where, "Acme"), span(where, "Borg", -1.0)])
    assert found.text == f"Acme {joint} Borg"


def test_items_of_two_sentences_or_with_nothing_between_stay_apart() -> None:
    text = "They are Acme,\nBorg, and others/Crown"
    line = 50 + text.index("\n")
    whole = hit(text)
    where = replace(whole, passage=replace(whole.passage, sentences=((50, line), (line + 1, 50 + len(text)))))
    spans = [span(where, words) for words in ("Acme", "Borg", "others/", "Crown")]
    apart = ["Acme", "Borg, and others/", "Crown"]
    assert [s.text for s in shaped("Which firms sell?", spans)] == apart
    assert [s.text for s in shaped("Which firms sell?", spans[::-1])] == [*apart[2:], apart[1], apart[0]]


@pytest.mark.parametrize(
    ("text", "words", "clause"),
    [
        ("The harbour closed because the crane broke, and the mayor left.", "crane broke", "because the crane broke"),
        ("The road shut on Monday due to heavy snow.", "snow", "due to heavy snow"),
        ("They moved it to save money; nobody asked.", "save money", "to save money"),
        ("After the flood, the town was empty for weeks.", "empty", "the town was empty for weeks"),
        ("It was sold to the bank.", "bank", "It was sold to the bank"),
        ("The crane, he said, was the cost of rust.", "cost of rust", "the cost of rust"),
        ("The cause, he said, is that the crane broke.", "crane broke", "the crane broke"),
        ("What broke, he said, was it.", "was it", "was it"),
        ("“The pump failed,” said Ms Brand on Tuesday.", "pump", "The pump failed"),
        ('"The pump failed," said Ms Brand on Tuesday.', "pump", "The pump failed"),
        ("The town feared that it would not last.", "that it would not last", "that it would not last"),
        ("The town feared that the crane broke.", "that the crane broke", "that the crane broke"),  # four words
        ("It closed because Acme) sold its many old ships.", "Acme", "Acme"),  # the clause would leave it out
    ],
)
def test_a_reason_gets_its_clause(text: str, words: str, clause: str) -> None:
    (found,) = shaped("Why did it happen?", [span(hit(text), words)])
    assert found.text == clause


def test_a_clause_ends_before_masked_words() -> None:
    text = "It closed because the [old crane](https://e.x/a) broke on Monday."
    masked = tuple((50 + m.start(), 50 + m.end()) for m in re.finditer(r"\[|\]\(.*?\)", text))
    whole = hit(text)
    where = replace(whole, passage=replace(whole.passage, sentences=((50, 50 + len(text)),), masked=masked))
    (found,) = shaped("Why did it close?", [span(where, "crane")])
    assert found.text == "because the [old crane"


@pytest.mark.parametrize(
    "cause",
    ["because", "because of", "due to", "owing to", "thanks to", "on account of", "so that", "so as to", "in order to",
     "in that", "given that", "since", "as a result of"],
)  # fmt: skip
def test_each_of_the_words_that_begin_a_reason(cause: str) -> None:
    (found,) = shaped("Why did it close?", [span(hit(f"It closed {cause} old cranes."), "cranes")])
    assert found.text == f"{cause} old cranes"


@pytest.mark.parametrize("word", ["as", "the", "a", "an", "its", "their", "his", "her"])
def test_to_a_thing_begins_no_reason(word: str) -> None:
    (found,) = shaped("Why did it close?", [span(hit(f"It went to {word} bank."), "bank")])
    assert found.text == f"It went to {word} bank"


def test_a_clause_begins_behind_masked_words() -> None:
    text = "It closed because <a href=x>cranes</a> broke on Monday."
    masked = tuple((50 + m.start(), 50 + m.end()) for m in re.finditer(r"<.*?>", text))
    whole = hit(text)
    where = replace(whole, passage=replace(whole.passage, masked=masked))
    (found,) = shaped("Why did it close?", [span(where, "cranes")])
    assert found.text == "cranes"


@pytest.mark.parametrize(
    ("text", "masks", "clause"),
    [
        ("It closed because its crane broke¹.", "$^", "because its crane broke"),
        ("It closed, he said, to save its crane in 1987³, and went.", "$^", "to save its crane in 1987"),
        ("It closed because its crane held 10⁵.", "$^", "because its crane held 10⁵"),
        ("It closed because its crane bro\u00adken¹².", "\u00ad", "because its crane bro\u00adken"),
    ],
)
def test_a_clause_leaves_off_the_mark_of_a_note_as_the_reader_does(text: str, masks: str, clause: str) -> None:
    whole = hit(text)
    masked = tuple((50 + match.start(), 50 + match.end()) for match in re.finditer(masks, text))
    where = replace(whole, passage=replace(whole.passage, masked=masked))
    (found,) = shaped("Why did the harbour close?", [span(where, "crane")])
    assert found.text == clause


def test_of_spans_that_grow_into_one_the_best_is_kept() -> None:
    where = hit("The harbour closed because the crane broke.")
    first, second = span(where, "crane", 2.0), span(where, "broke", 1.0)
    (found,) = shaped("Why did the harbour close?", [first, second])
    assert (found.text, found.score, found.signals) == ("because the crane broke", 2.0, {"margin": 2.0})


def group(text: str, words: str, mass: float) -> Group:
    return Group((span(hit(text), words),), ("a",), 1, mass)


def test_items_of_a_list() -> None:
    found = items(
        [
            group("It is Acme now.", "Acme", 3.0),
            group("The old Acme works.", "old Acme works", 2.9),  # holds what was said
            group("Then Borg came.", "Borg", 2.0),
            group("Everyone sells.", "Everyone sells.", 1.9),  # a whole sentence
            group("Then Crown came.", "Crown", 3.0 - ITEM_LEAD),
            group("Then Delta came.", "Delta", 2.9 - ITEM_LEAD),
        ]
    )
    assert [g.spans[0].text for g in found] == ["Acme", "Borg", "Crown"]
    # The answer itself is always the first, and a bullet without a full stop is an item.
    bullets = [group("Acme sells.", "Acme sells.", 3.0), group("Borg", "Borg", 2.9), group("Crown.", "Crown.", 2.8)]
    assert [g.spans[0].text for g in items(bullets)] == ["Acme sells.", "Borg"]
    for stop in (".", "!", "?", "…", "。", "！", "？"):
        assert len(items([*bullets[:2], group(f"Crown{stop}", f"Crown{stop}", 2.8)])) == 2
    assert len(items([group(f"Then a{n}b came.", f"a{n}b", 0.0) for n in range(20)])) == MAX_ITEMS


def test_an_enumeration_of_what_was_said_is_no_item() -> None:
    first = "Halden, Norvik Construction and Brask"
    found = items(
        [
            group(f"They are {first} now.", first, 3.0),
            group("Then Brask and Halden came.", "Brask and Halden", 2.9),
            group("Then 12 came.", "12", 2.8),
            group("Then Brask, twelve and Halden came.", "Brask, twelve and Halden", 2.7),
            group("Then Orra and Brask came.", "Orra and Brask", 2.6),
        ]
    )
    assert [g.spans[0].text for g in found] == [first, "12", "Orra and Brask"]


def test_lists_of_the_same_items_are_one_answer() -> None:
    key = likeness("Which firms supply chips?")
    assert key("Acme, Borg and Crown") == key("Crown, Acme plus Borg")
    assert key("Johnson & Johnson") != key("Johnson")
    assert key("Portland, Oregon, and Springfield, Illinois") != key("Portland, Illinois, and Springfield, Oregon")


WORDS = st.sampled_from(["Acme", "Borg", "and", ",", "because", "to", "run", ";", "(", ")", '"', "$3", "million", "."])


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=25), st.data())
def test_whatever_the_text_spans_stay_in_their_sentence_and_apart(words: list[str], data: st.DataObject) -> None:
    where = hit(" ".join(words))
    places = [m.span() for m in re.finditer(r"\w+", where.passage.text)]
    spans: list[ScoredSpan] = []
    for start, end in data.draw(st.permutations(places)):
        sentence = next((s for s in where.passage.sentences if s[0] <= start + 50 and end + 50 <= s[1]), None)
        if sentence is not None:
            spans.append(ScoredSpan(where, start + 50, end + 50, sentence, -float(len(spans)), {}))
    for question in ("Which firms sell?", "Why did it happen?"):
        found = shaped(question, spans)
        assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
        for number, one in enumerate(found):
            assert one.sentence[0] <= one.start < one.end <= one.sentence[1]
            assert not any(one.start < other.end and other.start < one.end for other in found[:number])
