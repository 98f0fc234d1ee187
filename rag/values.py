"""Values that are written in several ways -> one: "$0.85 billion", "US$850m" and "850 million dollars" are one amount.

Only what the text plainly says is one: which part of "3/4/2025" is the month, whose money "¥" is and whether "5 m" is a
length stay open, so these are compared as they are written.
"""

import re

from rag.units import united

# The currencies most traded (the BIS's triennial survey), with China's as the press writes it.
CODES = (
    "USD|EUR|JPY|GBP|CNY|RMB|AUD|CAD|CHF|HKD|SGD|INR|KRW|SEK|MXN|NZD|NOK|TWD|BRL|ZAR|DKK|PLN|THB|ILS|IDR|CZK|AED|TRY|HUF"
    "|CLP|SAR|PHP|MYR|COP|RUB|RON|PEN|BHD|BGN|ARS"
)

_ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_COUNTS = {name: count for count, name in enumerate(["zero", *_ONES, *_TEENS])}
_COUNTS |= {name: 10 * count for count, name in enumerate(_TENS, 2)} | {"a": 1, "an": 1, "and": 0}
_LARGE = ["dozen", "hundred", "thousand", "million", "billion", "trillion"]
_COUNTING = {*_ONES, *_TEENS, *_TENS, *_LARGE, "zero", "half"}
_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"]
_COUNTS |= {name: count for count, name in enumerate(_ORDINALS, 1)}
_ONE = rf"(?:{'|'.join(_ONES)})\b"
_ORDINAL = rf"-(?:{'|'.join(_ORDINALS)})\b"
# In "twenty one-bedroom flats" twenty is the count, and "no one" is no "No. 1".
_SMALL = rf"(?:(?:{'|'.join(_TENS)})\b(?!{_ORDINAL})(?:-{_ONE}|\s{_ONE}(?!-))?|(?:{'|'.join(_TEENS)}|zero)\b|{_ONE})"
# "between five hundred and six hundred" are two numbers.
_CARDINAL = rf"(?:(?:(?:{_SMALL}|an?)\s+|^)hundred\b(?:\s+(?:and\s+)?(?!{_SMALL}\s+hundred\b){_SMALL})?|{_SMALL})"
# Such a half belongs to the number before it: without that in sight it stays as written. So does "twenty-second", which
# is 22nd or lasts 20 seconds.
_AND_A_HALF = r"[\s-]and[\s-]a[\s-]half\b"
HALVED = re.compile(rf"(?<![\w.,])(?:{_CARDINAL}|[0-9]+){_AND_A_HALF}(?:[\s-](?:{'|'.join(_LARGE)})\b)?", re.IGNORECASE)
"""A number and a half, with what it counts where that is a magnitude: "two and a half million"."""
_WORDS = re.compile(
    rf"\b(?<!\bno\s)(?:(?:{_CARDINAL}|(?<![.,])[0-9]+(?={_AND_A_HALF}))(?P<half>{_AND_A_HALF})?"
    rf"|(?P<ordinal>(?:{'|'.join(_TENS)})(?!-second){_ORDINAL})"
    rf"|(?:(?<!\band\sa\s)half\s+an?\s+|(?<!\band\s)(?<!\band\sa\s)half\s+|an?\s+|^)(?=(?:{'|'.join(_LARGE)})\b))",
    re.IGNORECASE,
)
# Where all numbers were words: "two thousand five hundred".
_THOUSANDS = re.compile(
    r"\b([0-9]{1,3}) thousand ([0-9]{1,3})(?![\w.]|\s(?:hundred|thousand|million|billion|trillion))"
)
# The letters that a pattern takes for "i", "k" or "s" where case does not count.
_ALIKE = str.maketrans("ıİ\u212aſ", "iIKs")
_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"[a-z]+")

