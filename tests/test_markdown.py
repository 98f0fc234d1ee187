"""What a reader of the rendered page sees stays visible, and nothing else."""

import time

import pytest

from index import markdown
from index.boilerplate import merged


def shown(text: str) -> str:
    """The text without its markup."""
    parts, at = [], 0
    for start, end in merged(markdown.parse(text)[1]):
        parts.append(text[at:start])
        at = end
    return "".join([*parts, text[at:]])


@pytest.mark.parametrize(
    "text",
    [
        "[Smith]: It is worth $38 billion.\n",
        '[Smith]: Yes "we" can\n',
        "[Smith]: Yes. (Laughs.) No.\n",
        "[ ]: x\n",
        "He said so.\n[Smith]: Yes.\n",  # no definition interrupts a paragraph
    ],
)
def test_what_a_speaker_says_is_no_definition(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "line",
    [
        "[a]: http://x.org/b",
        "  [a b]:\t<u v>",
        '[a]: /u "It is so"',
        "[a]: /u 'so'  ",
        "[a]: /u (so)",
        "[a]: /u\n[b]: /v",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_definitions(line: str, newline: str) -> None:
    line = line.replace("\n", newline)
    assert shown(f"# Heading{newline}{line}{newline}Text.") == f"Heading{newline}Text."


def test_links_lead_to_labels_that_are_defined() -> None:
    definitions = "\n\n[12]: /a\n[Two\t Words]: /b"
    for text, expected in {
        "Seen [12][13], [13][], ![x][13] and [12].": None,
        "One [word][12], [two  words][], ![gone][12]!": "One word, two  words, !",
        "[13][12] [12][13](/c) [a][b](/c)": "13 [12]13 [a]b",
        "[13](/c), 12][13](/c)": "13, 12]13",
    }.items():
        assert shown(text + definitions).strip() == (expected or text)
    assert shown("[12][12]") == "[12][12]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ask <press@nvidia.com> or <Max_2+x@a-b.co.uk>.", "Ask press@nvidia.com or Max_2+x@a-b.co.uk."),
        ("See <https://x.org/a_b_c?d=*e*[f](g)>.", "See https://x.org/a_b_c?d=*e*[f](g)."),
        ("p <q and r> s, a <b or c> d, x <a, y> z", None),
        ("Vec<u8>, List<String>, <nvidia>, <my-tag a=b>, 1 < 2 > 0", None),
        ("<b>x</b> <I CLASS=y>z</I><br/><hr />", "x z"),
        ("<img src='a>b' alt=\"<c>\"> <input type=text disabled> <h2 id=a-b>T</h2 >", "  T"),
    ],
)
def test_angle_brackets(text: str, expected: str | None) -> None:
    assert shown(text) == (expected or text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`Vec<u8>` and `a*b*c` *d*", "Vec<u8> and a*b*c d"),
        ("`[a](b)` `<b>` `\\*` `c\\` *d*", "[a](b) <b> \\* c\\ d"),
        ("``a ` b`` ```` c ```` ` d", "a ` b  c  ` d"),
        ("\\`a` *b* `c\\`", "`a *b* c`"),
        ("`two\nlines *b*` *c*", "two\nlines *b* c"),
        ("no `pair\n\nhere` *c*", "no `pair\n\nhere` c"),
    ],
)
def test_code_spans(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write `<!--` first.\n\nThen `-->` last.", "Write <!-- first.\n\nThen --> last."),
        ("```\n<!-- a -->\n```\nb", "<!-- a -->\nb"),
        ("~~~html\n<!--\n~~~\nb\n\nc --> d", "<!--\nb\n\nc --> d"),
        ("<!-- ` -->a `*b*`", "a *b*"),
        ("a <!-- *b\n`c --> d* `*e*`", "a  d* *e*"),
        ("<!-- a\n\n```\n# b --> c\n\nd", " c\n\nd"),
        ("  <!-- a --><!-- b -->\n*c*", "  \nc"),
        ("a <!-- b\n\nc --> d", None),  # no comment inside a paragraph goes on into the next
        ("<!-- a\n\n*b", None),
        ("\\<!-- a -->", "<!-- a -->"),
    ],
)
def test_comments(text: str, expected: str | None) -> None:
    assert shown(text) == (expected or text)


