import subprocess
import sys
import time
from pathlib import Path

import pytest

from index import markdown
from index.boilerplate import merged
from index.find import Source
from index.load import read
from index.passage import Document, Span
from index.sentences import blanked, blocks, sentences
from index.split import search_text, split


def headings(document: Document) -> list[Span]:
    return [(block.start, block.end) for block in blocks(document, blanked(document)) if block.heading]


def words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def cut(text: str, masked: tuple[tuple[int, int], ...] = ()) -> list[str]:
    return [text[start:end] for start, end in sentences(Document("a.txt", text, masked=masked))]


def from_markdown(text: str) -> Document:
    return Document("a.md", text, masked=merged(markdown.parse(text)[1]))


@pytest.mark.parametrize(
    "expected",
    [
        ["The U.S. Senate met on Jan. 5, 2024.", "It failed."],
        ["He lives in the U.S.", "He works at Acme Inc.", "The company grew."],
        ["Mr. Lee met Dr. Poe, Lt. Col. Ray and Sen. Kay of St. Louis.", "They left."],
        ["J.P. Morgan cut its rate to 3.5 percent, e.g. for No. 5.", "Others followed."],
        ["“It is done,” said the mayor.", "“We won.”", "Nobody cheered."],
        ["A wall of 38 m. stands.", "It is 3 h.", "The lag is 200 ms.", "It is 40 m².", "The end."],
        ["It costs Rs. 40 now, take max. 4 of Tab. 2, excl. 20% tax.", "It ends."],
        ['"Is it?" he asked.', '"Yes!" they said.', "(It was late.)", "They went."],
        ["He said: “It is.”", "Then he left [the room].", "End."],
        ["It rose 5%.", "“Why not?”", "He sat down."],
        ["Shares rose... and fell.", "Yahoo! in 1995 was small."],
        ["Retired Gen. “Mad Dog” Mattis met Capt. “Sully” Sullenberger.", 'Rep. "Buddy" Carter voted.'],
        ["It was “Barbie” vs. “Oppenheimer” in July.", "In Nov. “Wicked” opened.", "Warner Bros. “Barbie” grew."],
        ["The Walt Disney Co. “Star Wars” film grossed $1 billion.", 'Acme Inc. "Rocket" unit grew.'],
        ["He works at Acme Inc.", "“We grew,” he said.", "She met Davis Jr.", "“He was kind!” she said."],
        ["It went to Acme Corp.", "“" + "This is a long quotation " * 4 + "that goes on” was said."],
        ["On Monday, Reps. Adam Schiff and Ted Lieu left.", "Former Govs. Mitt Romney and Deval Patrick spoke."],
        ["Then Profs. Ann Lee, Gens. Bo Day and Sens. Cy Fox left.", "It was sent by the Associated Press.", "It ran."],
        ["Here Mme. Curie met Msgr. Ryan, Ald. Burke and Pfc. Poe.", "Then Spc. Lee, Cpt. Day and Cdr. Fox left."],
        [
            "He lives at 5 Elm St.",
            "The house burned.",
            "She is at 42nd St.",
            "It fell on Elm St.",
            "“We saw it,” he said.",
        ],
        [
            "The regulator fined the bank.",
            "Lawyers appealed.",
            "It was the first this month.",
            "Nobody said no.",
            "Three did.",
        ],
        ["She sang in the Royal Albert Hall.", "Tickets were free.", "He runs the SEC.", "Too late."],
        ["Here Ariz. Rep. Ann Lee met approx. Three Rivers Univ. Prof. Cy Fox on Nov. Third.", "He left."],
        ["The St. John river and Mount St. Patrick rose.", "He came from Troy, St. Paul and St. Louis."],
        ["It rained.[1]", "The roof fell.[2][a]", "Nobody said so to Mr.[3] Lee.[4]"],
        [
            "It was published last week.[2]",
            "The mayor said so.",
            "It cost $4 million.¹",
            "“No,” he said.²³",
            "She left.",
        ],
        ["He works for the bank.", "Łukasz runs it.", "She came last month.", "Šárka left the hall.", "İstanbul grew."],
        ["He left the bank.", "“Čapek was here,” he said.", "It closed last year.[3]", "Żuk left.[4,5]", "He won."],
        ["He works for the bank.", "Ωmega runs it.", "She met Prof. Łukasz and Sen. Żuk of Łódź.", "Да."],
        ["今日は晴れ。", "彼は「行く。」", "と言った。", "本当？", "はい"],
        ["वह गया।", "वह आया।"],
        ["قال إنه ذهب؟", "ثم عاد."],
    ],
)
def test_sentence_bounds(expected: list[str]) -> None:
    joint = "" if any(ord(char) > 0x3000 for char in expected[0]) else " "
    assert cut(joint.join(expected)) == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x85"])
