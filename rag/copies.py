"""Which passages are read: of one story in many papers only a few, so that who says otherwise is read too."""

import re
from collections.abc import Sequence
from itertools import takewhile

from index.passage import Hit, Passage
from index.tokens import RAISED

FOUND = 48
"""Passages that are looked through, in the retriever's order, for those to read."""
READ = 12
"""Passages that the reader reads: of SQuAD 1.1 dev's questions 99 % have their paragraph among so many."""
COPIES = 3
"""Documents in which one sentence is read."""
_STOP = re.compile(rf"[.!?…][\"'”’»)\]}}]*(?:\[\w{{1,3}}\]|[{RAISED}])*$")
_DIGIT = re.compile(r"\d")


def to_read(hits: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """The hits to read, best first, and those passed over, of which every sentence is read in ``COPIES`` documents.

    The first ``READ`` of the first ``FOUND`` hits, those passed over not counted while there are others. That two
    documents are near-copies is not enough: a form filled in for each of many shops is one too, and each says something
    else.
    """
    read: list[Hit] = []
    passed: list[Hit] = []
    where: dict[str, set[str]] = {}
    for hit in hits[:FOUND]:
        doc_id, said = hit.passage.doc_id, _said(hit.passage)
        if said and all(len(where.get(sentence, set()) - {doc_id}) >= COPIES for sentence in said):
            passed.append(hit)
        elif len(read) < READ:
            read.append(hit)
            for sentence in said:
                where.setdefault(sentence, set()).add(doc_id)
    room = READ - len(read)
    order = {hit.passage.passage_id: place for place, hit in enumerate(hits[:FOUND])}
    return sorted(read + passed[:room], key=lambda hit: order[hit.passage.passage_id]), passed[room:]


def _said(passage: Passage) -> list[str]:
    """The passage's sentences but for headline and byline, in which copies differ: two lines without stop or number."""
    sentences = [text for text, _ in sentences_of(passage)]
    heads = takewhile(lambda text: not _STOP.search(text) and not _DIGIT.search(text), sentences[:2])
    return sentences[len(list(heads)) :]


def sentences_of(passage: Passage) -> list[tuple[str, int]]:
    """Each sentence's text and its start in the document."""
    return [(passage.between(start, end), start) for start, end in passage.sentences]
