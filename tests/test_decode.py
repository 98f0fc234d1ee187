"""Bytes in any encoding, damaged or undeclared -> text."""

import codecs
from pathlib import Path

import pytest

from index import html
from index.decode import DETECTION_BYTES, decode
from index.find import Source
from index.load import read
from index.passage import Document

ENGLISH = "The old market hall was bought by the town, and it will be opened again in spring, the council said.\n"
QUOTED = "The café’s “owner”, François Müller, said so.\n"


@pytest.mark.parametrize(
    "text",
    [
        "Market news\n\nThe old market hall was bought by François Müller of Zürich in 2019 for €38 million.\n",
        "It costs €5 million.\n",
        "He said the town’s “old hall” would reopen — at last.\n",
        "Hän sanoi, että väylä on syvempi ja älykäs järjestelmä pystytetään myöhemmin.\n",
    ],
)
@pytest.mark.parametrize("lines", [0, 3, 60])
def test_western_text_is_read_as_such(text: str, lines: int) -> None:
    whole = ENGLISH * lines + text + ENGLISH * lines
    assert decode(whole.encode("cp1252")) == whole


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Съешь же ещё этих мягких булок, сказал мэр города в среду.", "koi8-r"),
        ("Ο πρωθυπουργός είπε ότι το νέο λιμάνι άνοιξε την Τετάρτη.", "cp1253"),
        ("总理说新港口明年开放。今天天气很好，明天会下雨。", "gb18030"),
        ("今日は良い天気です。明日は雨が降るでしょう。港は静かでした。", "shift_jis"),
        ("Le café est fermé depuis l’été ; où est-il ? À la plage.", "cp1252"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", " "])
def test_a_few_foreign_lines_among_much_english(text: str, encoding: str, newline: str) -> None:
    """The first of them stands behind more ASCII than is looked at; one line of 200 KB has no line to begin at."""
    english = ENGLISH.replace("\n", newline) * (DETECTION_BYTES // len(ENGLISH) + 1)
    whole = english + text + newline + english
    assert decode(whole.encode(encoding)) == whole


def test_encodings_of_other_scripts() -> None:
    russian = "Съешь же ещё этих мягких французских булок, да выпей чаю. Погода сегодня хорошая. " * 4
    assert decode(russian.encode("cp1251")) == russian
    japanese = "今日は良い天気です。明日は雨が降るでしょう。港は静かでした。" * 4
    assert decode(japanese.encode("shift_jis")) == japanese


def test_a_lone_surrogate_is_replaced() -> None:
    assert decode("\ufeffa\ud800b".encode("utf-16-le", "surrogatepass")) == "\ufeffa\ufffdb"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (QUOTED.encode() + b"Bad: \xff.\n", f"{QUOTED}Bad: \ufffd.\n"),
        (b"Bad: \x92.\n" + QUOTED.encode() * 5, f"Bad: \ufffd.\n{QUOTED * 5}"),
        ("Caf\u00e9 caf\u00e9".encode()[:-1], "Caf\u00e9 caf\ufffd"),
        ("It cost 5 €, then 6 €".encode()[:-1], "It cost 5 €, then 6 \ufffd"),
        (f"{QUOTED}\ufffd \ufffd \ufffd".encode() + b"\xff", f"{QUOTED}\ufffd \ufffd \ufffd\ufffd"),
        (codecs.BOM_UTF8 + QUOTED.encode() + b"\xff", f"\ufeff{QUOTED}\ufffd"),
        (f"{QUOTED}a\ud800b".encode("utf-8", "surrogatepass"), f"{QUOTED}a\ufffdb"),
    ],
)
def test_a_bad_byte_is_replaced_in_damaged_utf_8(data: bytes, text: str) -> None:
    assert decode(data) == text


def test_what_is_no_damaged_utf_8() -> None:
    assert decode("Le café est fermé".encode("cp1252")) == "Le café est fermé"  # cut off in a character, were it UTF-8
    text = "Élan „GRÜN“, «Ñ» et É” : le café est fermé, où est-il ?\n" * 3  # "É”" is a letter in UTF-8
    assert decode(text.encode("cp1252"), "cp1252") == text
    with pytest.raises(ValueError, match="UTF-8"):
        decode(codecs.BOM_UTF8 + b"caf\xe9 \xe8\n")


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1"])
def test_a_page_in_damaged_utf_8(tmp_path: Path, declared: str) -> None:
    paragraph = f"<p>{QUOTED} It will be closed for the winter, and nobody knows when it is to open again.</p>"
    page = f'<html><head><meta charset="{declared}"></head><body><article>{paragraph * 3}</article></body></html>'
    data = page.encode().replace(b"winter", b"win\xffter", 1)
    assert html.declared_encoding(data) is not None
    path = tmp_path / "a.html"
    path.write_bytes(data)
    (document,) = read(Source(path, "a.html"))
    assert isinstance(document, Document)
    assert "The café’s “owner”, François Müller" in document.text
    assert "win\ufffdter" in document.text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Türkiye'de öğrenciler bugün şarkı söyledi, çocuklar ışığı gördü ve İzmir'e gitti.", "cp1254"),
        ("Zażółć gęślą jaźń, powiedział burmistrz w środę, że most będzie otwarty.", "cp1250"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy, řekl starosta ve středu.", "cp1250"),
        ("Primarul a spus că podul va fi deschis în primăvară, după reparaţii şi întârzieri.", "cp1250"),
        ("Merė sakė, kad naujas uostas bus atidarytas kitąmet, žuvininkai džiaugėsi šį rytą.", "cp1257"),
        ("Новый порт откроется в следующем году, сказал мэр города.", "cp1251"),
        ("قال رئيس الوزراء إن الميناء الجديد سيفتح العام المقبل.", "cp1256"),
        ("Il est fatigué", "cp1252"),
    ],
)
def test_text_of_other_alphabets(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
    ],
)
def test_byte_order_marks(bom: bytes, encoding: str) -> None:
    text = "总理说新港口明年开放。"
    assert decode(bom + text.encode(encoding)) == f"\ufeff{text}"


def test_what_is_no_text() -> None:
    for data, says in (
        (b"x" * 197 + b"\x01" * 3, "control"),
        (b"x\x7f" * 50, "control"),
        (bytes(range(128, 256)) * 20, "unknown"),
        (codecs.BOM_UTF8 + "é".encode() + b"\xff.", "not UTF-8"),  # the mark is the other good character
        (codecs.BOM_UTF8 + b"\xff a\xc3", "not UTF-8"),
        (codecs.BOM_UTF8 + b"caf\xe9 x", "not UTF-8"),
    ):
        with pytest.raises(ValueError, match=says):
            decode(data)
    assert decode(b"x" * 99 + b"\x01") == "x" * 99 + "\x01"
    assert decode(b"a\f" * 50) == "a\f" * 50
    assert decode(codecs.BOM_UTF8 + "éé".encode() + b"\xff.") == "\ufefféé\ufffd."


def test_foreign_text_behind_megabytes_of_english() -> None:
    whole = ENGLISH * 25_000 + "Съешь же ещё этих мягких булок, сказал мэр города в среду.\n"
    assert decode(whole.encode("koi8-r")) == whole


def test_a_large_file_is_looked_at_in_whole_lines() -> None:
    whole = "今日は良い天気です。\n" * 8_000
    assert decode(whole.encode("shift_jis")) == whole
    spaced = "今日は良い天気です。 " * 8_000
    assert decode(spaced.encode("shift_jis")) == spaced
