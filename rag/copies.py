"""Which passages are read: of one story in many papers only a few, so that who says otherwise is read too."""

from collections.abc import Sequence

from index.passage import Hit

FOUND = 48
"""Passages that are looked through, in the retriever's order, for those to read."""
READ = 12
"""Passages that the reader reads: of SQuAD 1.1 dev's questions 99 % have their paragraph among so many."""
COPIES = 3
"""Documents in which one sentence is read."""
_STOPS = (".", "!", "?", "…", "”", '"')


def to_read(hits: Sequence[Hit]) -> tuple[list[Hit], list[str]]:
    """The hits to read, best first, and the documents of which none is read because others say the same.

    The first ``READ`` of the first ``FOUND`` hits, but for passages whose every full sentence is read in ``COPIES``
    other documents. (That their documents are near-copies is not enough: a form filled in for each of many shops is
    one too, and each says something else. Headlines and bylines, which end without a stop, differ in true copies.)
    """
    read: list[Hit] = []
    where: dict[str, set[str]] = {}
    passed: dict[str, None] = {}
    for hit in hits[:FOUND]:
        passage = hit.passage
        said = [passage.text[a - passage.start : b - passage.start].strip() for a, b in passage.sentences]
        full = [sentence for sentence in said if sentence.endswith(_STOPS)]
        if full and all(len(where.get(sentence, set()) - {passage.doc_id}) >= COPIES for sentence in full):
            passed[passage.doc_id] = None
        elif len(read) < READ:
            read.append(hit)
            for sentence in full:
                where.setdefault(sentence, set()).add(passage.doc_id)
    documents = {hit.passage.doc_id for hit in read}
    return read, [doc_id for doc_id in passed if doc_id not in documents]
