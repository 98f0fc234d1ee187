"""What of a passage a quote may hold."""

import re

import pytest

from index.passage import Passage
from rag.quotable import same_list, shown, stretches, visible


@pytest.mark.parametrize(
    ("text", "masked", "expected"),
    [
        ("It grew *much* here.", ("*",), ["It grew *much* here."]),
        ("See [it](https://e.x) now.", ("[", "](https://e.x)"), ["See [it", " now."]),
        ("| Revenue | 41.7 | 38.3 |", ("|",), [" Revenue ", " 41.7 ", " 38.3 "]),
        ("One | two.", (), ["One | two."]),
        ("Sales    $612M\t+12.5%", (), ["Sales", "$612M", "+12.5%"]),
        ("It grew.   Much", (), ["It grew.   Much"]),
        ("3. Start the service.", (), ["Start the service."]),
        ("3.5 tons came.", (), ["3.5 tons came."]),
        ("Q6 Tom Pike: Who decided to sail?", (), []),
        ("Is the dam *safe?*", ("*",), []),
        ("How many men sailed?", (), []),
        ("Then why did it give each man two barrels?", (), ["Then why did it give each man two barrels?"]),
        ("Safe, is it?", (), ["Safe, is it?"]),
        ("She asked: “Who decided?”", (), ["She asked: “Who decided?”"]),
        ("Who decides, wins.", (), ["Who decides, wins."]),
        ("By Nora Feld", (), []),
        ("BY NORA FELD and Tom Pike, Washington", (), []),
        ("By Monday Amazon had it", (), ["By Monday Amazon had it"]),
        ("By Monday Night, many had left.", (), ["By Monday Night, many had left."]),
    ],
)
def test_what_one_quote_may_cover(text: str, masked: tuple[str, ...], expected: list[str]) -> None:
    spans = sorted(match.span() for part in masked for match in re.finditer(re.escape(part), text))
    sentence = (7, 7 + len(text))
    found = stretches(Passage(0, "a", *sentence, text, (sentence,), tuple((7 + a, 7 + b) for a, b in spans)))
    assert [text[start - 7 : end - 7] for (start, end), _ in found] == expected
    assert all(whole == sentence for _, whole in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Owners:|\n- Alpha|\n- Beta|\n- Gamma|\nIn all.",
            [["Owners:"], ["- Alpha", "- Beta", "- Gamma"], ["In all."]],
        ),
        ("Owners:|\n`- `Alpha|\n\n`- `Beta|", [["Owners:"], ["Alpha", "Beta"]]),
        ("Owners:|\n`- **`Alpha|`**`\n  `+ [ ] **`Beta|`**`", [["Owners:"], ["Alpha", "Beta"]]),
        ("Owners:|\n1. Alpha|\r\n2) Beta, of 1990|", [["Owners:"], ["Alpha", "Beta, of 1990"]]),
        ("- Alpha|\n- Beta|", [["- Alpha", "- Beta"]]),
        ("Alpha|\n- Beta|\n- Gamma|", [["Alpha"], ["- Beta", "- Gamma"]]),  # whether the first is an item is not seen
        ("- Alpha grew.|\n- Beta shrank.|", [["- Alpha grew."], ["- Beta shrank."]]),
        ("- Alpha;|\n- Beta.|\n- Gamma|", [["- Alpha;", "- Beta."], ["- Gamma"]]),
        ("- Alpha grew.| It is old|\n- Beta|", [["- Alpha grew."], ["It is old"], ["- Beta"]]),
        ("`- [`Alpha|`](https://a.x)`\n`- [`Beta|`](https://b.x)`", [["Alpha", "Beta"]]),
        ("- Alpha|\n`- Subscribe`\nBeta|", [["- Alpha"], ["Beta"]]),
        ("- Alpha|\n`- Subscribe`\n- Beta|", [["- Alpha", "- Beta"]]),
        ("- Alpha|\n- Who decided?|\n- Beta|", [["- Alpha"], ["- Beta"]]),
        ("- Alpha|\nBeta|\n- Gamma|", [["- Alpha"], ["Beta"], ["- Gamma"]]),
    ],
)
def test_the_items_of_a_list(text: str, expected: list[list[str]]) -> None:
    """Sentences end at bars and begin behind white space; what stands between ticks is masked."""
    plain, sentences, masked = "", [], []
    for number, part in enumerate(text.split("`")):
        if number % 2:
            masked.append((7 + len(plain), 7 + len(plain) + len(part)))
            plain += part
            continue
        for words in part.split("|"):
            if said := words.strip():
                start = 7 + len(plain) + words.index(said)
                sentences.append((start, start + len(said)))
            plain += words
    passage = Passage(0, "a", 7, 7 + len(plain), plain, tuple(sentences), tuple(masked))
    bounds = stretches(passage)
    lists: dict[int, list[str]] = {}
    for first, ((start, end), _) in zip(same_list(passage, bounds), bounds, strict=True):
        lists.setdefault(first, []).append(plain[start - 7 : end - 7])
    assert list(lists.values()) == expected


def test_of_an_item_that_is_cut_the_first_words_count() -> None:
    text = "- Alpha\n- Beta](https://b.x), of Brill\n- Gamma"
    lines = tuple(match.span() for match in re.finditer(".+", text))
    link = text.index("]"), text.index(",")
    passage = Passage(0, "a", 0, len(text), text, lines, (link,))
    bounds = stretches(passage)
    assert [text[start:end] for (start, end), _ in bounds] == ["- Alpha", "- Beta", ", of Brill", "- Gamma"]
    assert same_list(passage, bounds) == [0, 0, 2, 0]


@pytest.mark.parametrize(
    ("text", "masks", "blanked", "read"),
    [
        ("It grew **much** here.", r"\*+", "It grew   much   here.", "It grew   much   here."),
        ("Since 1987³ it grew¹⁴.", "$^", "Since 1987³ it grew¹⁴.", "Since 1987  it grew  ."),
        ("Of 10⁵ km² each.", "$^", "Of 10⁵ km² each.", "Of 10⁵ km² each."),
        ("The har\u00adbour\u00ad grew.", "\u00ad", "The har bour  grew.", "The har\u034fbour  grew."),
        ("The har-\nbour grew.", "-\n", "The har  bour grew.", "The har\u034f\u034fbour grew."),
        ("A long-_term_ plan.", "_", "A long- term  plan.", "A long- term  plan."),
    ],
)
def test_texts_of_one_length(text: str, masks: str, blanked: str, read: str) -> None:
    masked = tuple((7 + match.start(), 7 + match.end()) for match in re.finditer(masks, text))
    passage = Passage(0, "a", 7, 7 + len(text), text, ((7, 7 + len(text)),), ((0, 7), *masked))
    assert (visible(passage), shown(passage)) == (blanked, read)
