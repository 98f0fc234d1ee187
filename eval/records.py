"""JSON and JSON lines read field by field, with a place in the file for every complaint.

Whatever is not as it should be is an ``InputError`` of one sentence that names the file, the line (JSON lines) or the
path inside the document (JSON), and the field. A leading byte order mark, CRLF and blank lines are accepted.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import InputError
from index.strict import TwiceError, loads

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object and where it stands: a line of ``path`` (0 in a JSON document) and a field path such as
    ``data[3].``.

    Each reader returns the field checked, or raises InputError; a field without ``default`` must be there.
    """

    path: Path
    line: int
    data: dict[str, Any]
    inside: str = ""

    def error(self, name: str, problem: str) -> InputError:
        """The complaint about a field of this record, to be raised."""
        line = f"line {self.line}, " if self.line else ""
        return complaint(self.path, f"{line}field {self.inside + name!r}", problem)

    def text(self, name: str, *, default: str | None = None, blank: bool = False) -> str:
        """A string; only with ``blank`` may it be empty or all white space."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self.error(name, f"expected a string, found {_kind(value)}")
        if not (blank or value.strip() or value == default):
            raise self.error(name, "is blank")
        return self._encodable(name, value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings, none of them blank."""
        values = self._value(name, None)
        if not isinstance(values, list | tuple):
            raise self.error(name, f"expected a list of strings, found {_kind(values)}")
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(f"{name}[{number}]", f"expected a string, found {_kind(value)}")
            if not value.strip():
                raise self.error(f"{name}[{number}]", "is blank")
            self._encodable(f"{name}[{number}]", value)
        return tuple(values)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """True or false, nothing that merely counts as such."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise self.error(name, f"expected true or false, found {_kind(value)}")
        return value

    def number(self, name: str, *, default: int | None = None) -> int:
        """A whole number."""
        value = self._value(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(name, f"expected a whole number, found {_kind(value)}")
        return value

    def children(self, name: str) -> list["Record"]:
        """A list of objects, each with its own place."""
        values = self._value(name, None)
        if not isinstance(values, list):
            raise self.error(name, f"expected a list, found {_kind(values)}")
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(f"{name}[{number}]", f"expected an object, found {_kind(value)}")
        return [Record(self.path, self.line, value, f"{self.inside}{name}[{n}].") for n, value in enumerate(values)]

    def _value(self, name: str, default: object) -> object:
        if name not in self.data and default is None:
            raise self.error(name, "is missing")
        return self.data.get(name, default)

    def _encodable(self, name: str, value: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self.error(name, "holds half of a surrogate pair, which is no character")
        return value


def read_json(path: Path, expected: str) -> Record:
    """The object that a JSON file is; ``expected`` says in a complaint what it should have been ("a SQuAD file")."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        value = _parse(data.decode("utf-8-sig"), expected)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise complaint(path, f"line {line}", "not UTF-8; save the file as UTF-8") from None
    except _NotJsonError as error:
        raise complaint(path, f"line {error.line}", str(error)) from None
    except TwiceError as error:
        raise complaint(path, f"field {str(error)!r}", _TWICE) from None
    return Record(path, 0, _an_object(path, 1, value, expected))


def records(path: Path) -> Iterator[Record]:
    """The objects of a JSON lines file, one at a time, in its order."""
    for line, text in lines(path):
        try:
            value = _parse(text, "one object a line")
        except _NotJsonError as error:
            raise complaint(path, f"line {line}", str(error)) from None
        except TwiceError as error:
            raise complaint(path, f"line {line}, field {str(error)!r}", _TWICE) from None
        yield Record(path, line, _an_object(path, line, value, "one object a line"))


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their 1-based numbers, without their ends; blank ones are left out."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line = raw.removeprefix(_BOM) if number == 1 else raw
                try:
                    text = line.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError:
                    raise complaint(path, f"line {number}", "not UTF-8; save the file as UTF-8") from None
                if text.strip():
                    yield number, text
    except OSError as error:
        raise _unreadable(path, error) from None


def complaint(path: Path, where: str, problem: str) -> InputError:
    """One sentence: the file, the place in it, what is wrong there."""
    return InputError(f"{path}, {where}: {problem}.")


class _NotJsonError(Exception):
    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(problem)
        self.line = line


_TWICE = "stands twice in one object"


def _parse(text: str, expected: str) -> object:
    try:
        return loads(text)
    except TwiceError:
        raise
    except json.JSONDecodeError as error:
        raise _NotJsonError(
            f"not JSON ({error.msg}, column {error.colno}); expected {expected}", error.lineno
        ) from None
    except (RecursionError, ValueError):  # nesting without end, a number of thousands of digits, NaN
        raise _NotJsonError(f"JSON that cannot be read; expected {expected}") from None


def _an_object(path: Path, line: int, value: object, expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise complaint(path, f"line {line}", f"found {_kind(value)}, not an object; expected {expected}")
    return value


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({error.strerror}); give a file that exists and may be read.")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
