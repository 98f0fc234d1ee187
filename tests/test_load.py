import hashlib
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import html, load
from index.boilerplate import mask
from index.decode import decode
from index.find import Source
from index.load import LOADERS, Rejected, read
from index.passage import Document

TEXT = "The harbour grew by 5 percent. Café prices rose, too — by “much”.\r\nA second line.\n"


def one(path: Path) -> Document:
    (entry,) = read(Source(path, path.name))
    assert isinstance(entry, Document), entry
    return entry


def refused(path: Path) -> tuple[str, str]:
    (entry,) = read(Source(path, path.name))
    assert isinstance(entry, Rejected), entry
    assert entry.path == path.name
    return entry.kind, entry.reason


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_text_is_kept_to_the_byte(tmp_path: Path) -> None:
    data = ("\ufeff" + TEXT * 3 + "a\0b\r").encode()
    document = one(write(tmp_path / "a.txt", data))
    assert document.text.encode() == data
    assert document.source_sha256 == hashlib.sha256(data).hexdigest()
    assert [document.text[start:end] for start, end in document.masked] == ["\ufeff", "\0"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-1"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = TEXT if "8859" not in encoding else "Le café est fermé. L'été à la plage était très agréable, déjà.\n" * 3
    document = one(write(tmp_path / "a.txt", text.encode(encoding)))
    assert document.text.removeprefix("\ufeff") == text


def test_a_large_file_in_an_old_encoding(tmp_path: Path) -> None:
    text = "Le café est fermé depuis l'été. Où est-il ? À la plage, très agréable, déjà rêvé. " * 3_000
    assert one(write(tmp_path / "a.txt", text.encode("cp1252"))).text == text


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "skipped", "empty"),
        (b" \n\t\r\n", "skipped", "empty"),
        (b"\xef\xbb\xbf \n", "skipped", "empty"),
        (b"\xff\xfe\n\0", "skipped", "empty"),
        (bytes(range(256)) * 8, "skipped", "binary"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" * 40, "skipped", "binary"),
        (b"text \x01\x02\x03 text", "skipped", "binary"),
        (b"\xff\xfea\0b", "skipped", "binary"),
    ],
)
def test_no_text(tmp_path: Path, data: bytes, kind: str, reason: str) -> None:
    found = refused(write(tmp_path / "a.txt", data))
    assert found[0] == kind
    assert found[1].startswith(reason)


def test_a_little_control_is_no_binary(tmp_path: Path) -> None:
    assert one(write(tmp_path / "a.txt", "x" * 100 + "\x01")).masked == ((100, 101),)


@pytest.mark.parametrize("name", ["a.pdf", "a.DOCX"])
def test_formats_to_come(tmp_path: Path, name: str) -> None:
    kind, reason = refused(write(tmp_path / name, b"x"))
    assert kind == "skipped"
    assert "not read yet" in reason


def test_unknown_formats_name_the_known_ones(tmp_path: Path) -> None:
    for name in ("a.xyz", "noname"):
        kind, reason = refused(write(tmp_path / name, TEXT))
        assert kind == "skipped"
        assert all(suffix in reason for suffix in LOADERS)
    assert one(write(tmp_path / "A.TXT", TEXT)).text == TEXT


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(load.MAX_BYTES + 1)
    assert refused(path) == ("skipped", "larger than 50 MB (50,000,001 bytes)")


def test_a_file_that_is_gone() -> None:
    assert refused(Path("gone.txt")) == ("failed", "cannot be read (no such file or directory)")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a file whose size is never the one it states")
def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("/proc/self/status")
    assert refused(tmp_path / "a.txt") == ("failed", "changed while it was read, 3 times in a row")


def test_a_file_written_to_all_the_time_is_read_as_it_stood_at_one_moment(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "a" * 300_000)
    stop = threading.Event()

    def rewrite() -> None:
        turn = 0
        while not stop.is_set():
            write(tmp_path / "next", "ab"[turn % 2] * (300_000 + turn % 2)).replace(path)
            turn += 1

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        found = [read(Source(path, "a.txt"))[0] for _ in range(40)]
    finally:
        stop.set()
        thread.join()
    for entry in found:
        if isinstance(entry, Document):
            assert entry.text in ("a" * 300_000, "b" * 300_001)
        else:
            assert entry.reason.startswith("changed while it was read")
    assert one(path).text in ("a" * 300_000, "b" * 300_001)  # nothing changes any more