def test_every_newline_ends_a_sentence(newline: str) -> None:
    found = cut(f"A headline here{newline}and its text{newline}{newline}  the end ")
    assert found == ["A headline here", "and its text", "the end"]


def test_hard_wrapped_text_goes_on_over_line_ends() -> None:
    lines = [
        "The committee that had been asked to look into the old",
        "harbour reported on its findings at the end of a long",
    ] * 4
    text = "\n".join(lines) + " week.\n\nA second paragraph.\n- an item of a list"
    assert cut(text) == ["\n".join(lines) + " week.", "A second paragraph.", "- an item of a list"]
    document = Document("a.txt", text)
    assert document.hard_wrapped
    shown = search_text(document, split(document, words, 500)[0])
    assert shown == f"{' '.join(lines)} week.\nA second paragraph. - an item of a list"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n   "])
@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\u00ad"])
def test_words_parted_at_line_ends(tmp_path: Path, hyphen: str, newline: str) -> None:
    lines = [
        f"The committee was asked to look into environmental and envi{hyphen}",
        "ronmental questions of the old harbour, and reported on its",
        f"findings after a long winter in all of those post{hyphen}",
        "war years, when the well-known mayor and the wellknown, well-",
        "known office of the mayor had asked the office of the Mid-",
        "lands to look into the harbours of the Midlands and into",
        "questions that nobody had asked of it before, and so it did with",
        "a few more of them, as the minutes of that year of the board and",
        "those of the next one show, in which it is called well advised",
        "and in which nothing else is said of its work at the harbour.",
    ]
    (tmp_path / "a.txt").write_text(newline.join(lines), newline="")
    (document,) = read(Source(tmp_path / "a.txt", "a.txt"))
    assert isinstance(document, Document)
    assert document.hard_wrapped
    shown = search_text(document, split(document, words, 500)[0])
    assert "environmental and environmental questions" in shown
    assert ("postwar" if hyphen == "\u00ad" else f"post{hyphen} war") in shown  # nothing says what it was
    assert "the wellknown, well- known office" in shown  # it is written both ways
    assert "of the Midlands to look" in shown
    unwrapped = Document("a.txt", "The envi-\nronmental one.", masked=((8, 10),))
    assert [search_text(unwrapped, part) for part in split(unwrapped, words, 500)] == ["The environmental one."]


