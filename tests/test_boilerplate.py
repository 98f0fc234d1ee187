import time

import pytest

from index.boilerplate import mask, merged, titled
from index.passage import Document

BODY = [
    "The harbour authority approved a plan on Tuesday to widen the northern channel by forty metres.",
    "Work is to begin in spring and will cost 12 million euros, the authority said.",
    "Fishermen had asked for a longer break so that the spawning season would not be disturbed.",
    "A decision on the second stage is expected next year.",
]


def masked_lines(document: Document) -> list[str]:
    return [document.text[start:end] for start, end in document.masked]


def article(
    *, head: tuple[str, ...] = (), body: tuple[str, ...] = (), tail: tuple[str, ...] = (), name: str = "a.txt"
) -> Document:
    """An article; those of other names have other bodies, for copies of one count once."""
    number = f"The plan is kept as number {name} at the town hall, where everyone may read it until the end of May."
    return Document(name, "\n".join([*head, *BODY[:2], *body, number, *BODY[2:], *tail]))


PROMOTION = [
    "Subscribe to our newsletter",
    "Subscribe to the Harbour Weekly newsletter!",
    "Sign up for our daily briefing",
    "Sign up now",
    "Please subscribe to our channel.",
    "Get the morning's stories in your inbox",
    "Join more than 20,000 readers of our digest",
    "Read by executives at shipping lines and ports",
    "Discover top maritime news and events!",
    "Follow us on Facebook",
    "Follow our reporter on Twitter: @harbournews.",
    "Like us on Facebook | Follow us on X",
    "Subscribe to our newsletter | Follow us on X",
    "Advertisement | Sign up now | Read more",
    "Sign up now · Read more. | Back to top",
    "Download our app",
    "Read more",
    "Read more: Port traffic falls for a third year",
    "READ MORE ARTICLES CLICK HERE.",
    "Read Previous Article Click Here.",
    "Click here to read the full report",
    "Previous article",
    "Next story: The dredger that never came",
    "Related articles",
    "Recent Stories",
    "You may also like",
    "More stories for you",
    "Share this article on Facebook and X",
    "Share | Tweet | Email",
    "Leave a comment",
    "14 comments",
    "Advertisement",
    "ADVERTISEMENT",
    "Story continues below this advertisement",
    "Sponsored content",
    "This website uses cookies to improve your experience.",
    "By using this site you agree that we use cookies",
    "Accept all cookies",
    "Privacy Policy | Terms of Use | Contact us",
    "© 2024 Harbour Weekly Ltd.",
    "Copyright 2024. All rights reserved.",
    "Home > News > Ports",
    "Back to top",
    # invitations whose bounds must not be too narrow
    "Sign up for our newsletter, delivered to your inbox every morning.",
    "Subscribe to our newsletter, podcast and YouTube channel",
    "Subscribe to our newsletter to get the best stories, analysis and more.",
    "Register to receive our weekly e-mail",
    "Get the day's top stories, delivered straight to your inbox.",
    "Join 50,000+ subscribers",
    "Join 20,000 others who get our newsletter",
    "Follow us on Facebook and X. Sign up for our newsletter.",
    "Join our community of readers today!",
    "Trusted by investors and companies worldwide",
    "Read by leaders at Quay Bank, Northern Lines, Buoy and more",
    "Get the latest news and analysis from Harbour Weekly",
    "Follow Ada Lovelace on Facebook and X",
    "Follow Ada M. Lovelace on Twitter at https://twitter.com/example",
    "Download the app from the App Store.",
    "Already a subscriber? Log in",
    "Already a member? Sign in here.",
    "Support our work by becoming a member.",
    "Copyright 2024 Harbour Weekly Ltd",
    # footers and consents of several sentences
    "© 2024 The Associated Press. All rights reserved. This material may not be published, broadcast, rewritten or"
    " redistributed.",
    "Copyright 2024 The Associated Press. All rights reserved. This material may not be published, broadcast, rewritten"
    " or redistributed without permission.",
    "No part of this article may be reproduced in any form without written permission.",
    "Unauthorised reproduction in whole or in part is strictly prohibited.",
    "Have a tip? Email us at tips@example.com.",
    "Have any tips or story ideas about the port? Reach the reporter Jane Doe at jane@example.com, or follow her on X.",
    "Got a story to share? Send tips to tips@example.com",
    "Reporting by Jane Doe in London; Editing by Al Roe. Our Standards: The Example Trust Principles.",
    "(Reporting by Jane Doe and J. van Dam in The Hague; additional reporting by Bo Lee; editing by Al Roe)",
    "(Reporting by Jane Doe, Editing by Al Roe)",
    "Editing by Al Roe.",
    "The post Council votes to close the works appeared first on Harrow Gazette.",
    "© 2024 Example Interactive Inc. All Rights Reserved. This material may not be published, broadcast, rewritten, or"
    " redistributed. The Associated Press contributed to this report.",
    "We use cookies. By clicking Accept, you consent to their use.",
    "By using this site, you agree to our terms of use and privacy policy.",
    "We and our partners use cookies. You can change your settings at any time.",
]

