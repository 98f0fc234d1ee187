"""What stands raised or lowered in a page, and must not become part of the number or word before it."""

import pytest

from index.html import extract

PAGE = """<html><body><article><h1>Harbour</h1>
<p>The harbour authority approved a plan on Tuesday to widen the northern channel by forty metres.</p><p>{}</p>
<p>Work is to begin in spring and will cost 12 million euros, the authority said.</p></article></body></html>
"""


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Built in 1987<sup>3</sup> by Anna Stern<sup>14</sup>.", "Built in 1987³ by Anna Stern¹⁴."),
        ("All 10<sup>5</sup> m<sup>2</sup>, 10<sup>−6</sup> and 10<sup>-6</sup>.", "All 10⁵ m², 10⁻⁶ and 10⁻⁶."),
        ("About <b>1987</b><sup> <i>3</i> </sup> and Ca<sup>2+</sup>.", "About 1987³ and Ca²⁺."),
        ('It has 4,200<sup><a href="#fn1">2</a></sup> seats.', "It has 4,200[2] seats."),
        ('It has 4,200<a href="#fn1"><sup>2</sup></a> seats.', "It has 4,200[2] seats."),
        ('It has 4,200<sup><a href="#a">a</a></sup> seats.', "It has 4,200[a] seats."),
        ('It has 4,200<sup><a href="#fn1">[2]</a></sup> seats.', "It has 4,200[2] seats."),
        ("It ended.<sup>4, 5</sup> Mr Lee<sup>a</sup> left.<sup>*</sup>", "It ended.[4,5] Mr Lee[a] left.*"),
        ("It ended.<sup>4</sup><sup>5</sup> He left.", "It ended.⁴ ⁵ He left."),
        ("The 19<sup>th</sup>, 2<sup>nd</sup> and 19<sup>e</sup>, M<sup>lle</sup>.", "The 19th, 2nd and 19e, Mlle."),
        ("It is 10<sup>3.5</sup> x<sup>n</sup>.", "It is 10^3.5 xn."),
        ("A note:<sup>in 2024. No more</sup> <sup>2024</sup>", "A note:in 2024. No more 2024"),
        ('See <a href="b">80 m<sup>2</sup></a> here.', "See 80 m² here."),
        ("<?php x?><sup>3</sup> It is a note.", "³ It is a note."),
        ("It costs $19<sup>99</sup>.", "It costs $19⁹⁹."),
        ("CO<sub>2</sub> fell, 1010<sub>2</sub> did not.", "CO2 fell, 1010₂ did not."),
        ("It took 1<sup>1</sup>/<sub>2</sub> hours.", "It took 1¹/₂ hours."),
        ("<sup>3</sup> This is a note; <sup></sup><sup>two<sup>3</sup></sup>.", "³ This is a note; two³."),
    ],
)
def test_what_is_raised_is_no_part_of_the_number_before_it(markup: str, text: str) -> None:
    assert text in extract(PAGE.format(markup))[0].splitlines()