def test_a_document_that_is_not_hard_wrapped_keeps_its_hyphens(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("An environmental line.\nenvi-\nronmental\n")
    (document,) = read(Source(tmp_path / "a.txt", "a.txt"))
    assert isinstance(document, Document)
    assert document.masked == ()


def test_a_raised_note_is_no_part_of_its_number() -> None:
    document = from_markdown("It was built in 1987<sup>3</sup> on 5 m<sup>2</sup> and in the 19<sup>th</sup> year.")
    (passage,) = split(document, words, 500)
    assert search_text(document, passage) == "It was built in 1987 3 on 5 m2 and in the 19th year."


def test_front_matter_says_nothing_of_the_lines_below_it() -> None:
    front = "---\n" + "".join(f"key{n}: value\n" for n in range(12)) + "---\n"
    wrapped = "\n".join(f"and number {n} went on over the end of the line as lines of that sort do" for n in range(9))
    assert from_markdown(front + wrapped).hard_wrapped
    assert not from_markdown(front + "\n".join(f"Line {n} of a poem." for n in range(9))).hard_wrapped


GERMAN = """\
Die Kommission hatte nach einer langen Beratung über den Hafen
und die Stadt entschieden, dass der Platz am Ende des Jahres
Schiffe aus aller Welt aufnehmen und dass die Kosten dafür von
Gemeinden an der Küste getragen werden sollen, wie der Rat es
vor einer Woche beschlossen hatte und Sprecher der Stadt vor
Zeugen aus mehreren Ländern in einer Sitzung am Montag dann
bestätigten, obwohl die Werften des Landes und ihre tausend
Arbeiter noch immer nicht wissen, was das für sie heißen mag
und wer am Ende des Tages dafür einsteht."""


@pytest.mark.parametrize(
    ("wrapped", "lines"),
    [
        (False, [f"Harbour Number {n} Reports Record Year As Ships Return to Port" for n in range(10)]),
        (False, [f"{n} Rovers of the Northern Harbour 3, Wanderers of the South 1" for n in range(10)]),
        (True, GERMAN.splitlines()),
        (True, ["وقالت اللجنة التي طلب منها النظر في الميناء القديم إنها انتهت من"] * 10),
    ],
)
def test_only_lines_that_go_on_are_hard_wrapped(wrapped: bool, lines: list[str]) -> None:
    document = Document("a.txt", "\n".join(lines))
    assert document.hard_wrapped == wrapped
    assert any("\n" in text for text in cut(document.text)) == wrapped


def test_masks_split_at_lines_and_stay_inside_them() -> None:
    text = "Subscribe now\nSome **bold** text with a [link](http://example.org/x) in it. Next **one.**\n\nLast"
    document = from_markdown(text)
    document = Document("a.md", text, masked=merged([*document.masked, (0, 13)]))
    found = [text[start:end] for start, end in sentences(document)]
    assert found == ["Some **bold** text with a [link](http://example.org/x) in it.", "Next **one.", "Last"]
    passage = split(document, words, 100)[0]
    assert search_text(document, passage) == "Some bold text with a link in it. Next one.\nLast"


def test_cells_and_neighbouring_links_are_not_joined_to_one_word() -> None:
    document = from_markdown("| Port | Tons |\n|---|---|\n|Aden|5|\n\n[one](a)[two](b)")
    assert [search_text(document, passage) for passage in split(document, words, 100)] == ["Port Tons\nAden 5\none two"]
    assert headings(document) == []


def test_markdown_structure() -> None:
    text = (
        "---\ntitle: x\n---\n# Is it *so*? ##\nText one.\n\nMinor\n-----\nText `two` \\*three\\*, 2 * 3, a_b_c.\n"
        "> quoted\n```py\ncode\n```\n<!-- gone\n gone --> End"
    )
    document = from_markdown(text)
    assert [text[start:end] for start, end in headings(document)][:2] == ["Is it *so*?", "Minor"]
    assert [search_text(document, passage) for passage in split(document, words, 100)] == [
        "Is it so?\nText one.\nMinor\nText two *three*, 2 * 3, a_b_c.\nquoted\ncode\nEnd"
    ]


def test_a_line_goes_on_where_it_has_no_stop_and_the_next_begins_in_lower_case() -> None:
    long = "The worker reads from RabbitMQ, Redis Streams, Amazon SQS and Google"
    assert cut(f"# Brokers\n\n{long}\npub/sub. It stops.\n\nSee below.") == [
        "# Brokers",
        f"{long}\npub/sub.",
        "It stops.",
        "See below.",
    ]
    assert cut(f"{long},\nand others.") == [f"{long},\nand others."]
    for apart in (
        f"{long}\n\npub",
        f"{long}\nPub",
        f"{long}:\npub",
        f"{long}.\npub",
        f"a | {long}\npub",
        "Too short\npub",
        f"{long * 2}\npub",
    ):
        assert "pub" in [sentence.lower() for sentence in cut(apart)]
    assert cut(f"{long}\n1. pub") == [long, "1. pub"]


def test_a_question_is_kept_with_the_text_after_it() -> None:
    text = "The faq is here.\nWho approves it?\nThe guild does."
    passages = split(Document("a", text), words, budget=8)
    assert [passage.text for passage in passages] == ["The faq is here.", "Who approves it?\nThe guild does."]


def test_headings() -> None:
    lines = [
        "A Record Year for the Harbour",
        "The harbour grew by 5 percent.",
        "1. What comes next",
        "Nobody knows.",
        "In short",
        "- more ships",
        "- more noise",
        "Edited by the staff",
    ]
    document = Document("a.txt", "\n".join(lines))
    assert [document.text[start:end] for start, end in headings(document)] == [lines[0], lines[2], lines[4]]


def test_a_heading_is_kept_with_the_text_after_it() -> None:
    body = "one two three four five six seven eight nine ten."
    document = Document("a.txt", "\n".join([body, "A Heading", body, "Three reasons:", "- " + body, "Last words"]))
    found = [passage.text for passage in split(document, words, 14)]
    assert found == [body, f"A Heading\n{body}", f"Three reasons:\n- {body}", "Last words"]


def test_break_at_a_paragraph_when_half_full() -> None:
    long, first, second = "Ships came and went all day.", "Nobody counted them.", "It rained hard."
    text = f"{long}\n{first} {second}"
    assert [passage.text for passage in split(Document("a", text), words, 11)] == [long, f"{first} {second}"]
    # The paragraph's end is at less than half the budget: the passage is filled across it.
    text = f"{first}\n{long} {second}"
    assert [passage.text for passage in split(Document("a", text), words, 11)] == [f"{first}\n{long}", second]


def test_budget_and_ids() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(20))
    document = Document("a.txt", text)
    calls: list[int] = []

    def counted(texts: list[str]) -> list[int]:
        calls.append(len(texts))
        return words(texts)

    plain = split(document, counted, 15, first_id=7)
    assert calls == [20]
    assert [passage.passage_id for passage in plain] == list(range(7, 14))
    assert [len(passage.sentences) for passage in plain] == [3] * 6 + [2]
    with pytest.raises(ValueError, match="budget of 0"):
        split(document, words, 0)
    with pytest.raises(ValueError, match="1 token counts for 20"):
        split(document, lambda texts: [1], 15)