INFORMATION = [
    "Subscribe revenue rose 5 %",
    "Subscribers rose to two million",
    "Readers can subscribe from Monday for $5",
    "Follow the money",
    "Follow-up study planned",
    "Click-through rates fell",
    "Newsletters are back in fashion",
    "Have newsletters become too popular?",
    "Cookie sales top 3 million boxes",
    "Share prices fell on Monday",
    "Share on profits rises",
    "Print on demand grows",
    "Save on taxes",
    "Register of voters opens",
    "Advertisement spending doubles",
    "Sponsored by the city, the museum reopens",
    "Join or lose: what investors face",
    "Related party transactions rose to $4 million",
    "Recent stories of fraud worry the regulator",
    "Top news executive resigns",
    "Read more books, minister urges pupils",
    "Home prices fell by 3 %",
    "Comments by the mayor draw criticism",
    "Facebook",
    "Sign up now | Harbour to grow",
    "Sign up now|Read more",
    "Privacy policy",
    "Article edited by Ada Lovelace",
    "By our correspondent in Lisbon",
    "Published on 3 May 2024",
    "Copyright reform passes",
    "All rights of way are closed",
    "Discover a new comet",
    "Menu prices rise",
    # sentences and headlines that begin as an invitation does
    "Register for the vaccine by e-mail at the town hall by 4 October.",
    "Register to vote by e-mail before 4 October.",
    "Register to vote and receive alerts",
    "Register of deeds is kept here",
    "Sign up for alerts before the storm arrives, officials said.",
    "Sign up for alerts to stay safe, officials say",
    "Get the latest budget and you will find good news for pensioners.",
    "Get rid of spam in your inbox",
    "Receive $50 in your inbox: how the fraud works",
    "Get the truth about newsletters before the vote",
    "Join our community of volunteers on Saturday at Pier 4 to clean the beach.",
    "Join over 500 members of the crew who lost their jobs",
    "Trusted by investors at Quay Bank, Mr Weber and his wife ran it well.",
    "Trusted by investors, Mr Weber ran the bank for 20 years.",
    "Read by millions of readers, the novel won the Booker Prize in 2019.",
    "Loved by readers in Oslo, the library closes",
    "Follow Mr Weber on Twitter and you will learn little, his critics say.",
    "Like us on Monday, thousands waited for the ferry.",
    "Download the app and pay the fine, city tells drivers",
    "Already a member of parliament, she ran again",
    "Support independent journalism, Pulitzer winner urges",
    "Copyright 2020 law takes effect on Monday",
    "Copyright 2020 Law Takes Effect Monday",
    "Copyright 2020 Act was passed by the House.",
    # and as a footer does
    "This material may not be used in schools, the board said.",
    "The report must be published.",
    "The report may not be published.",
    "Copying of pupils' phones is prohibited in the north.",
    "Have a tip for the waiter?",
    "Email us at work, the inspectors asked.",
    "Reporting by the Harbour Weekly led to the arrest of three men.",
    "Reporting by Jane Doe",
    "Fishermen and divers contributed to this report, the authority said.",
    "Read more: " + "the port grew, " * 11,
    "By using force, you accept losses, the general said.",
    "By clicking on the link, you lost your savings.",
    "Our standards: the mayor explains",
    "The post office first appeared on maps in 1850.",
]


@pytest.mark.parametrize("line", PROMOTION)
def test_promotion_is_masked_at_both_edges_and_never_in_the_body(line: str) -> None:
    assert masked_lines(mask([article(head=("Harbour to grow", line))])[0]) == [line]
    assert masked_lines(mask([article(tail=(line,))])[0]) == [line]
    assert masked_lines(mask([article(body=(line,))])[0]) == []