# Formats


def test_markdown_front_matter(tmp_path: Path) -> None:
    text = (
        "---\ntitle: \"Harbour: it grows\"\ndate: 2024-05-03\nauthor: 'A. Writer'\ntags: [x]\n---\n\n# Heading\nText.\n"
    )
    document = one(write(tmp_path / "a.md", text))
    assert (document.title, document.date, document.source) == ("Harbour: it grows", "2024-05-03", "A. Writer")
    assert document.text == text
    assert document.masked[0] == (0, text.index("---\n\n") + 4)
    plain = one(write(tmp_path / "b.md", "---\nNo fields here\n---\nText.\n"))
    assert plain.title is None
    assert mask([one(write(tmp_path / "c.md", "# Heading\n\nText is here.\n"))])[0].title == "Heading"
    assert refused(write(tmp_path / "d.md", "---\ntitle: x\n---\n")) == ("skipped", "empty")


PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Harbour to grow - The Quay</title>
<meta property="og:site_name" content="The Quay"><meta property="article:published_time" content="2024-05-03T08:00:00Z">
</head><body><nav><a href="/">Home</a> <a href="/news">News</a></nav><article><h1>Harbour to grow</h1>
<p>The harbour authority approved a plan on Tuesday to widen the northern channel by forty metres.</p>
<p>Work is to begin in spring and will cost 12 million euros, the authority said. Café owners were pleased.</p>
<table><tr><td>Berths</td><td>14</td></tr></table>
<p>Fishermen had asked for a longer break so that the spawning season would not be disturbed.</p></article>
<div id="comments"><p>I think this is a very bad idea indeed and nobody asked us.</p></div>
<footer>Cookie settings</footer></body></html>"""


def test_html(tmp_path: Path) -> None:
    document = one(write(tmp_path / "a.html", PAGE))
    assert document.text.splitlines()[0].startswith("Harbour to grow")
    assert "The harbour authority approved a plan on Tuesday" in document.text
    assert "Berths" in document.text
    assert "Café" in document.text
    for word in ("bad idea", "Cookie", "Home", "\r", "<"):
        assert word not in document.text
    assert document.title == "Harbour to grow"
    assert document.source == "The Quay"
    assert document.date is not None
    assert document.date.startswith("2024-05-03")
    declared = PAGE.replace("utf-8", "iso-8859-1").replace("\n", "\r\n").encode("iso-8859-1")
    assert one(write(tmp_path / "b.htm", declared)).text == document.text
    assert one(write(tmp_path / "c.html", '<?xml version="1.0" encoding="utf-8"?>' + PAGE)).text == document.text


@pytest.mark.parametrize("declared", ["punycode", "unicode_escape", "no-such-set", "hex"])
def test_html_that_declares_no_character_set(tmp_path: Path, declared: str) -> None:
    page = (
        f'<html><head><meta charset="{declared}"></head><body><article><p>{TEXT} Caf\u00e9.</p></article></body></html>'
    )
    (document,) = read(Source(write(tmp_path / "page.html", page), "page.html"))
    assert isinstance(document, Document)
    assert "Café" in document.text


def test_html_keeps_what_stands_in_a_sentence(tmp_path: Path) -> None:
    sentences = (
        '<p>The works will close on <time datetime="2025-12-04">4 December</time> and reopen on <time>1 May</time>.</p>'
        "<p>Roth said: <q>We will <b>win</b> this</q> and left the hall.</p>"
        "<ul><li>On <time>3 May</time> all will be over</li></ul>"
    )
    lines = one(write(tmp_path / "a.html", PAGE.replace("<table>", f"{sentences}<table>"))).text.splitlines()
    assert "The works will close on 4 December and reopen on 1 May." in lines
    assert "Roth said: “We will win this” and left the hall." in lines
    assert "- On 3 May all will be over" in lines


@pytest.mark.parametrize(
    "byline", ["<time {}>Friday</time>", '<p class="byline">By A. Lee, <time {}>Friday</time></p>']
)
def test_html_dated_by_a_time_alone(tmp_path: Path, byline: str) -> None:
    page = PAGE.replace('<meta property="article:published_time" content="2024-05-03T08:00:00Z">', "")
    assert one(write(tmp_path / "a.html", page)).date is None
    dated = page.replace("</h1>", "</h1>" + byline.format('datetime="2024-02-03"'))
    assert one(write(tmp_path / "b.html", dated)).date == "2024-02-03"


def test_html_keeps_a_list_in_a_cell(tmp_path: Path) -> None:
    cell = "<td>Was <ul><li>mayor</li>\n<li>a <b>good</b> teacher</li></ul> and more</td>"
    page = PAGE.replace("<td>14</td>", cell).replace("</table>", "</table><ul><li>An item</li></ul>")
    lines = one(write(tmp_path / "a.html", page)).text.splitlines()
    assert "| Berths | Was mayor a good teacher and more |" in [line.strip() for line in lines]
    assert "- An item" in lines


def test_html_has_not_its_title_for_its_source(tmp_path: Path) -> None:
    page = PAGE.replace("Harbour to grow", "U.S. - China talks end").replace('<meta property="og:site_name"', "<meta")
    document = one(write(tmp_path / "a.html", page))
    assert (document.title, document.source) == ("U.S. - China talks end", None)


def test_html_without_an_article(tmp_path: Path) -> None:
    page = write(tmp_path / "a.html", "<html><body><script>let a = 1;</script></body></html>")
    assert refused(page) == ("skipped", "no article text found")


BREAKERS = {
    "deep": "<div>" * 50_000 + "text",
    "long attribute": "<p " + "a" * 2_000_000 + "=1>x",
    "angles": "<" * 10_000,
    "NUL": "\0<p>x",
    "declarations": "<?xml?><?xml?>",
    "comment": "<!--",
    "references": "&#0;&#xd800;" * 99,
}


@pytest.mark.parametrize("markup", BREAKERS.values(), ids=BREAKERS)
def test_html_that_breaks_parsers(tmp_path: Path, markup: str) -> None:
    for entry in read(Source(write(tmp_path / "a.html", markup), "a.html")):
        assert isinstance(entry, Document | Rejected)


@pytest.mark.parametrize("declared", ["iso-8859-1", "latin1", "us-ascii", "windows-1252"])
def test_html_that_says_latin_1_means_windows_1252(tmp_path: Path, declared: str) -> None:
    page = PAGE.replace("utf-8", declared).replace("a plan", "a “plan”").encode("cp1252")
    assert "approved a “plan” on Tuesday" in one(write(tmp_path / "a.html", page)).text


@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1251", "ISO-8859-15", "koi8-r"])
def test_html_in_utf_8_that_says_it_has_one_byte_a_character(tmp_path: Path, declared: str) -> None:
    page = PAGE.replace("utf-8", declared).replace("a plan", "Müller’s plan")
    assert "approved Müller’s plan on Tuesday" in one(write(tmp_path / "a.html", page)).text


def test_html_in_an_encoding_whose_bytes_may_be_utf_8_too(tmp_path: Path) -> None:
    assert decode("ﾃｼ".encode("shift_jis"), "shift_jis") == "ﾃｼ"  # "ü" in UTF-8
    for declared in ("windows-1251", "koi8-r"):
        page = PAGE.replace("utf-8", declared).replace("Café", "Порт").replace("a plan", "план")
        assert "approved план on" in one(write(tmp_path / "a.html", page.encode(declared))).text


@pytest.mark.parametrize("declared", ["utf-16", "UTF-16LE", "utf-16be", "utf-32", "utf-7", "cp500"])
def test_html_declares_in_ascii_no_encoding_that_ascii_is_not_part_of(tmp_path: Path, declared: str) -> None:
    page = PAGE.replace("utf-8", declared).replace("a plan", "a +ADw- plan").encode()
    page += b" " * (-len(page) % 4)  # whole units of UTF-32, which decode to something in UTF-16, too
    assert html.declared_encoding(page) is None
    assert "approved a +ADw- plan on Tuesday" in one(write(tmp_path / "a.html", page)).text
    assert html.declared_encoding(f'<?xml version="1.0" encoding="{declared}"?>'.encode()) is None


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf", b"\xef\xbb\xbf \n\n", b"\xff\xfe", b"\xfe\xff\0\n"], ids=["8", "8n", "16le", "16be"]
)
def test_jsonl_of_a_byte_order_mark(tmp_path: Path, data: bytes) -> None:
    assert refused(write(tmp_path / "a.jsonl", data)) == ("skipped", "empty")


def test_a_key_that_stands_twice_among_many_is_found_at_once(tmp_path: Path) -> None:
    keys = [*range(60_000), 59_999]
    row = "{" + ", ".join(f'"{key}": 1' for key in keys) + "}"
    started = time.process_time()
    (entry,) = read(Source(write(tmp_path / "a.jsonl", row), "a.jsonl"))
    assert time.process_time() - started < 5
    assert isinstance(entry, Rejected)
    assert entry.reason == "line 1: field '59999' stands twice in one object"


def test_jsonl(tmp_path: Path) -> None:
    rows: list[bytes] = [
        json.dumps({"id": "x", "title": "T ", "text": "Text\r\nof x.", "date": "2024-05", "source": "S"}).encode(),
        b"",
        json.dumps({"_id": 7, "title": "", "text": "Seven.", "date": "tomorrow"}).encode() + b"\r",
        b"{not json",
        b'["a"]',
        b'{"id": "y"}',
        b'{"text": "y"}',
        b'{"id": "y", "text": 5}',
        b'{"id": "y", "text": " "}',
        b'{"id": "x", "text": "again"}',
        b'{"id": "z", "text": "\xff"}',
        b'{"id": "s", "text": "a\\ud800b"}',
        b"[" * 100_000,
        b'{"id": ' + b"1" * 5000 + b', "text": "a"}',
    ]
    path = write(tmp_path / "a.jsonl", b"\n".join(rows) + b"\n")
    found = read(Source(path, "in/a.jsonl"))
    assert len(found) == sum(bool(row.strip()) for row in rows)
    documents = [entry for entry in found if isinstance(entry, Document)]
    rejected = [entry for entry in found if isinstance(entry, Rejected)]
    assert [(d.doc_id, d.title, d.text, d.date, d.source) for d in documents] == [
        ("in/a.jsonl#x", "T", "Text\r\nof x.", "2024-05", "S"),
        ("in/a.jsonl#7", None, "Seven.", None, None),
        ("in/a.jsonl#s", None, "a\ufffdb", None, None),
    ]
    assert documents[1].source_sha256 == hashlib.sha256(rows[2].rstrip()).hexdigest()
    assert all(entry.kind == "failed" for entry in rejected)
    lines = (4, 5, 6, 7, 8, 9, 10, 11, 13, 14)
    assert [entry.path for entry in rejected] == [f"in/a.jsonl#line {number}" for number in lines]
    reasons = [entry.reason for entry in rejected]
    assert reasons[0].startswith("line 4: not JSON")
    assert reasons[2] == "line 6: field 'text' is missing or empty"
    assert reasons[3] == "line 7: field 'id' is missing or empty"
    assert reasons[4] == "line 8: field 'text' must be a string, not int"
    assert reasons[6] == "line 10: field 'id': 'x' stands in an earlier line, too"
    assert reasons[7] == "line 11: not UTF-8"


def test_an_id_that_no_link_could_hold(tmp_path: Path) -> None:
    lines = [json.dumps({"id": "文" * length, "text": "a"}).encode() for length in (1000, 1001)]
    kept, refused = read(Source(write(tmp_path / "a.jsonl", b"\n".join(lines)), "a.jsonl"))
    assert isinstance(kept, Document)
    assert isinstance(refused, Rejected)
    assert (refused.kind, refused.path) == ("failed", "a.jsonl#line 2")
    assert refused.reason == "line 2: field 'id' has 1,001 characters: at most 1,000 can be cited"


@pytest.mark.parametrize(
    ("given_date", "expected"),
    [
        ("2024", "2024"),
        ("2024-05", "2024-05"),
        ("2024-13", None),
        ("2024-05-03", "2024-05-03"),
        ("20240503", "2024-05-03"),
        ("2024-05-03T10:00:00Z", "2024-05-03T10:00:00+00:00"),
        ("2024-05-03 10:00", "2024-05-03T10:00:00"),
        ("20240503T1000", "2024-05-03T10:00:00"),
        ("2024-W18-5T10:00", "2024-05-03T10:00:00"),
        ("2024-05-03 (updated)", "2024-05-03"),
        ("1712120400123", None),
        ("1712120400", None),
        ("٢٠٢٤", None),
        ("٢٠٢٤-05", None),
        ("2024-02-31", None),
        ("3 May 2024", None),
        (None, None),
    ],
)
def test_dates(tmp_path: Path, given_date: str | None, expected: str | None) -> None:
    row = {"id": "x", "text": "Text.", "date": given_date}
    (entry,) = read(Source(write(tmp_path / "a.jsonl", json.dumps(row)), "a.jsonl"))
    assert isinstance(entry, Document)
    assert entry.date == expected


FRAGMENTS = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(b"\xef\xbb\xbf,\xff\xfe,\xfe\xff,\xff\xfe\0\0,\0\0\0\0\0".split(b",")),
    st.sampled_from(b"---\n,title: x\n,\n,[a](b),# ,| a | b |\n|---|\n,<!--".split(b",")),
    st.sampled_from(b"<html><body><p>,</p>,<meta charset=utf-7>,<meta charset=idna>,<meta charset=hex>".split(b",")),
    st.sampled_from([b'{"id": "a", "text": "b"}\n', b'{"id": ', b"The harbour grew. " * 9]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(FRAGMENTS, max_size=12).map(b"".join), st.sampled_from(sorted(LOADERS)))
def test_read_raises_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(data)
    found = read(Source(path, path.name))
    units = sum(bool(line.strip()) for line in data.split(b"\n")) if suffix == ".jsonl" else 1
    assert found
    if suffix != ".jsonl" or not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        assert len(found) == max(1, units)
    for entry in found:
        if isinstance(entry, Rejected):
            assert entry.reason
        else:
            assert entry.text.encode("utf-8")
            assert suffix not in (".html", ".htm") or "\r" not in entry.text


def test_what_is_no_file_to_read(tmp_path: Path) -> None:
    assert read(Source(tmp_path, "in")) == [Rejected("in", "the folder cannot be listed", "failed")]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "a.txt"))
        assert refused(tmp_path / "a.txt") == ("skipped", "not a regular file")
    assert read(Source(tmp_path / "b.txt", "b.txt", "too odd")) == [Rejected("b.txt", "too odd", "skipped")]
    for name in ("a.md", "a.html", "a.jsonl"):
        assert refused(write(tmp_path / name, b" \n")) == ("skipped", "empty")


@pytest.mark.timeout(10)
def test_a_pipe_put_in_a_files_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(load._RefusedError, match="not a regular file"):
        load._stable_bytes(tmp_path / "pipe")


def test_a_file_of_just_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_BYTES", 10)
    assert one(write(tmp_path / "a.txt", "It is red.")).text == "It is red."
    assert refused(write(tmp_path / "a.txt", "It is read."))[0] == "skipped"


def test_fields_of_front_matter_and_lines(tmp_path: Path) -> None:
    text = "---\nauthor: A. Writer\nsource: The Quay\n---\nText.\n"
    assert one(write(tmp_path / "a.markdown", text)).source == "The Quay"
    rows = [
        {"id": True, "text": "a"},
        {"_id": "x", "id": "y", "text": "a", "date": 2024, "title": "Har\u00adbour\u200b\ufeff"},
        {"id": "z", "text": "a", "date": " 2024-12 "},
    ]
    path = write(
        tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)) + '\n{"' + "k" * 300 + '": 1, "' + "k" * 300 + '": 2}'
    )
    first, second, third, last = read(Source(path, "a.jsonl"))
    assert isinstance(first, Rejected)
    assert first.reason == "line 1: field 'id' must be a string, not bool"
    assert isinstance(second, Document)
    assert (second.doc_id, second.date, second.title) == ("a.jsonl#y", "2024", "Harbour")
    assert isinstance(third, Document)
    assert third.date == "2024-12"
    assert isinstance(last, Rejected)
    assert len(last.reason) < 150
    number = write(tmp_path / "b.jsonl", '{"id": ' + "1" * 5000 + "}")
    assert len(refused_line(number)) < 110


def refused_line(path: Path) -> str:
    (entry,) = read(Source(path, path.name))
    assert isinstance(entry, Rejected)
    return entry.reason


def test_a_pages_bars_are_masked_and_its_headline_cleaned(tmp_path: Path) -> None:
    data = json.dumps({"@context": "https://schema.org", "@type": "NewsArticle", "headline": "Har\ud800bour"})
    page = PAGE.replace("</head>", f'<script type="application/ld+json">{data}</script></head>')
    document = one(write(tmp_path / "a.html", page))
    assert [document.text[start:end] for start, end in document.masked] == ["|", "|", "|"]


LINES = [
    "The committee was asked to look into envi-",
    "ronmental and environmental questions of the old har\u00ad",
    "bour, which was called well\u2010known and wellknown, and of well-",
    "known places where the Mac\u00ad",
    "Donalds and the NATO\u00ad",
]
FILL = ["and in which nothing else is said of its work at the harbour of it"] * 12


def test_which_hyphens_at_a_line_end_are_masked(tmp_path: Path) -> None:
    document = one(write(tmp_path / "a.txt", "\n".join(["\ufeff", *LINES, *FILL])))
    assert document.hard_wrapped
    assert [document.text[start:end] for start, end in document.masked] == [
        "\ufeff",
        "-\n",
        "\u00ad\n",
        "\u00ad",
        "\u00ad",
    ]


def test_a_long_word_takes_linear_time(tmp_path: Path) -> None:
    text = "\n".join([*FILL, "x" * 200_000, "envi-", "ronmental"])
    started = time.process_time()
    assert one(write(tmp_path / "a.txt", text)).hard_wrapped
    assert time.process_time() - started < 3


class Rewritten(type(Path())):  # type: ignore[misc]
    """A file that whoever looks at it finds written anew, at the same size: in place, or as another file."""

    anew = False

    def stat(self, **_: bool) -> os.stat_result:
        status = Path(self).stat()
        if self.anew:
            write(Path(f"{self}.next"), "other").replace(self)
        os.utime(self, ns=(status.st_atime_ns, status.st_mtime_ns + (not self.anew)))
        return Path(self).stat()


@pytest.mark.parametrize("anew", [False, True])
def test_a_file_that_is_rewritten_at_the_same_size(tmp_path: Path, anew: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rewritten, "anew", anew)
    path = Rewritten(write(tmp_path / "a.txt", "words"))
    assert read(Source(path, "a.txt")) == [Rejected("a.txt", "changed while it was read, 3 times in a row", "failed")]


def test_a_page_without_elements(tmp_path: Path) -> None:
    for markup in ("plain text", "<!-- a comment -->"):
        assert refused(write(tmp_path / "a.html", markup)) == ("skipped", "no article text found")


def test_only_the_day_of_publication_is_a_date(tmp_path: Path) -> None:
    dated = PAGE.replace("</head>", '<meta property="article:modified_time" content="2024-06-07T08:00:00Z"></head>')
    document = one(write(tmp_path / "a.html", dated))
    assert document.date is not None
    assert document.date.startswith("2024-05-03")
    plain = PAGE.replace('<meta property="article:published_time" content="2024-05-03T08:00:00Z">', "").replace(
        "on Tuesday", "on 3 May 2021"
    )
    assert one(write(tmp_path / "b.html", plain)).date is None


def test_a_list_in_a_cell_keeps_its_words(tmp_path: Path) -> None:
    cell = "<td>Since <time>May 2021</time>: <ol><li>mayor</li><li>judge</li></ol></td>"
    lines = one(write(tmp_path / "a.html", PAGE.replace("<td>14</td>", cell))).text.splitlines()
    assert "| Berths | Since May 2021: mayor judge |" in [" ".join(line.split()) for line in lines]


def test_the_author_stands_in_for_the_site(tmp_path: Path) -> None:
    page = PAGE.replace(" - The Quay", "").replace(
        'property="og:site_name" content="The Quay"', 'name="author" content="Ada Lee"'
    )
    assert one(write(tmp_path / "a.html", page)).source == "Ada Lee"