@pytest.mark.parametrize(
    "block",
    [
        "What a day.\nname: value\n",
        "title: Harbour\nIt grew by 5 percent.\n",
        "Q: why?\n> because\n",
        "name: value\n\nNobody said: it is so.\n",
    ],
)
def test_prose_between_rules_is_no_front_matter(block: str) -> None:
    fields, _ = markdown.parse(f"---\n{block}---\nText.")
    assert fields == {}
    for line in block.splitlines():
        assert line.removeprefix("> ") in shown(f"---\n{block}---\nText.")


def test_front_matter_of_every_kind_of_line() -> None:
    text = "---\n# made by hand\ntitle: Harbour\n\ntags:\n- a\n  - b\nabout: >\n  It grew.\n\tSo.\ndraft:\n---\nText."
    assert markdown.parse(text)[0] == {"title": "Harbour"}
    assert shown(text) == "Text."
    for key in ("og:image: x.png", '"slug": x', "Published on: 3 May", "日付: x", "tags: [\n  a\n]"):
        text = f"---\ntitle: Harbour\n{key}\n---\nText."
        assert (markdown.parse(text)[0], shown(text)) == ({"title": "Harbour"}, "Text.")


def test_embedded_players_and_posts_are_tags() -> None:
    for tag in (
        '<blockquote class="post" data-instgrm-captioned data-instgrm-permalink="https://example.com/p/x/">',
        '<iframe src="https://example.com/v" webkitallowfullscreen mozallowfullscreen allowfullscreen>',
        '<script src="a.js" crossorigin>',
    ):
        assert shown(f"{tag}Hi") == "Hi"


