"""HTML: the article's text and metadata, as trafilatura has them. It is imported when the first page is read.

The text is trafilatura's own rendering, kept in the index: offsets of such a document are offsets of that text.
"""

import codecs
import logging
import re
from functools import lru_cache
from typing import Any

from index.passage import Span

_DECLARED = re.compile(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml[^<>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{2,40})")
_XML_DECLARATION = re.compile(r"\s*<\?xml[^<>]{0,500}\?>")
_ROW = re.compile(r"^\|[^\n]*\|[ \t]*$", re.MULTILINE)
# Python's names for what is no character set of the web; punycode is decoded in quadratic time.
_NO_CHARSETS = {
    *("punycode", "idna", "utf-7"),
    *("unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape"),
}
# What these labels mean on the web (https://encoding.spec.whatwg.org/#names-and-labels), by Python's names.
_MEANT = {
    **{"ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874"},
    **{"shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030"},
}
_SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_EXPONENT = re.compile("[+−-]?[0-9]+[+−-]?")
_FRACTION = re.compile("[+−-]?[0-9]+[.,/][0-9]+")
_NOTES = re.compile("[0-9]{1,3}(?:[,–-][0-9]{1,3})*|[a-z]")
# Characters that XML, and so lxml, has no place for.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile("&#(?:0*([0-9]{1,5})(?![0-9])|[xX]0*([0-9a-fA-F]{1,4})(?![0-9a-fA-F]));?")
_HOLDS_TEXT = ("p", "li", "td", "th", "dd", "dt", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6")


class ExtractionError(Exception):
    """The page could not be parsed."""


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a page says it has in its first 4,096 bytes, None if it says none that it can have.

    What is said in ASCII is not said in UTF-16, UTF-32 or EBCDIC (the HTML Standard takes UTF-8 for the first two).
    """
    match = _XML.match(data[:4096]) or _DECLARED.search(data[:4096])
    if match is None:
        return None
    label = match.group(1)
    try:
        name = codecs.lookup(label.decode("ascii")).name
        possible = name not in _NO_CHARSETS and label.decode(name) == label.decode("ascii")
    except (ValueError, LookupError):
        return None
    return _MEANT.get(name, name) if possible else None


def extract(markup: str) -> tuple[str, dict[str, str | None]]:
    """The article's text, "" if there is none, and ``title``, ``date``, ``source`` (the site), ``author``.

    Raises ExtractionError if the parser gives up (too deeply nested, for one).
    """
    markup = _FORBIDDEN.sub(" ", markup.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    markup = _REFERENCE.sub(_allowed, _XML_DECLARATION.sub("", markup, count=1))
    if not markup.strip():
        return "", {}
    try:
        trafilatura = _trafilatura()
        tree = trafilatura.load_html(markup)
        if tree is None:
            return "", {}
        # Before the tree is changed: a page's date may be that of any <time>.
        meta = trafilatura.extract_metadata(
            tree, date_config={"extensive_search": False, "original_date": True}, extensive=False
        )
        _keep_inline(tree)
        found = trafilatura.bare_extraction(tree, url=meta.url, include_comments=False, include_tables=True)
    except Exception as error:  # the parser is not ours, and any page may meet it
        raise ExtractionError(f"the page cannot be parsed ({type(error).__name__})") from error
    if found is None:
        return "", {}
    # Of "A - B - The Site" trafilatura may take "A - B" for the site.
    source = None if meta.sitename == meta.title else meta.sitename
    fields = {"title": meta.title, "date": meta.date, "source": source, "author": meta.author}
    return (found.text or "").replace("\r\n", "\n").replace("\r", "\n"), fields


def cells(text: str) -> list[Span]:
    """Spans of an extracted text that are a table's drawing: the bars of its rows, and the line below its head."""
    spans: list[Span] = []
    for row in _ROW.finditer(text):
        if row.group().strip("|:- \t"):
            spans += [(at, at + 1) for at in range(*row.span()) if text[at] == "|"]
        else:
            spans.append(row.span())
    return spans


def _keep_inline(tree: Any) -> None:
    """Turns the elements whose words trafilatura drops, or parts from their sentence, into ones that it keeps."""
    for time in tree.iter("time"):
        if _in_a_sentence(time):  # elsewhere, it is the article's own date
            time.tag = "span"
    for quote in tree.iter("q"):  # a browser shows the quotation marks, which the markup lacks
        quote.tag, quote.text, quote.tail = "span", f"“{quote.text or ''}", f"”{quote.tail or ''}"
    for part in tree.iter("li", "ul", "ol"):  # of a list in a table's cell, nothing would be left
        if next(part.iterancestors("td", "th"), None) is not None:
            part.tag = "p" if part.tag == "li" else "span"
    for part in list(tree.iter("sup", "sub")):  # whose digits would be those of the number or word before
        said = "".join("".join(part.itertext()).split())
        written = _lowered(said, _before(part)) if part.tag == "sub" else _raised(said, _before(part), _links(part))
        if written != said:
            part[:] = []
            part.text = written


def _allowed(reference: re.Match[str]) -> str:
    """A numeric reference to a character; a space for one to a character that is forbidden."""
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    return " " if _FORBIDDEN.fullmatch(chr(code)) else reference[0]


def _in_a_sentence(part: Any) -> bool:
    """Whether an element stands where text does, or in any element with words right before and behind."""
    if next(part.iterancestors(*_HOLDS_TEXT), None) is not None:
        return True
    before, behind = _before(part).rstrip()[-1:], (part.tail or "").lstrip()[:1]
    return bool(before and behind) and (before.isalnum() or before in ",(") and (behind.isalnum() or behind in ",.;)")


def _raised(said: str, before: str, links: bool) -> str:
    """What stands for superscript: "1987³", "10⁻⁶"; in brackets what else is the mark of a note: "4,200[2]", "Lee[a]".

    A letter without a link is one only behind a word ("19e" and "2a" are ordinals). "19th" and asterisks stay.
    """
    note = _NOTES.fullmatch(said) is not None
    if note and (links or not said.isalnum() or (said.isalpha() and before[-3:].isalpha() and len(before) > 2)):
        return f"[{said}]"
    if _FRACTION.fullmatch(said):  # which has no superscript form
        return f"^{said}"
    if not _EXPONENT.fullmatch(said) or (len(said) > 3 and not before[-1:].strip()):  # a small "2024" by itself
        return said
    apart = " " if before[-1:] in tuple("⁰¹²³⁴⁵⁶⁷⁸⁹") else ""
    return apart + said.translate(_SUPERSCRIPTS)


def _lowered(said: str, before: str) -> str:
    """What stands for subscript: "1010₂", "¹/₂"; "CO2" stays, as everybody writes and asks for it."""
    return said.translate(_SUBSCRIPTS) if said.isdecimal() and before[-1:] in tuple("0123456789/⁄") else said


def _links(part: Any) -> bool:
    """Whether an element holds a link, or is all that a link holds."""
    around = part.getparent()
    if around is not None and around.tag == "a" and len(around) == 1:
        return not f"{around.text or ''}{part.tail or ''}".strip()
    return next(part.iter("a"), None) is not None


def _before(part: Any) -> str:
    """The text right before an element."""
    previous, parent = part.getprevious(), part.getparent()
    if previous is not None:
        return previous.tail or "".join(previous.itertext())
    return "" if parent is None else parent.text or ""


@lru_cache(maxsize=1)
def _trafilatura() -> Any:
    import trafilatura

    for name in ("trafilatura", "htmldate", "courlan", "justext"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return trafilatura
