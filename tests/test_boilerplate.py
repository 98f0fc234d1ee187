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
    return Document(name, "\n".join([*head, *BODY[:2], *body, *BODY[2:], *tail]))


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
    "Privacy policy",
    "Article edited by Ada Lovelace",
    "By our correspondent in Lisbon",
    "Published on 3 May 2024",
    "Copyright reform passes",
    "All rights of way are closed",
    "Discover a new comet",
    "Menu prices rise",
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
    rows = [Document(f"a.jsonl#{n}", article(head=("Harbour Weekly",)).text) for n in range(5)]
    for documents in (two, many, dated, rows):
        assert all(document.masked == () for document in mask(documents))


def test_page_numbers_are_one_repeated_line() -> None:
    documents = [article(tail=(f"Page {n} of 9",), name=f"{n}.txt") for n in range(1, 4)]
    assert [masked_lines(document) for document in mask(documents)] == [[f"Page {n} of 9"] for n in range(1, 4)]


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


def test_merged() -> None:
    assert merged([(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)]) == ((0, 3), (5, 9))