_MONTHS = ["january", "february", "march", "april", "may", "june"]
_MONTHS += ["july", "august", "september", "october", "november", "december"]
_MONTH_NUMBERS = {name[:3]: number for number, name in enumerate(_MONTHS)}
_DATING = {*_MONTHS, *_MONTH_NUMBERS, "sept"}
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY = r"[0-9]{1,2}(?:\s?[-–]\s?[0-9]{1,2})?"
_BEHIND_DAY = r"(?:st|nd|rd|th)?(?![\w%]|[.,:/–-][0-9])"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?P<day>{_DAY})(?:st|nd|rd|th)?(?:\sof)?\s(?P<month>{_MONTH})(?:,?\s(?P<year>[0-9]{{4}})\b)?",
        rf"\b(?P<month>{_MONTH})\s(?P<day>{_DAY}){_BEHIND_DAY}(?:,?\s(?P<year>[0-9]{{4}})\b)?",
        rf"\b(?P<month>{_MONTH})(?P<day>),?\s(?P<year>[0-9]{{4}})\b",
    )
)
_ISO_DATE = re.compile(r"\b([0-9]{4})-(0[1-9]|1[0-2])-([0-3][0-9])\b")
_TIME_RANGE = re.compile(
    r"(?<![\w.,:∶$])([0-9]{1,2})\.([0-9]{2})(?=\s?[-–]\s?[0-9]{1,2}(?:[:.][0-9]{2})?\s?[ap]\.?\s?m\b)", re.IGNORECASE
)
_TIME = re.compile(r"(?<![\w.,:∶$])([0-9]{1,2})(?:[:.]([0-9]{2}))?\s?([ap])(?:m\b|\.\s?m\b\.?)", re.IGNORECASE)

_SIGN = r"[$£¥\u20a0-\u20cf]"
_DOLLAR = r"(?:US|AU|A|CA|C|HK|NZ|S|NT|R)?\$"
_HEAD = rf"(?:{_DOLLAR}|{_SIGN}|{CODES})"
_CURRENCIES = (
    {"$": "usd", "us$": "usd", "a$": "aud", "au$": "aud", "c$": "cad", "ca$": "cad", "hk$": "hkd", "nz$": "nzd"}
    | {"s$": "sgd", "nt$": "twd", "r$": "brl", "€": "eur", "£": "gbp", "₹": "inr", "₩": "krw", "rmb": "cny"}
    | {"dollar": "usd", "dollars": "usd", "euro": "eur", "euros": "eur", "pound": "gbp", "pounds": "gbp"}
    | {"sterling": "gbp", "yen": "jpy", "yuan": "cny", "renminbi": "cny"}
)
_POWERS = (
    {
        "dozen": 12,
        "hundred": 100,
        "thousand": 10**3,
        "lakh": 10**5,
        "million": 10**6,
        "crore": 10**7,
        "billion": 10**9,
        "trillion": 10**12,
    }
    | {"mn": 10**6, "mln": 10**6, "bn": 10**9, "bln": 10**9, "tn": 10**12, "trn": 10**12}
    | {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
)
_LONG = [name for name in _POWERS if len(name) > 1]
_UNIT = (
    r"\\?%|(?i:per\s?cent|pct|(?<=[0-9])(?-i:pc)|"  # "5pc", but "5 pc" may be pieces
    r"(?:(?:US|U\.S\.|American)\s)?dollars?|euros?|pounds?(?:\ssterling)?|sterling|yen|yuan|renminbi)\b"
    rf"|(?:{CODES})\b|{_SIGN}(?!\s?[0-9])"
)
_VALUE = (
    rf"(?:({_HEAD})\s?)?([0-9]{{1,30}}(?:·[0-9]{{1,30}})?)(?![·0-9])"
    rf"(?:[\s-]?((?i:{'|'.join(_POWERS)}))(?!\w))?(?:[\s-]?({_UNIT}))?"
)
_START = rf"(?<![\w·])(?=[A-Z0-9]|{_SIGN})"  # sooner known than the whole
_ALONE = re.compile(_START + _VALUE)
_RANGE = re.compile(rf"{_START}{_VALUE}(?:\s?[-–—]\s?|−|\sto\s){_VALUE}")
_BETWEEN = re.compile(rf"\b(?i:between)\s{_START}{_VALUE}\sand\s{_VALUE}")

_NUMERAL = re.compile(r"(?<![0-9])[0-9]+(?:[.,][0-9]+)+")
_GROUPED = re.compile(r"(?!0)[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?")  # "12,34,567.8", as in India too
_CONTINENTAL = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]{1,2}|0,[0-9]+")  # "1.234,5"
_SPACED = re.compile(r"(?<![\w.,])[0-9]{1,3}(?:[ \u00a0\u2009\u202f][0-9]{3})+(?![0-9])")
_LATEX = re.compile(rf"(?<!\w)({_DOLLAR}[0-9.,]+)\$|\$([0-9.,]+)\$")  # "$38$ billion"; "GB$200$" is no money
# As accountants write it, with what is counted behind: "$(41) million", "(8.2)%". "(8.2%)" may be a remark.
_IN_BRACKETS = re.compile(
    rf"(?<!\w)({_HEAD})\s?\(([0-9][0-9.,]*)\)"
    rf"|\(((?:{_HEAD}\s?)?[0-9][0-9.,]*)\)(?=\s?(?:{_UNIT}|(?i:{'|'.join(_LONG)})\b))"
)
_MINUS = re.compile(rf"(?:(?<![0-9%]\s)(?<!\bor\s)\bminus|^negative)\s(?=(?:{_HEAD}\s?)?\.?[0-9])", re.IGNORECASE)
# What SQuAD's normalisation would delete and a value is not the same without is written with a mark that it leaves.
_MARKS = (
    (re.compile(r"(?<![\w.])\.(?=[0-9])"), "0·"),
    (re.compile(r"(?<=[0-9]):(?=[0-9])"), "∶"),
    (re.compile(r"(?<=[0-9])/(?=[0-9])"), "⁄"),
    (re.compile(rf"{_START}({_HEAD})[-−](?=[0-9])"), r"−\1"),
    (re.compile(rf"(?<![\w)%$£¥\u20a0-\u20cf])[-−](?=(?:{_HEAD}\s?)?[0-9])"), "−"),
    (re.compile(rf"(?:^|(?<=[\s(\[“\"'])(?<![0-9%]\s))–(?=(?:{_HEAD}\s?)?[0-9])"), "−"),
    (re.compile(r"(?<=[0-9][eE])[-−](?=[0-9])"), "−"),
    (re.compile(r"(?<=[0-9])'(?=[0-9])(?![0-9]{3}(?![0-9]))"), "′"),  # "6'2", but the thousands of "21'000"
    (re.compile(r"(?<=[0-9])\s?°\s?(?=[CF]\b)"), ""),
)
_SIGNS = re.compile(rf"(?<=[0-9])\+(?=[0-9])|(?<=[0-9)])\^|(?<![=-])[<>]=?\s?(?=−?(?:{_HEAD}\s?)?[0-9])")
_KEPT = {"+": "＋", "^": "＾", "<": "≺", ">": "≻", "<=": "≤", ">=": "≥"}
# In a continental text "2.500" is 2,500, in an English one 2.5.
_PARTED = re.compile(r"[1-9][0-9]{0,2}·[0-9]{2}0")
_DASH = re.compile(r"(?<=[0-9])[-–−](?=[0-9])")