@pytest.mark.parametrize("line", INFORMATION)
def test_information_stays(line: str) -> None:
    assert masked_lines(mask([article(head=(line,))])[0]) == []
    assert masked_lines(mask([article(tail=(line,))])[0]) == []


def test_headline_and_byline_between_promotion_stay() -> None:
    document = article(head=("Subscribe to our newsletter", "Harbour to grow", "By our reporter", "Share this article"))
    found = mask([document])[0]
    assert masked_lines(found) == ["Subscribe to our newsletter", "Share this article"]
    assert found.title == "Harbour to grow"
    assert found.text == document.text


def test_headlines_after_a_list_of_other_stories_go_with_it() -> None:
    found = mask([article(tail=("Written by our staff", "Related stories", "Ferry runs aground", "Tunnel delayed"))])[0]
    assert masked_lines(found) == ["Related stories", "Ferry runs aground", "Tunnel delayed"]


def test_a_document_of_nothing_else_stays() -> None:
    for text in ("Subscribe to our newsletter\nRead more\nAdvertisement", "Advertisement", ""):
        assert mask([Document("a.txt", text)])[0].masked == ()


def test_masks_there_already_are_kept_and_lines_are_read_without_them() -> None:
    text = "\n".join([*BODY, "- **Read more**"])
    start = text.index("- **")
    document = Document("a.md", text, masked=((0, 3), (start, start + 4), (len(text) - 2, len(text))))
    assert mask([document])[0].masked == ((0, 3), (start, len(text)))


def test_lines_repeated_over_the_files_of_a_folder() -> None:
    documents = [
        article(head=("Harbour Weekly", f"Report {word}"), tail=("The voice of the coast",), name=f"a/{word}.txt")
        for word in ("one", "two", "three")
    ]
    other = article(head=("Harbour Weekly", "Another"), name="b/other.txt")
    found = mask([*documents, other])
    assert [masked_lines(document) for document in found[:3]] == [["Harbour Weekly", "The voice of the coast"]] * 3
    assert masked_lines(found[3]) == []
    assert [document.title for document in found] == ["Report one", "Report two", "Report three", "Harbour Weekly"]


def test_repetition_in_few_documents_or_of_information_says_nothing() -> None:
    two = [article(head=("Harbour Weekly",), name=f"{n}.txt") for n in range(2)]
    many = [*two, article(head=("Harbour Weekly",), name="2.txt"), *(article(name=f"x{n}.txt") for n in range(9))]
    dated = [
        article(head=("3 May 2024", "By our staff"), tail=("The end of the report.",), name=f"{n}.txt")
        for n in range(5)
    ]
    rows = [Document(f"a.jsonl#{n}", article(head=("Harbour Weekly",), name=f"{n}").text) for n in range(5)]
    for documents in (two, many, dated, rows):
        assert all(document.masked == () for document in mask(documents))


def test_copies_of_one_article_keep_their_headline_but_count_once() -> None:
    text = article(head=("Harbour to grow",)).text
    copies = [Document(f"{word}.txt", f"Outlet {word}\n{text}") for word in ("one", "two", "three")]
    copies += [Document(f"copy{n}.txt", text) for n in range(3)]
    others = [article(head=("Ferry runs aground",), name=f"x{n}.txt") for n in range(2)]
    found = mask([*copies, *others])
    assert [masked_lines(document) for document in found] == [[]] * 8
    assert [document.title for document in found[3:6]] == ["Harbour to grow"] * 3
    (*_, third) = found = mask([*copies, *others, article(head=("Ferry runs aground",), name="x2.txt")])
    assert masked_lines(third) == ["Ferry runs aground"]  # three of four articles


def test_articles_of_one_long_footer_are_no_copies() -> None:
    note = "This text is meant for readers of the coast and takes the place of no advice, as the law has it. " * 2
    long = tuple(line for line in PROMOTION if len(line) > 120)
    wrapped = "Harbour Weekly\nThe harbour authority approved\na plan {0} of it on Tuesday\nthat costs a lot.\n" + note
    short = "Harbour Weekly\nHarbour {0}\nFerry {0}\nTunnel {0}\n" + note
    for documents in (
        [article(head=("Harbour Weekly",), body=(note,), tail=long, name=f"{n}.txt") for n in range(3)],
        [Document(f"{word}.txt", wrapped.format(word)) for word in ("one", "two", "three")],
        [Document(f"{word}.txt", short.format(word)) for word in ("one", "two", "three")],
    ):
        assert all("Harbour Weekly" in masked_lines(document) for document in mask(documents))


