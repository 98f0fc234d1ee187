"""Wordings: how text is encoded, articles, signs behind names, and enumerations in any order."""

import itertools

import pytest

from rag.normal import enumerated, normalise, wording


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hale & Mercer", "Hale and Mercer"),
        ("Petr Dvorak", "Petr Dvořák"),
        ("Petr Dvořák", "Petr Dvor\u030ca\u0301k"),
        ("Łódź", "Lodz"),
        ("\ufb01rm", "firm"),
        ("o\ufb03ce", "office"),
        ("Ｃｉｔｅ ３８", "Cite 38"),
        ("＄38 million", "$38m"),
        ("Ac\u200bme", "Acme"),
        ("\u202aAcme\u202c", "Acme"),
        ("\ufeffAcme", "Acme"),
        ("„Acme“", "Acme"),
        ("«Acme»", '"Acme"'),
        ("O´Brien", "O'Brien"),
        ("OʼBrien", "O’Brien"),
        ("AA−", "AA-"),
        ("AA–", "AA-"),
        ("UK-", "UK"),
        ("UK- and US-based", "UK and US-based"),
        ("The vitamin A", "vitamin A"),
        ("Dr. Petra Klamm", "Petra Klamm"),
        ("Ms Petra Klamm-Ost", "Prof. Petra Klamm-Ost"),
        ("₹40 lakh", "₹4 million"),
        ("4,200 crore rupees", "42 billion rupees"),
    ],
)
def test_how_it_is_written_does_not_matter(one: str, other: str) -> None:
    assert wording(one) == wording(other)
    assert wording(wording(one)) == wording(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C#"),
        ("AA-", "AA"),
        ("AA-", "AA+"),
        ("BBB–", "BBB"),
        ("vitamin A", "vitamin"),
        ("Mr. Fox", "Mrs. Fox"),
        ("AT&T", "AT and T"),
        ("किताब", "कतब"),  # the marks of other scripts are vowels
        ("й", "и"),
    ],
)
def test_names_that_only_look_alike(one: str, other: str) -> None:
    assert wording(one) != wording(other)
    assert wording(wording(one)) == wording(one)


def test_scores_go_by_the_official_rules() -> None:
    assert normalise("Vitamin A") == "vitamin"
    assert normalise("AA-") == normalise("AA")
    assert normalise("Twelve & 3.8") == "twelve 38"


def test_an_enumeration_is_its_items_in_any_order() -> None:
    names = ("Halden", "Norvik Construction", "Brask")
    for a, b, c in itertools.permutations(names):
        for said in (
            f"{a}, {b} and {c}",
            f"{a}, {b}, and {c}",
            f"{a}, the {b} plus {c}",
            f"both {a}, {b} as well as {c}",
        ):
            assert enumerated(said) == ("brask", "halden", "norvik construction")
    assert enumerated("Brask and Halden") != enumerated("Brask, Halden and Norvik")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Halden", ("halden",)),
        ("Halden or Brask", ("halden or brask",)),
        ("Acme, Inc. and Brask", ("acme inc", "brask")),
        ("$1,200 and 1.3 million euros", ("eur1300000", "usd1200")),
        ("March 3, 2025, and 4 March 2025", ("3 march 2025", "4 march 2025")),
        ("12 and twelve", ("12", "12")),
        ("“Both Halden and Brask", ("brask", "halden")),
        ("Booth Sabboth Ltd and Brask", ("booth sabboth ltd", "brask")),
        ("AA-, BBB", ("aa⁻", "bbb")),
        ("...", ("...",)),
        ("gold, gold and silver", ("gold", "gold", "silver")),
        ("gold & silver plus 12", ("12", "gold", "silver")),
        ("Johnson & Johnson", ("johnson and johnson",)),
        ("Disney Plus", ("disney plus",)),
        ("Canal Plus and Disney plus", ("canal plus", "disney plus")),
        ("Two and a half million", ("2500000",)),
        ("Portland, Oregon, and Springfield, Illinois", ("portland oregon and springfield illinois",)),
    ],
)
def test_items_of_an_enumeration(text: str, items: tuple[str, ...]) -> None:
    assert enumerated(text) == items
