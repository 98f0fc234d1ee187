"""Which passages are read where one story stands in many papers."""

from pathlib import Path

import pytest

from index.build import build_documents
from index.passage import Document, Hit
from index.search import Index
from rag.copies import COPIES, FOUND, READ, to_read

STORY = "The mine was sold for $1.2 billion, the agency said. " + " ".join(f"It has {n} shafts." for n in range(30))
COPIED = 20


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    place = tmp_path_factory.mktemp("copies")
    papers = [Document(f"paper {n:02}", f"Paper {chr(97 + n)} reports\n\n{STORY}") for n in range(COPIED)]
    own = [
        Document(f"own {n:02}", " ".join(f"Reporter {n} saw pit {n}-{i} closed." for i in range(9))) for n in range(30)
    ]
    build_documents([*papers, *own], place)
    return Index.open(place)


def hits(index: Index, *names: str) -> list[Hit]:
    """The passages of these documents, in the order of the names."""
    found = [passage for name in names for passage in index.passages if passage.doc_id == name]
    return [Hit(passage, 1.0 - n / 1000) for n, passage in enumerate(found)]


def documents(found: list[Hit]) -> list[str]:
    return list(dict.fromkeys(hit.passage.doc_id for hit in found))


def test_of_one_story_a_few_are_read_and_the_others_named(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.copies.READ", COPIES + 2)
    papers = [f"paper {n:02}" for n in range(COPIED)]
    found = hits(index, *papers, "own 00", "own 01")
    found = [hit for hit in found if "$1.2 billion" in hit.passage.text or hit.passage.doc_id.startswith("own")]
    read, unread = to_read(found)
    assert documents(read) == [*papers[:COPIES], "own 00", "own 01"]
    assert documents(unread) == papers[COPIES:]


def test_where_nothing_is_copied_the_best_are_read(index: Index) -> None:
    found = hits(index, *(f"own {n:02}" for n in range(30)))
    read, unread = to_read(found)
    assert read == found[:READ]
    assert unread == []
    assert to_read([]) == ([], [])


def test_copies_are_read_where_there_is_nothing_else(index: Index) -> None:
    found = hits(index, *(f"paper {n:02}" for n in range(7)), "own 00")
    found = [hit for hit in found if "$1.2 billion" in hit.passage.text or hit.passage.doc_id == "own 00"]
    assert to_read(found) == (found, [])


def test_passages_of_a_document_that_is_read_are_read(index: Index) -> None:
    found = hits(index, "paper 00", "paper 01")
    read, _ = to_read(found)
    assert read == found[:READ]


def test_forms_that_differ_in_one_sentence_are_read(tmp_path: Path) -> None:
    rest = " ".join(f"It has {n} shelves of wood." for n in range(30))
    shops = [Document(f"{n:02}", f"{rest} Shop {n} sold {n} chairs. {rest}") for n in range(READ)]
    build_documents(shops, tmp_path)
    found = [Hit(passage, 1.0) for passage in Index.open(tmp_path).passages if "sold" in passage.text]
    assert to_read(found) == (found, [])


def papers(place: Path, bodies: list[str]) -> tuple[list[str], list[str]]:
    """The documents read and those passed over, of six papers' reports under headlines of their own."""
    reports = [
        Document(f"{n}", f"Fire in town, says {name}\n{body}\n")
        for n, (body, name) in enumerate(zip(bodies, "abcdef", strict=True))
    ]
    build_documents(reports, place)
    read, passed = to_read([Hit(passage, 1.0) for passage in Index.open(place).passages])
    return documents(read), documents(passed)


SHARED = "The plant stood on the canal for a hundred years. It made wooden furniture for the whole county."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The fire killed twelve people.[2]", "The fire killed fifteen workers.[2]"),
        ("“The toll,” he said, ‘is now twelve.’", "“The toll,” he said, ‘is now fifteen.’"),
        ("The fire killed twelve people.³", "The fire killed fifteen workers.³"),
        ("Killed by the fire: twelve", "Killed by the fire: fifteen"),
        ("(It killed twelve people.)", "(It killed fifteen workers.)"),
    ],
)
def test_whoever_says_otherwise_is_read(tmp_path: Path, one: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.copies.READ", COPIES + 1)
    found = papers(tmp_path, [f"{SHARED}\n{line}" for line in [one] * 5 + [other]])
    assert found == (["0", "1", "2", "5"], ["3", "4"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The fire killed twelve people", "The fire killed 15 people"),
        ("The fire killed twelve people.", "The fire killed fifteen workers."),
        ("“The toll,” he said, ‘is now twelve.’", "“The toll,” he said, ‘is now fifteen.’"),
        ("The fire killed twelve people.³", "The fire killed fifteen workers.³"),
        ("(It killed twelve people.)", "(It killed fifteen workers.)"),
        ("By Ann Stern\nTwelve people are dead", "By Bo Hall\nFifteen workers are dead"),  # the third line is none
    ],
)
def test_a_line_with_a_stop_or_a_number_is_no_byline(
    tmp_path: Path, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.copies.READ", COPIES + 1)
    found = papers(tmp_path, [f"{line}\n{SHARED}" for line in [one] * 5 + [other]])
    assert found == (["0", "1", "2", "5"], ["3", "4"])


def test_a_passage_of_nothing_but_a_headline_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.copies.READ", 1)
    build_documents([Document(f"{n}", f"Fire in {name} town") for n, name in enumerate(("old", "new"))], tmp_path)
    found = [Hit(passage, 1.0) for passage in Index.open(tmp_path).passages]
    assert len(found) == 2
    assert to_read(found) == (found[:1], [])


def test_so_many_are_looked_through_and_no_more(index: Index) -> None:
    own = hits(index, *(f"own {n:02}" for n in range(30)))
    papers = [
        hit for hit in hits(index, *(f"paper {n:02}" for n in range(COPIED))) if "$1.2 billion" in hit.passage.text
    ]
    read, unread = to_read([*papers[:COPIES], *own, *papers[COPIES:]])
    assert len(read) == READ
    place = COPIES + len(own)
    assert unread == papers[COPIES:][: FOUND - place]
