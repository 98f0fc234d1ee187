"""Bytes -> text: by a BOM, a declaration, the bytes' own shape; damaged UTF-8 mended, what is no text refused."""

import codecs
import re
from contextlib import suppress

CONTROL_SHARE = 0.01
"""A file with a larger share of control characters is binary."""
DETECTION_BYTES = 100_000
"""How much of a file without known encoding is looked at to guess it, long stretches of ASCII not counted."""
REPAIRED = 3
"""A file is damaged UTF-8 if that many times as many of its characters beyond ASCII are well-formed as are not."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# How Python's names of encodings with one byte a character begin: those of ASCII and half an alphabet or two.
_SINGLE_BYTE = ("cp125", "iso8859", "koi8")
_CONTROL_BYTES = bytes(code for code in range(32) if code not in b"\t\n\r\f") + b"\x7f"
_CONTROLS = dict.fromkeys(_CONTROL_BYTES)
_NO_ASCII = bytes(range(128, 256))
_FOREIGN = re.compile(b"[\x80-\xff]")
# The middle of a long stretch of ASCII, which says nothing of a file's encoding, behind what is kept of its beginning.
_LONG_ASCII = re.compile(rb"(?<![\x00-\x7f])([\x00-\x7f]{80})[\x00-\x7f]+(?=[\x00-\x7f]{80})")
# What other alphabets turn into in Windows-1252: thorn, eth, signs inside words.
_UNWESTERN = re.compile(r"[ÐðÞþÝý]|(?<=[^\W\d_])[¡-©«-´¶-¸º-¿×÷](?=[^\W\d_])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of ``data``: by its BOM, else as declared, else as UTF-8, else as charset-normalizer has it.

    UTF-8 comes before a declared single-byte encoding, in which any bytes are text and valid UTF-8 is all but never.
    Newlines and a BOM stay; a lone surrogate of UTF-16 and the few bad bytes of damaged UTF-8 become U+FFFD. Raises
    ValueError if the bytes are no text.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _text(data, encoding)
    encodings = [declared, "utf-8"] if declared else ["utf-8"]
    if declared and declared.startswith(_SINGLE_BYTE):
        encodings.reverse()
    for encoding in encodings:
        with suppress(UnicodeError, LookupError, ValueError):
            return _text(data, encoding)
    return _text(data, _utf16(data) or _detected(data))


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for every surrogate: UTF-8 can write none."""
    return _SURROGATE.sub("\ufffd", text)


def _text(data: bytes, encoding: str) -> str:
    errors = "surrogatepass" if encoding.startswith("utf-") else "strict"
    try:
        text = without_surrogates(data.decode(encoding, errors))
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
        text = _repaired(data)
    if _binary(text):
        raise ValueError("control characters")
    return text


def _binary(text: str) -> bool:
    return len(text) - len(text.translate(_CONTROLS)) > CONTROL_SHARE * len(text)


def _repaired(data: bytes) -> str:
    """Damaged UTF-8 with U+FFFD for what is none; ValueError if it is not UTF-8 at all.

    Text in another encoding holds next to no sequences of UTF-8, and more that are none. Of a file that was cut off,
    the last character may be half.
    """
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    good = len(text) - bad - len(data.translate(None, _NO_ASCII))
    cut_off = bad == 1 and good > 0 and text.endswith("\ufffd")
    if good < REPAIRED * bad and not cut_off:
        raise ValueError("not UTF-8")
    return text


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a BOM: Latin text has its NULs at every other place."""
    sample = data[:DETECTION_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) // 5 or min(even, odd) > max(even, odd) // 10:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _detected(data: bytes) -> str:
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > CONTROL_SHARE * len(data):
        raise ValueError("control bytes")
    from charset_normalizer import from_bytes

    # It takes a few samples of its own, which of a file that is nearly all ASCII would be nothing else: "ascii".
    foreign = _FOREIGN.search(data)
    start = max(0, foreign.start() - 80) if foreign else 0
    telling = _LONG_ASCII.sub(rb"\1\n", data[start : start + 20 * DETECTION_BYTES])
    sample = telling[:DETECTION_BYTES]
    if len(telling) > DETECTION_BYTES:
        sample = sample[: max(sample.rfind(b"\n"), sample.rfind(b" ")) + 1] or sample
    matches = from_bytes(sample)
    best = matches.best()
    if best is None:
        raise ValueError("unknown encoding")
    # French, read as Baltic or Central European, looks tidier to it than French; Western is by far the commoner.
    for match in matches:  # one stands for all encodings that give the same text
        western = "cp1252" in match.could_be_from_charset
        if western and match.chaos <= best.chaos + 0.1 and not _UNWESTERN.search(str(match)):
            return "cp1252"
    return best.encoding
