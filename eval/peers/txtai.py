"""txtai's hybrid index and extractive answers: ``python -m eval.peers.txtai SET [--corpus PATH]``.

Needs ``pip install txtai`` (measured with 9.14.0). Each line of an article is a passage, the index is hybrid (BM25 and
the encoder), and its RAG pipeline reads the three best passages joined. It gives no score with its words, so what it
knows is whether it has any.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from eval.peers.answers import Ask, Found, compare
from index.passage import Document

NEEDS = ("txtai",)


def build(documents: Sequence[Document], encoder: Path, reader: Path) -> Ask:
    """The pipeline over an index in memory."""
    from txtai import Embeddings
    from txtai.pipeline import RAG

    lines = [(document.doc_id, line) for document in documents for line in document.text.splitlines() if line.strip()]
    embeddings = Embeddings(path=str(encoder), hybrid=True, content=True)
    embeddings.index([(number, line, None) for number, (_, line) in enumerate(lines)])
    rag = RAG(embeddings, str(reader), task="question-answering", output="reference")

    def ask(question: str) -> Found | None:
        try:
            _, words, reference = rag([(None, question, question, False)])[0]
        except TypeError:  # the reader's best "span" is its first token, no answer, which txtai takes for a word
            return None
        return Found(words, lines[int(reference)][0], 1.0) if words else None

    return ask


if __name__ == "__main__":
    sys.exit(compare("txtai", NEEDS, build))
