"""Units that are written in several ways -> one: "5 kilometres", "5-kilometer" and "5 km" are one length.

What a lone letter stands for stays open ("5 m" may be millions), so metres, grams and tons keep their names, and so do
minutes. What "7-year-old" is joined to stands apart, as in "7 years old".
"""

import re
from collections.abc import Sequence

_LENGTHS = {
    f"{prefix}met{end}": f"{prefix[:1]}m" for prefix in ("kilo", "centi", "milli", "nano") for end in ("re", "er")
}
_WEIGHTS = {f"{prefix}gram{end}": f"{prefix[:1]}g" for prefix in ("kilo", "milli") for end in ("", "me")}
_POWERS = {
    f"{prefix}{unit}": f"{prefix[:1]}{symbol}"
    for prefix in ("", "kilo", "mega", "giga", "tera")
    for unit, symbol in (("watt", "w"), ("watt hour", "wh"), ("watt-hour", "wh"), ("hertz", "hz"))
}
_SIZES = {f"{prefix}byte": f"{prefix[:1]}b" for prefix in ("kilo", "mega", "giga", "tera")}
_OTHERS = (
    {"km": "km", "metre": "metre", "meter": "metre", "mile": "mile", "foot": "ft", "feet": "ft", "ft": "ft"}
    | {"inch": "inch", "inches": "inch", "gram": "gram", "gramme": "gram", "kilo": "kg", "ounce": "oz"}
    | {"ton": "ton", "tonne": "tonne", "metric ton": "tonne", "hectare": "ha", "acre": "acre"}
    | {"litre": "l", "liter": "l", "millilitre": "ml", "milliliter": "ml"}
    | {"degree celsius": "c", "degrees celsius": "c", "degrees centigrade": "c", "degrees c": "c"}
    | {"degree fahrenheit": "f", "degrees fahrenheit": "f", "degrees f": "f"}
    | {"second": "second", "minute": "minute", "hour": "hour", "day": "day", "week": "week", "month": "month"}
    | {"year": "year", "decade": "decade", "century": "century", "centuries": "century"}
)
_SYMBOLS = _LENGTHS | _WEIGHTS | _POWERS | _SIZES | _OTHERS
_AREAS = {"mi": "mile", "m": "m", "metre": "m", "meter": "m"}  # "5 m²" is no amount of millions
_NAMES = "|".join(sorted(_SYMBOLS, key=len, reverse=True)).replace(" ", r"\s")
_UNIT = re.compile(
    rf"(?<=[0-9])[\s-]?(?:"
    rf"(?P<speed>kilomet(?:re|er)s?\s(?:per|an)\shour|kph|kmph|km/h)|(?P<miles>miles?\s(?:per|an)\shour)"
    rf"|(?P<square>sq(?:uare|\.)?\s)?(?P<name>{_NAMES}|(?<=sq\s)mi?|(?<=sq\.\s)mi?)s?)\b(?P<joined>-)?",
    re.IGNORECASE,
)
# What a text has at least one of, in lower case, in which ``_UNIT`` changes more than a space.
_WORDS = frozenset(word for name in _SYMBOLS for form in (name, f"{name}s") for word in re.findall("[a-z]+", form))
_WORDS |= {"kph", "kmph", "sq"}
_SPACE = re.compile(
    r"(?<=[0-9])[\s-](?=(?:[kcmn]?m²?|[km]?g|[kmgt]?wh?|[kmgt]b|[kmg]?hz|mph|ha|lbs?|oz|ft|ml|l|t)(?![\w'’])|°)",
    re.IGNORECASE,
)


def united(text: str, words: Sequence[str]) -> str:
    """``text`` with each unit behind a digit in one way, joined to its number; of use only to compare it.

    ``words`` are its words in lower case: where none names a unit, only the symbols are looked for.
    """
    if not _WORDS.isdisjoint(words):
        text = _UNIT.sub(_symbol, text)
    return _SPACE.sub("", text)


def _symbol(match: re.Match[str]) -> str:
    if match["speed"] or match["miles"]:
        symbol = "kmh" if match["speed"] else "mph"
    else:
        name = " ".join(match["name"].lower().split())
        symbol = f"{_AREAS.get(name) or _SYMBOLS[name]}²" if match["square"] else _SYMBOLS[name]
    return symbol + (" " if match["joined"] else "")