def test_a_footer_of_sentences_lets_the_lines_before_it_be_masked() -> None:
    before = ("Related stories", "Ferry runs aground", "Subscribe to our newsletter")
    for footer in (line for line in PROMOTION if line.endswith(".")):
        assert masked_lines(mask([article(tail=(*before, footer))])[0]) == [*before, footer]


@pytest.mark.parametrize("form", ["Page {} of 9", "page {}", "| Page {}/9 |", "{} of 9", "{}", "- {} -", "—{}—"])
def test_page_numbers_are_one_repeated_line(form: str) -> None:
    lines = [form.format(n) for n in range(1, 4)]
    for end in ("head", "tail"):
        documents = [article(**{end: (line,)}, name=f"{n}.txt") for n, line in enumerate(lines)]
        assert [masked_lines(document) for document in mask(documents)] == [[line] for line in lines]


@pytest.mark.parametrize("line", ["$38", "45 %", "3/4", "-12", "1200", "2019", "12 -", "(4)", "3:1", "+7", "#2"])
def test_other_numbers_at_the_edge_are_information(line: str) -> None:
    for documents in (
        [article(head=(line,), tail=(line,), name=f"{n}.txt") for n in range(3)],
        [*(article(tail=(f"Page {n}",), name=f"{n}.txt") for n in range(3)), article(tail=(line,), name="last.txt")],
    ):
        assert line not in [hidden for document in mask(documents) for hidden in masked_lines(document)]


def test_a_bare_page_number_is_the_outermost_line_alone() -> None:
    documents = [article(head=("1", "12"), tail=("34", "5"), name=f"{n}.txt") for n in range(3)]
    assert [masked_lines(document) for document in mask(documents)] == [["1", "5"]] * 3


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Harbour to grow\nThe authority approved the plan.", "Harbour to grow"),
        ("Harbour to grow\r\n\r\nThe authority approved the plan.", "Harbour to grow"),
        ("\n  Harbour: “It grows”\nText.", "Harbour: “It grows”"),
        ("The authority approved the plan.\nMore text.", "c.txt"),
        ("Who pays?\nMore text.", "c.txt"),
        ("Only one line", "c.txt"),
        ("the authority approved the\nplan to widen the channel.", "c.txt"),
        ("x" * 121 + "\nText.", "c.txt"),
        ("x" * 120 + "\nText.", "x" * 120),
        ("***\nText.", "c.txt"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert titled(Document("a/b/c.txt", text)).title == title
    assert titled(Document("a/b/c.txt", text, title="Given")).title == "Given"


@pytest.mark.parametrize("word", ["And ", "In ", "The ", "A. ", "Al and ", "A, "])
def test_credits_are_told_in_no_time(word: str) -> None:
    lines = [f"Reporting by {word * (140 // len(word))}x"] * 24
    started = time.perf_counter()
    mask([article(tail=tuple(lines))])
    assert time.perf_counter() - started < 1


def test_merged() -> None:
    assert merged([(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)]) == ((0, 3), (5, 9))


@pytest.mark.parametrize(
    "line",
    [
        "Free newsletter sign-up",
        "Get our free newsletter today",
        "Read by leaders, and executives worldwide",
        "Read our privacy policy",
        "Share it on Facebook and X",
        "Follow Ada Lovelace on X. Back to top",
        "Sign up now • Read more",
        "Read more »",
        "Read more…",
        "Read more: " + "x" * 149,
    ],
)
def test_promotion(line: str) -> None:
    assert masked_lines(mask([article(tail=(line,))])[0]) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "“It is done.”",
        "What a day!*",
        "彼は行く。",
        "x" * 121,
        "Read more: " + "x" * 150,
        "Subscribe to our newsletter to get " + "more of all " * 9 + "that is new in it",
    ],
)
def test_looking_ends_at_a_sentence_of_the_article(line: str) -> None:
    assert masked_lines(mask([article(tail=("Advertisement", line))])[0]) == []