def canonical(text: str) -> str:
    """``text`` with each value in it written in one way, of use only to compare it with another so written."""
    if not text.isascii():
        text = text.translate(_ALIKE)
    words = _WORD.findall(text.lower())  # what no word tells of is not looked for: this runs for hundreds of spans
    if not _COUNTING.isdisjoint(words):
        spelled = not _DIGIT.search(text)
        text = _WORDS.sub(_count, text)
        if spelled and "thousand" in words:
            text = _THOUSANDS.sub(lambda match: match[1] + match[2].rjust(3, "0"), text)
    if not _DIGIT.search(text):
        return text
    if not _DATING.isdisjoint(words):
        for pattern in _DATES:
            text = pattern.sub(_date, text)
    if "(" in text:
        text = _IN_BRACKETS.sub(lambda match: f"−{match[1] or ''}{match[2] or match[3]}", text)
    if "minus" in words or words[:1] == ["negative"]:
        text = _MINUS.sub("−", text)
    text = _ISO_DATE.sub(lambda match: f"{int(match[3])} {_MONTHS[int(match[2]) - 1]} {match[1]}", text)
    text = _TIME.sub(_time, _TIME_RANGE.sub(r"\1:\2", text))
    if "$" in text:
        text = _LATEX.sub(lambda match: match[1] or match[2], text)
    text = _SPACED.sub(lambda match: "".join(match[0].split()), text)
    text = _NUMERAL.sub(lambda match: _numeral(match[0]), text)
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    text = _SIGNS.sub(lambda match: _KEPT[match[0].rstrip()], text)
    if "between" in words:
        text = _BETWEEN.sub(_range, text)
    text = _ALONE.sub(_value, _RANGE.sub(_range, text))
    return united(_DASH.sub("–", text), words)


