"""Values in several spellings: which are one, and which are not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.normal import wording
from rag.values import canonical

# Of each line all are one, and no line is another.
ONE = (
    # counts
    ("12", "twelve", "Twelve", "a dozen", "A dozen"),
    ("24", "twenty-four", "twenty four", "two dozen"),
    ("6", "six", "half a dozen", "half dozen"),
    ("105", "a hundred and five", "one hundred five", "hundred and five"),
    ("2.5 million", "two and a half million", "Two and a half million", "2 and a half million", "2,500,000"),
    ("2.5-year", "two-and-a-half-year", "two and a half-year", "two and a half years"),
    ("500 to 600", "between 500 and 600", "between five hundred and six hundred", "between five hundred and 600"),
    ("2,500", "two thousand five hundred"),
    ("21st century", "twenty-first century", "Twenty-First Century"),
    ("100,000", "hundred thousand", "a hundred thousand", "one hundred thousand"),
    ("506,000", "five hundred and six thousand"),
    ("600", "ſix hundred", "sıx hundred", "sİx hundred"),
    ("200,000", "200 000", "two hundred thousand", "200 thousand", "0.2 million"),
    ("21,000", "21 000", "21\u00a0000", "21\u202f000", "21\u2009000", "21000", "21’000"),
    ("100", "a hundred", "hundred"),
    ("the 1990s", "the 1990's"),
    ("0.5 billion", "half a billion", "500 million", "half billion"),
    ("50", "half a hundred"),
    ("500", "half a thousand"),
    ("0.5 trillion", "half a trillion", "500 billion"),
    ("1 million", "a million", "million", "1,000,000"),
    ("7.5bn people", "7.5 billion people", "7,500,000,000 people"),
    ("1,234.5", "1.234,5", "1234.5"),
    ("Formula One", "Formula 1"),
    ("2 one-bedroom flats", "two 1-bedroom flats"),
    # money
    (
        *(
            "$0.85 billion",
            "850 million dollars",
            "USD 850 million",
            "$850m",
            "US$850 million",
            "$850,000,000",
            "$850 M",
        ),
        *("850 million US dollars", "$ 850 million", "850-million-dollar", "$850 million USD", "$850$ million"),
    ),
    ("€4 million", "4m euros", "4 million euros", "EUR 4m", "4 million €", "EUR4,000,000"),
    ("$2.1tn", "$2.1 trillion", "$2.1T"),
    ("$850K", "$850,000", "$850 thousand", "850,000 dollars"),
    ("$1.20 billion", "$1.2 billion", "$1.2B", "1.2 billion dollars"),
    ("$38B", "$38 billion", "$38-billion", "$38 bn"),
    ("£4m", "4 million pounds", "GBP 4 million", "4m pounds sterling"),
    ("NOK 41.7bn", "41.7 billion NOK", "NOK41.7 billion"),
    ("CNY 5 million", "RMB 5m", "5 million yuan", "5m renminbi"),
    ("A$5m", "AUD 5 million", "AU$5 million", "$5 million AUD"),
    ("half a million dollars", "$500,000", "$0.5m"),
    ("$.50", "$0.5", "$0.50"),
    ("-$5 million", "$-5 million", "−$5m"),
    ("$1.5 billion", "one and a half billion dollars", "$1 and a half billion"),
    ("$750,000 to $1 million", "$750,000 to $1,000,000", "$750,000–$1m"),
    ("€2.500", "2.500 euros", "EUR 2.500"),
    ("38,3 billion", "38.3 billion"),
    # percents and ranges
    ("five percent", "5%", "5 pct", "5pc", "5 pct.", "5 per cent", "5.0 percent", "$5\\%$"),
    ("5%–7%", "5 to 7 percent", "5-7%", "5% to 7%", "five to seven per cent", "5 – 7 %"),
    ("$5–7 billion", "$5 billion to $7 billion", "$5bn-$7bn", "5 billion to 7 billion dollars"),
    ("1990-1991", "1990–1991", "1990 to 1991"),
    # dates and times
    ("3 March 2025", "March 3, 2025", "3rd March 2025", "the 3rd of March 2025", "Mar. 3 2025", "2025-03-03"),
    ("3 March", "March 3rd", "3 Mar"),
    ("1 March 2025", "1st March 2025", "March 1st, 2025"),
    ("2 March 2025", "2nd of March 2025", "March 2nd 2025"),
    ("4 March 2025", "4th March 2025", "March 4th, 2025"),
    ("3–5 March 2025", "March 3-5, 2025"),
    ("Sept. 2025", "September 2025", "September, 2025"),
    ("7:30 pm", "7.30pm", "7:30 p.m.", "7.30 PM"),
    ("9.30–10.30am", "9:30-10:30 am", "9.30 – 10.30 a.m."),
    ("7 pm", "7pm", "7:00 p.m."),
    # measures
    ("10 km", "10 KM", "10km", "10\u00a0km", "10-km"),
    ("2.5 GW", "2.5GW"),
    ("21 °C", "21°C", "21C", "21° C"),
    ("-4C", "–4C", "−4°C", "minus 4 degrees Celsius", "minus four °C"),
    ("5 km", "five kilometres", "5 kilometers", "5-kilometre", "5 kms"),
    ("5 metres", "5-meter", "five meters"),
    ("5 cm", "5 centimetres"),
    ("5 mm", "5 millimeters"),
    ("5 nm", "5 nanometres"),
    ("5 mg", "5 milligrams"),
    ("5 grams", "5 grammes", "5-gram"),
    ("5 oz", "five ounces"),
    ("5 litres", "5 liters", "5 l"),
    ("5 ml", "5 millilitres", "5 milliliters"),
    ("5 acres", "5-acre"),
    ("5 decades", "five-decade"),
    ("1 °C", "one degree Celsius", "1 degrees C", "1 degrees centigrade"),
    ("1 °F", "one degree Fahrenheit", "1 degrees F"),
    ("9 TWh", "9 terawatt hours"),
    ("9 TB", "9 terabytes"),
    ("6 feet", "six ft", "6-foot"),
    ("6 inches", "six-inch"),
    ("3 kg", "three kilos", "3 kilograms", "3 kilogrammes"),
    ("3 tonnes", "3 metric tons", "three-tonne"),
    ("3 tons", "3-ton"),
    ("40 MW", "40 megawatts", "forty-megawatt"),
    ("40 GWh", "40 gigawatt-hours", "40 gigawatt hours"),
    ("8 GB", "8 gigabytes"),
    ("3 GHz", "3 gigahertz"),
    ("2.5 million hectares", "2,500,000 ha"),
    ("7 square kilometres", "7 sq km", "7 km²", "seven square kilometers"),
    ("7 square metres", "7 sq m", "7 m²", "seven square meters"),
    ("7 square miles", "7 sq mi", "7 sq. miles"),
    ("5 to 7 kilometres", "between 5 and 7 km", "5-7 km", "five to seven kilometers"),
    ("60 km/h", "60 kph", "60 kilometres per hour", "60 kilometers an hour"),
    ("60 mph", "60 miles per hour", "60 miles an hour"),
    ("seven years", "7 years", "7-year"),
    ("7-year-old", "seven years old"),
    ("3 weeks", "three-week"),
    ("two centuries", "2 century"),
    # losses
    ("-8.2%", "(8.2)%", "minus 8.2 percent", "negative 8.2 per cent", "(8.2) %"),
    ("-.5%", "minus .5%"),
    ("-$41 million", "$(41) million", "($41) million", "minus $41m", "$ (41) million", "(41) million dollars"),
    ("$4.8 billion to $4.9 billion", "between $4.8 and $4.9 billion", "$4.8–4.9bn"),
    ("1996 to 1999", "between 1996 and 1999", "1996–1999"),
    ("<$8", "< 8 dollars"),
    ("2008, L'Oréal", "2008 L'Oréal"),
)


@pytest.mark.parametrize("spellings", ONE)
def test_one_value_in_several_spellings(spellings: tuple[str, ...]) -> None:
    assert {wording(spelling) for spelling in spellings} == {wording(spellings[0])}


def test_values_of_two_lines_stay_apart() -> None:
    assert len({wording(spelling) for spellings in ONE for spelling in spellings}) == len(ONE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.8", "38"),
        (".5", "5"),
        ("$.5", "$5"),
        ("3/4", "34"),
        ("-5", "5"),
        ("-5 to -7", "5 to 7"),
        ("$300", "300"),
        ("$300", "€300"),
        ("A$300", "$300"),
        ("¥5bn", "5 billion yen"),
        ("¥5bn", "5 billion yuan"),
        ("5 million", "5 billion"),
        ("38,3", "383"),
        ("1,2,3", "12.3"),
        ("1-2-3", "1-23"),
        ("1.2.3", "12.3"),
        ("3.10", "3.1"),
        ("007", "7"),
        ("10²", "102"),
        ("5 m", "5 million"),
        ("5 m", "$5m"),
        ("5 pounds", "£5"),
        ("401k", "401,000"),
        ("5 percent", "5 percentage points"),
        ("5%-7%", "57%"),
        ("5 to 7 percent", "5 to 7"),
        ("3/4/2025", "4/3/2025"),
        ("March 3", "March 5"),
        ("7:30 am", "7:30 pm"),
        ("7:30 pm", "7:03 pm"),
        ("no one", "No. 1"),
        ("dozens", "dozen"),
        ("twenty one-bedroom flats", "21 bedroom flats"),
        ("2021 300", "2021300"),
        ("12 3456", "123456"),
        ("of 5 thousand 300 came", "of 5,300 came"),
        ("a year and a half a million came", "a year and a 500,000 came"),
        ("5 to $7 billion", "5 billion to $7 billion"),
        ("5 to $7 of it", "6 to $7 of it"),
        ("5 to 7 pounds of it", "6 to 8 pounds of it"),
        ("€5 million USD", "$5 million"),
        ("€5 million USD", "€5 million"),
        ("GB$200$", "$200"),
        ("two and a half million", "half a million"),
        ("and a half million", "half a million"),
        ("one and a half billion dollars", "half a billion dollars"),
        ("25.000 euros", "€25"),
        ("€2.500", "€2.50"),
        ("€1.500 million", "€1.5 million"),
        ("5.000%", "5%"),
        ("5.000%", "5.000"),
        ("$750,000 to $1 million", "$750 billion to $1 million"),
        ("6'2\"", '62"'),
        ("6’2", "62"),
        ("5'10\"", "510"),
        ("<1%", ">1%"),
        ("<1%", "1%"),
        ("<$5", "$5"),
        ("<=5", "<5"),
        ("10^6", "106"),
        ("10^-6", "10^6"),
        ("1e-6", "1e6"),
        ("18+", "18"),
        ("50%+", "50%"),
        ("$5m+", "$5m"),
        ("2+2", "22"),
        ("–5C", "5C"),
        ("twenty-first", "20 first"),
        ("twenty-second", "22nd"),
        ("5 metres", "5 m"),
        ("5 square km", "5 km"),
        ("5 tons", "5 tonnes"),
        ("5 litres per hour", "5 litres"),
        ("5 kilometres per hour", "5 km"),
        ("(8.2)%", "8.2%"),
        ("(8.2%)", "-8.2%"),
        ("$(41) million", "$41 million"),
        ("(41)", "-41"),
        ("5 minus 3", "5 -3"),
        ("5% minus 3", "5% -3"),
        ("plus or minus 5%", "plus or -5%"),
        ("tested negative 3 times", "tested -3 times"),
        ("between 5 and 7", "5 and 7"),
        ("inbetween 5 and 7", "in5 to 7"),
        ("was negative 5", "was -5"),
        ("negative is negative 5", "negative is -5"),
        ("between €5 and $7", "€5 to €7"),
    ],
)
def test_values_that_only_look_alike(one: str, other: str) -> None:
    assert wording(one) != wording(other)


@pytest.mark.parametrize("text", ["5 kilometresque", "GUSD (5)", "5 daysails"])
def test_what_only_begins_or_ends_like_a_unit_stays(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        "km",
        "cm",
        "mm",
        "nm",
        "m",
        "kg",
        "mg",
        "g",
        "kW",
        "MW",
        "GW",
        "TW",
        "W",
        "kWh",
        "Wh",
        "kB",
        "MB",
        "GB",
        "TB",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "km/h",
        "kph",
        "mph",
        "ha",
        "lb",
        "lbs",
        "oz",
        "ft",
        "ml",
        "l",
        "t",
    ],
)
def test_each_of_the_units_may_stand_apart(unit: str) -> None:
    assert wording(f"10 {unit}") == wording(f"10-{unit}") == wording(f"10{unit}")


def amounts() -> st.SearchStrategy[tuple[int, int]]:
    """A number of thousandths, and of a power of ten."""
    return st.tuples(st.integers(1, 10**6), st.sampled_from((3, 6, 9, 12)))


def spelled(amount: tuple[int, int]) -> list[str]:
    thousandths, power = amount
    digits = f"{thousandths // 1000}.{thousandths % 1000:03}".rstrip("0").rstrip(".")
    whole = thousandths * 10 ** (power - 3)
    word, short = {3: ("thousand", "k"), 6: ("million", "mn"), 9: ("billion", "bn"), 12: ("trillion", "tn")}[power]
    return [
        f"${digits} {word}",
        f"US${digits}{short}",
        f"USD {digits} {word}",
        f"{digits} {word} dollars",
        f"${whole:,}",
        f"${whole}",
        f"{whole:,} dollars".replace(",", " "),
    ]


@given(amounts(), amounts())
def test_amounts_are_one_exactly_where_they_are(one: tuple[int, int], other: tuple[int, int]) -> None:
    said, told = ({wording(spelling) for spelling in spelled(amount)} for amount in (one, other))
    assert len(said) == len(told) == 1
    assert (said == told) is (one[0] * 10 ** one[1] == other[0] * 10 ** other[1])
    assert wording(*said) in said


@given(st.integers(0, 199), st.integers(0, 199))
def test_number_words_are_the_numbers(one: int, other: int) -> None:
    ones = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    ones += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

    def words(number: int) -> str:
        if number >= 100:
            return "one hundred" + (f" and {words(number - 100)}" if number > 100 else "")
        return (
            ones[number] if number < 20 else tens[number // 10 - 2] + (f"-{ones[number % 10]}" if number % 10 else "")
        )

    assert wording(words(one)) == str(one)
    assert (wording(f"{words(one)} ships") == wording(f"{other:,} ships")) is (one == other)


# "ı", "İ", "ſ" and the Kelvin sign are letters that a pattern without case takes for others.
PIECES = st.sampled_from(
    [
        "ſix",
        "fıve",
        "sİx",
        " hundred",
        " mıllıon",
        " and a half",
        "5 ",
        " ſept",
        " aprıl 3",
        "5\u212a",
        "5 kıloſ",
        "5 sq m",
        "7 ſq mi",
        "(5)%",
        "minus ",
    ]
)


@given(
    st.text(st.sampled_from("0123456789.,:/-–−$€ mk%^+<>'"), max_size=12)
    | st.text(max_size=20)
    | st.lists(PIECES | st.sampled_from(" -1ısſİ$"), max_size=6).map("".join)
)
def test_whatever_the_text_it_has_a_wording(text: str) -> None:
    assert wording(text) or not text
    assert canonical(text) or not text
    if text.isdigit() and text.isascii():
        assert wording(text) == text


def test_time_is_linear_in_a_text() -> None:
    started = time.process_time()
    for piece in (
        "1",
        "1,",
        "1.",
        "1 000 ",
        "$1$",
        "a ",
        "twenty ",
        "5 square ",
        "5 kilometres per ",
        "between 5 ",
        "$(1",
        "minus ",
        "one hundred and ",
        "two and a half ",
        "half ",
        "9.30-",
        "<",
        "5-",
        "March 3 ",
        "A-, ",
        "\u0301",
    ):
        canonical(piece * (20_000 // len(piece)))
        wording(piece * (20_000 // len(piece)))
    assert time.process_time() - started < 5  # quadratic, the first alone took as long