@pytest.mark.parametrize(
    "unit",
    [
        "<!--",
        "<!--\n",
        "`",
        "`a``b```c",
        "[",
        "][]",
        "[a][b]",
        "](a",
        "](x(y)",
        "<a x=1 ",
        '<a x="',
        "<a@",
        "<a:",
        "*a ",
    ],
)
def test_time_is_linear(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.process_time()
        markdown.parse(text)
        return time.process_time() - start

    seconds(1000)
    assert seconds(200_000) < 40 * (seconds(20_000) + 0.01)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> > a\n>   b\n>c", "a\n  b\nc"),
        ("- a\n* b\n+ c\n- [ ] d\n* [x] e\n+ [X] f\n-g", "a\nb\nc\nd\ne\nf\n-g"),
        ("###### a\n   # b ##\n# c#\n# d\t#\n# ##\n####### e\n#f\n    # g", "a\nb \nc#\nd\t\n\n####### e\n#f\n    # g"),
        ("   ```\n    ```\n*a*\n```\n*b*", "    ```\n*a*\nb"),
        ("```` a\n```\n*b*\n````\n*c*", "```\n*b*\nc"),
        ("```\n~~~\n```js\n```\n*a*", "~~~\n```js\na"),
        ("``` a`b\n*c*", "``` a`b\nc"),
        ("~~~ a`b\n*c*\n~~~", "*c*\n"),
        ("~~\n*a*\n~~", "~~\na\n~~"),
        ("*a\n```\nb\n```\nc*", "*a\nb\nc*"),
        ("   [^1]:  *a*\nb[^1] or [^c d]", "a\nb or [^c d]"),
        ("a *b\n[^1]: c*", "a *b\nc*"),
        ("***\n* * *\n_\t_ _\n--\n_ _\n===\na\n=\nb\n-\nc\n--\n", "--\n_ _\na\n=\nb\n-\nc\n"),
        ("*a\n---\nb*", "*a\nb*"),
        ("*a\n\nb*", "*a\n\nb*"),
        ("*a\n- b*\n# c*", "*a\nb*\nc*"),
        ("- *a\nb*\n# *c\nd*", "a\nb\n*c\nd*"),
        ("| a | b |\n|:--|--:|\n| c \\| d | e |\nf | g\n\n| h |", " a  b \n c | d  e \nf  g\n\n| h |"),
        ("*a | b\n-|-\nc* | d", "*a  b\nc*  d"),
        ("a | b\nc | d\n---\n", "a | b\nc | d\n"),
        ("|:|\n|a|\n||\n", "|:|\n|a|\n||\n"),
        ("a\n-\nb | c\n--\n", "a\n-\nb | c\n"),
        ("a\rb\r*c*\r# d", "a\rb\rc\rd"),
        ("-->\n<!-- a -->\n    <!-- b -->", "-->\n\n    "),
        ("<!-- a\nb\nc -->d\n\n*e*", "d\n\ne"),
        ("*a\n<!-- b -->\nc*", "*a\n\nc*"),
        ("<!-- a -->", ""),
        ("a <!-- b -->", "a "),
        ("\\{\\~\\:\\@\\a", "{~:@\\a"),
        ("[a](b(c)d \"t\") [e](f 't' ) [g](h i)", "a e [g](h i)"),
        ("<b id = 'x>y' >a</b> <b id=a`b>", "a <b id=a`b>"),
        ("<a:b> <ab:c>", "<a:b> ab:c"),
        ("~~a~~ ~b~ __c__ _d_ *e* ***f*** ****g****", "a ~b~ c d e f ****g****"),
        ("a_b_c, _d_e_, **f**g, 2 * 3 * 4, **h ** i**", "a_b_c, d_e, fg, 2 * 3 * 4, h ** i"),
        ("a*\n*b", "a*\n*b"),
        ("*a* b*", "a b*"),
        ("*a *", "*a *"),
        ("    <!-- a\n\nb -->", None),
        ("<!-- a --><!-- b\n\nc -->d", "d"),
        ("*a\n<!---->\nb*", "*a\n\nb*"),
        ("a <!---->", "a "),
        ("*a\n<!-- b -->c*", "*a\nc*"),
        ("*a\n# b*", "*a\nb*"),
        ("a\n|-|\n", "a\n"),
        (f"[{'a' * 201}][]\n\n[{'a' * 201}]: /x", f"{'a' * 201}\n\n"),
        ("> **a\n>** b", "**a\n** b"),
        ("*a*b*", "ab*"),
        ("[ẞ][] [a \n b][]\n\n[ss]: /x\n[A B]: /x", "ẞ a \n b\n\n"),
    ],
)
def test_blocks_and_marks(text: str, expected: str | None) -> None:
    assert shown(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ("Title : a\nSOURCE: b", {"title": "a", "source": "b"}),
        ("title: \"\ndate: ''\nsource: \"a'\nauthor: xax", {"title": '"', "source": "\"a'", "author": "xax"}),
        ("title:\ntitle: a\ntitle: b", {"title": "a"}),
        ("title: a\nA very long key: b\nb: {\n}", {"title": "a"}),
        ("title: a\n" + "k" * 61 + ": b", {"title": "a"}),
        ("title: a\n" + "b: c\n" * 198, {"title": "a"}),
        ("title: a\n" + "b: c\n" * 199, {}),
        ("title: a\nA much too long key: b", {}),
        ("title: a\nIs it so: yes!", {}),
        ("title: a\nIs it so: really?", {}),
        ("title: a\n1b: c", {}),
        ("# a", {}),
    ],
)
@pytest.mark.parametrize("form", ["---\n{}\n---\nText.", "\ufeff---\n{}\n...\nText."])
def test_what_is_front_matter(lines: str, fields: dict[str, str], form: str) -> None:
    text = form.format(lines)
    assert markdown.parse(text)[0] == fields
    assert (shown(text) == "Text.") == bool(fields)


def test_many_brackets_inside_brackets_take_linear_time() -> None:
    started = time.process_time()
    markdown.parse("[" * 100_000 + "][]" * 100_000)
    assert time.process_time() - started < 5