def test_a_long_sentence_is_cut_where_a_reader_would_pause() -> None:
    clause = "the pilot who had come aboard at dawn watched the tide and the wind"
    text = "; ".join([clause] * 20)
    found = cut(text)
    assert all(len(piece) <= 500 and piece.endswith((";", clause)) for piece in found)
    assert max(len(piece) for piece in cut("word " * 400)) <= 500
    assert all(piece.replace("word", "").strip() == "" for piece in cut("word " * 400))


@pytest.mark.parametrize(
    "character", ["e\u0301", "👩\u200d👩\u200d👧", "🇫🇷", "👍🏽", "क\u094dष", "\u1100\u1161\u11a8", "❤\ufe0f"]
)
@pytest.mark.parametrize("shift", range(3))
def test_no_cut_inside_a_character(character: str, shift: int) -> None:
    text = "x" * shift + character * 400
    found = cut(text)
    assert "".join(found) == text
    assert all(len(piece) <= 500 and (piece.lstrip("x").replace(character, "") == "") for piece in found)


def test_no_passage_over_a_desert() -> None:
    document = Document("a.txt", "A heading" + "\n" * 5000 + "Text one. " + " " * 5000 + "Text two.")
    assert [passage.text for passage in split(document, words)] == ["A heading", "Text one.", "Text two."]


@pytest.mark.parametrize("unit", ["word ", "a", "a.", "![", "Word. ", "? ", '"', "a, ", "e\u0301", "1.1."])
def test_time_is_linear(unit: str) -> None:
    def seconds(length: int) -> float:
        document = Document("a.txt", (unit * length)[:length])
        start = time.process_time()
        split(document, words)
        return time.process_time() - start

    seconds(1000)
    assert seconds(200_000) < 40 * (seconds(20_000) + 0.01)


def test_nothing_and_blank_documents() -> None:
    for text in ("", " \n\t\r\n", "\0\0"):
        assert sentences(Document("a", text)) == []
        assert split(Document("a", text), words) == []


def test_nupunkt_is_not_imported_with_the_module() -> None:
    heavy = ("nupunkt", "trafilatura", "charset_normalizer")
    code = f"import sys, index.split, index.load; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "budget", "expected"),
    [
        # the last heading before the last paragraph
        ("one two three four five six.\nA Heading\nseven eight.\nnine ten eleven.", 12, [6, 7]),
        # the last paragraph's end that at least half the budget lies before, the next sentence's own first
        ("one two three four five.\nsix seven eight. Nine ten eleven twelve.", 10, [5, 7]),
        ("one two three four.\nfive six seven. Eight nine ten eleven.", 10, [7, 4]),
        ("one two three four five.\nsix seven eight.\nNine ten eleven twelve.", 10, [8, 4]),
        ("one two three four five.\nsix seven eight nine. Ten two three four five six seven eight.", 10, [5, 4, 8]),
        # a heading stays with its sentence unless it alone is more than half a budget
        ("A Heading\n" + "word " * 13 + "word.", 14, [16]),
        ("one two three four.\n# A b c d e f g\nnine ten eleven.", 14, [4, 11]),
        ("one two three four.\n# A b c d e f g\nnine ten eleven twelve two three.", 14, [4, 14]),
        ("# A b c d e f\nnine ten eleven twelve one two three four.", 14, [15]),
        ("# A b c d e f g\nnine ten eleven twelve one two three four. So it is all.", 14, [8, 12]),
        # a desert
        ("A heading" + "\n" * 500 + "Text one.", 14, [4]),
        ("A heading" + "\n" * 501 + "Text one.", 14, [2, 2]),
        ("one two three four five.\nA Heading\nsix seven." + "\n" * 600 + "Eight nine.", 10, [9, 2]),
    ],
)
def test_where_passages_end(text: str, budget: int, expected: list[int]) -> None:
    found = split(Document("a.txt", text), words, budget)
    assert [sum(len(text[start:end].split()) for start, end in p.sentences) for p in found] == expected


def test_sentences_of_no_tokens_count_as_one() -> None:
    document = Document("a.txt", "It is so. It was so. It will be so.")
    assert [len(passage.sentences) for passage in split(document, lambda texts: [0] * len(texts), 2)] == [2, 1]
    with pytest.raises(ValueError, match="4 token counts for 3"):
        split(document, lambda texts: [1] * 4)
