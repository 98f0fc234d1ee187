"""What the training commands' lines hold: numbers out of range are refused, folders are made."""

import argparse
import math
from pathlib import Path

from index.errors import InputError


def minutes(text: str) -> float:
    """A time limit, finite and above 0; for argparse."""
    value = _number(float, text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in minutes: give a number above 0")
    return value


def count(text: str) -> int:
    """How many of something: 1 or more; for argparse."""
    return _whole(text, 1)


def from_zero(text: str) -> int:
    """A whole number from 0 on that torch takes for a seed; for argparse."""
    return _whole(text, 0)


def folder(path: Path) -> None:
    """Make ``path`` where it is missing; InputError when it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made a folder ({error.strerror}); give another place") from error


def _whole(text: str, low: int) -> int:
    value = _number(int, text)
    if not low <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range: give a whole number from {low} on")
    return int(value)


def _number(kind: type[int] | type[float], text: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
