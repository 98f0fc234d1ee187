"""What an HTML page says, where trafilatura alone would lose it or join it to something else."""

import pytest

from index.html import cells, declared_encoding, extract

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
        (
            "It is Ca<sup>+2</sup>, 10<sup>-3.5</sup>, 10<sup>−3,5</sup>, 2<sup>1/2</sup>.",
            "It is Ca⁺², 10^-3.5, 10^−3,5, 2^1/2.",
        ),
        (
            'It ended.<sup>4–6</sup> He left.<sup>7-9</sup> So.<sup><a href="#a">123</a></sup>',
            "It ended.[4–6] He left.[7-9] So.[123]",
        ),
        ("<sup>123</sup> This is a note.", "¹²³ This is a note."),
        ("It has 10<sup>1024</sup> bits.", "It has 10¹⁰²⁴ bits."),
        ("Mr Lee<sup>a</sup> left.", "Mr Lee[a] left."),
        ("It took 1<sup>1</sup>⁄<sub>2</sub> hours.", "It took 1¹⁄₂ hours."),
        ("It is 10<sub>2n</sub>.", "It is 102n."),
        ('See <a href="b"><b>80 m</b><sup>2</sup></a> here.', "See 80 m² here."),
        ('The isotope <a href="b"><sup>2</sup>H</a> is heavy.', "The isotope ²H is heavy."),
        ('It has 4,200<a href="#fn1"> <sup>2</sup> </a>seats.', "It has 4,200 [2] seats."),
        ("x<sup>n</sup> is a power, so is ab<sup>n</sup>.", "xn is a power, so is abn."),
        ("Lee<sup>a</sup> left.", "Lee[a] left."),
        ("It is 10<sup>2<sup>3</sup></sup> m.", "It is 10²³ m."),
        ("It\x00was\x0bso\ufffein\uffffall.", "It was so in all."),
    ],
)
def test_what_is_raised_is_no_part_of_the_number_before_it(markup: str, text: str) -> None:
    assert text in extract(PAGE.format(markup))[0].splitlines()


@pytest.mark.parametrize(
    ("markup", "encoding"),
    [
        ('<META CHARSET = " koi8-r">', "koi8-r"),
        ("<meta charset='koi8-r'>", "koi8-r"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ("\n<?xml version='1.0' encoding = 'koi8-r'?><meta charset=utf-8>", "koi8-r"),
        ('<p>charset="koi8-r"</p>', None),
        ("<meta <p charset=koi8-r>", None),
        (" " * 4076 + "<meta charset=koi8-r>", "koi8-r"),
        (" " * 4077 + "<meta charset=koi8-r>", None),
        ("<meta charset=idna>", None),
        ("<meta charset=shift_jis>", "cp932"),
        ("<meta charset=euc-kr>", "cp949"),
        ("<meta charset=gb2312>", "gb18030"),
        ("<meta charset=gbk>", "gb18030"),
        ("<meta charset=tis-620>", "cp874"),
        ("<meta charset=iso-8859-9>", "cp1254"),
        ("<meta charset=iso-8859-11>", "cp874"),
        ("<meta charset=raw_unicode_escape>", None),
        ("<meta charset=raw-unicode-escape>", None),
    ],
)
def test_the_encoding_that_a_page_says_it_has(markup: str, encoding: str | None) -> None:
    assert declared_encoding(markup.encode()) == encoding


def test_the_bars_of_a_table() -> None:
    text = "| a | 1 | \t\n|---|:-:|\nno | row |\n|  |"
    assert [text[start:end] for start, end in cells(text)] == ["|", "|", "|", "|---|:-:|", "|  |"]


def test_a_page_of_nothing_but_a_raised_word() -> None:
    assert extract("<sup><i>1</i><i>2</i></sup>")[0].strip() == "¹²"


@pytest.mark.parametrize(
    "before", ["\ufeff", "<?xml version='1.0'?>", "\ufeff\n<?xml version='1.0' encoding='utf-16'?>\n"]
)
def test_what_may_stand_before_a_page(before: str) -> None:
    page = PAGE.format("The old town hall is to be closed.")
    assert extract(before + page) == extract(page)


@pytest.mark.parametrize(
    "reference", ["&#11;", "&#0;", "&#x0b;", "&#X1F;", "&#012;", "&#xfffe;", "&#65534;", "&#11", "\x0c"]
)
def test_a_character_that_xml_has_no_place_for_parts_words(reference: str) -> None:
    text, fields = extract(PAGE.format(f"The old{reference} hall is closed.").replace("<h1>", f"<h1>All{reference} "))
    assert "The old hall is closed." in [" ".join(line.split()) for line in text.splitlines()]
    assert fields


def test_other_references_are_what_they_say() -> None:
    assert (
        "It’s 5 < 6 – 〹 𝄞 in all."
        in extract(PAGE.format("It&#146;s 5 &#60; 6 &#x2013; &#12345; &#119070; in all."))[0]
    )


@pytest.mark.parametrize(
    ("markup", "line"),
    [
        ("<blockquote>It opened on <time>3 May</time> there.</blockquote>", "It opened on 3 May there."),
        ("<blockquote><time>3 May</time> it opened there.</blockquote>", "3 May it opened there."),
        ("<h2>Opened on <time>3 May</time> at last</h2>", "Opened on 3 May at last"),
        ("<div>It closed (<time>4 May</time>) in the end.</div>", "It closed (4 May) in the end."),
        (
            "<table><tr><th>Year</th><th><time>2021</time></th></tr><tr><td>c</td><td>d</td></tr></table>",
            "| Year | 2021 |",
        ),
        ("<dl><dt>A hall (<time>3 May</time>)</dt><dd>Since <time>1 June</time> it is.</dd></dl>", "- A hall (3 May)"),
        ("<div>It closed on <time>4 May</time>, the town said.</div>", "It closed on 4 May, the town said."),
        ("<table><tr><th>A <ul><li>b</li></ul></th></tr><tr><td>c</td></tr></table>", "| A b |"),
    ],
)
def test_words_in_a_sentence_are_kept(markup: str, line: str) -> None:
    lines = extract(PAGE.replace("<p>{}</p>", "{}").format(markup))[0].splitlines()
    assert line in [" ".join(line.split()) for line in lines]


def test_a_date_between_bars_is_the_articles_own() -> None:
    paragraph = (
        "<p>The council of the town met on Monday to discuss the harbour and its boats, as it does each year.</p>"
    )
    page = PAGE.format(f"</p>{3 * paragraph}<div>By Ann Lee | <time>4 May</time> | Politics</div><p>")
    assert "4 May" not in extract(page)[0]
