"""JSON as all readers of it have it: no key twice in an object, no NaN, no infinity (RFC 8259, sections 4 and 6)."""

import json
import math
from typing import Any


class TwiceError(ValueError):
    """An object has this key twice; of the two, readers of JSON silently keep the last."""


def loads(text: str | bytes) -> Any:
    """The value; TwiceError, json.JSONDecodeError, another ValueError or RecursionError where there is none."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refused, parse_float=_finite)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise TwiceError(name)
            seen.add(name)
    return made


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits[:20])