def test_twelve_lines_at_each_end_are_looked_at() -> None:
    lines = tuple(f"Line {word}" for word in "abcdefghijkl")
    for kept, expected in ((lines[:11], ["Sign up now"]), (lines, [])):
        assert masked_lines(mask([article(head=(*kept, "Sign up now"))])[0]) == expected
        assert masked_lines(mask([article(tail=("Sign up now", *kept))])[0]) == expected


def test_half_of_a_document_is_too_much() -> None:
    assert mask([Document("a.txt", "Sign up now\nIt is now 5")])[0].masked == ()
    assert masked_lines(mask([Document("a.txt", "  Sign up now \nIt is now 55")])[0]) == ["Sign up now"]


def test_white_space_beside_masks() -> None:
    text = "\n".join([*BODY, "Read more. **"])
    document = Document("a.md", text, masked=((len(text) - 2, len(text)),))
    assert masked_lines(mask([document])[0]) == ["Read more. **"]
    assert titled(Document("a.md", "[a] [b]\nThe Title\nText.", masked=((0, 3), (4, 7)))).title == "The Title"


@pytest.mark.parametrize(
    "line",
    ["Author Ada Lee", "Editor: Al Roe", "Editors Al and Bo", "Reporting Ada Lee", "Reporter Ada", "Our correspondent"],
)
def test_repeated_bylines_stay(line: str) -> None:
    assert all(found.masked == () for found in mask([article(head=(line,), name=f"{n}.txt") for n in range(3)]))


def test_how_repeated_lines_are_compared() -> None:
    spaced = [
        article(head=(line,), name=f"{line}.txt") for line in ("Harbour Weekly", "Harbour  Weekly", "HARBOUR\tWEEKLY")
    ]
    assert all(document.masked for document in mask(spaced))
    pages = [article(tail=(line,), name=f"{n}.txt") for n, line in enumerate(["Page 1", "2 of 9", "- 3 -"])]
    rows = [article(head=("Harbour Weekly",), name=f"A.JSONL#{n}") for n in range(3)]
    for documents in (pages, rows):
        assert all(document.masked == () for document in mask(documents))
    numbered = [article(tail=(f"[Page {n}]",), name=f"{n}.txt") for n in range(998, 1001)]
    assert [masked_lines(document) for document in mask(numbered)] == [[f"[Page {n}]"] for n in range(998, 1001)]


@pytest.mark.parametrize(("others", "repeated"), [(7, True), (8, False)])
def test_repeated_is_what_stands_in_three_articles_of_ten(others: int, repeated: bool) -> None:
    documents = [article(head=("Harbour Weekly",), name=f"{n}.txt") for n in range(3)]
    documents += [article(name=f"x{n}.txt") for n in range(others)]
    assert [bool(document.masked) for document in mask(documents)[:3]] == [repeated] * 3


def test_copies_have_the_edges_of_all_of_them() -> None:
    documents = [article(head=("Harbour Weekly",), name=f"{n}.txt") for n in range(3)]
    copy = Document("copy.txt", article(name="0.txt").text)
    assert all(masked_lines(document) == ["Harbour Weekly"] for document in mask([*documents, copy])[:3])


@pytest.mark.parametrize("newline", ["\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_every_newline_ends_a_line(newline: str) -> None:
    assert masked_lines(mask([Document("a.txt", newline.join([*BODY, "Read more"]))])[0]) == ["Read more"]


WRAPPED = [f"The line number {word} goes on over the end of it as all lines of this" for word in "abcdefghij"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Harbour  to\tgrow\nThe text.", "Harbour to grow"),
        ("the authority approved the\r\nplan to widen the channel.", "c.txt"),
        ("Harbour to grow\r\rthe text.", "Harbour to grow"),
        ("Harbour to grow\n\nthe text.", "Harbour to grow"),
        ("“Who pays?”\nMore text.", "c.txt"),
        ("_ _\nText.", "c.txt"),
        ("\n".join([*WRAPPED[:4], "And so", *("x" + line[1:] for line in WRAPPED[4:])]), "c.txt"),
    ],
)
def test_which_line_is_a_title(text: str, title: str) -> None:
    assert titled(Document("a/b/c.txt", text)).title == title


def test_a_mask_inside_another_is_gone() -> None:
    assert merged([(0, 9), (2, 3)]) == ((0, 9),)