def _count(match: re.Match[str]) -> str:
    """Number words as digits; those before a dozen or a million ("half a", "a", nothing) with the space behind."""
    words = match[0].removesuffix(match["half"] or "")
    names = words.lower().replace("-", " ").split()
    if not words or words[-1].isspace():
        return "0.5 " if names[:1] == ["half"] else "1 "
    half = ".5" if match["half"] else ""
    if words.isdecimal():
        return words + half
    at = names.index("hundred") + 1 if "hundred" in names else 0
    number = sum(_COUNTS[name] for name in names[at:])
    if at:
        number += 100 * (sum(_COUNTS[name] for name in names[: at - 1]) if at > 1 else 1)
    if match["ordinal"]:
        return f"{number}{ {1: 'st', 3: 'rd'}.get(number % 10, 'th') }"
    return f"{number}{half}"


def _date(match: re.Match[str]) -> str:
    days = "–".join(str(int(day)) for day in re.findall(r"[0-9]+", match["day"]))
    return " ".join(filter(None, (days, _MONTHS[_MONTH_NUMBERS[match["month"][:3].lower()]], match["year"])))


def _time(match: re.Match[str]) -> str:
    minutes = "" if match[2] in (None, "00") else f"∶{match[2]}"
    return f"{match[1]}{minutes}{match[3]}m"


def _numeral(digits: str) -> str:
    """Without the commas between thousands, and with "·" for the decimal point or comma."""
    if _GROUPED.fullmatch(digits):
        return digits.replace(",", "").replace(".", "·")
    if _CONTINENTAL.fullmatch(digits):
        return digits.replace(".", "").replace(",", "·")
    return digits.replace(",", " ").replace(".", "·")


def _value(match: re.Match[str]) -> str:
    return _written(*match.groups()) or match[0]


def _range(match: re.Match[str]) -> str:
    """A range with the sign of its first value and the magnitude and unit of its last at both: "$5–7 billion"."""
    head, first, power, unit, other_head, last, other_power, other_unit = match.groups()
    if (other_head and not head) or (power and not other_power) or (unit and not other_unit):
        return match[0]
    if other_power and not power and len(first.partition("·")[0]) < 4:  # "$750,000 to $1 million" says it in full
        if float(first.replace("·", ".")) > float(last.replace("·", ".")):
            return match[0]
        power = other_power
    low = _written(head, first, power, unit or other_unit)
    high = _written(other_head or head, last, other_power, other_unit)
    return f"{low}–{high}" if low and high else match[0]


def _written(head: str | None, number: str, power: str | None, unit: str | None) -> str | None:
    """One value in the one way; None where it is not plain what it is."""
    factor = _POWERS[power.lower()] if power else 1
    if unit and (unit.endswith("%") or unit.lower().startswith(("pc", "per"))):
        return f"{_product(number, factor)} percent"  # the dollar signs of LaTeX's "$5\%$" say nothing
    if unit and not power and unit.lower() in ("pound", "pounds"):  # of weight, or of money
        return None
    before, behind = _currency(head), _currency(unit)
    if before and behind and before != behind and head != "$":
        return None
    if not before and not behind:
        if power and len(power) == 1:  # beside money alone a letter is a magnitude: "5 m" is a length
            return None
        return _product(number, factor) if power else number
    return f"{behind or before}{_product(number, factor)}"


def _currency(name: str | None) -> str | None:
    if name is None:
        return None
    name = name.lower().split()[-1]
    return _CURRENCIES.get(name, name)


def _product(number: str, factor: int) -> str:
    """The product, exact, without needless zeros; as it is written where the point may also part thousands."""
    if _PARTED.fullmatch(number):
        return number if factor == 1 else f"{number} × {factor}"
    whole, _, fraction = number.partition("·")
    digits = str(int(whole + fraction) * factor).rjust(len(fraction) + 1, "0")
    at = len(digits) - len(fraction)
    return "·".join(filter(None, (digits[:at], digits[at:].rstrip("0"))))
