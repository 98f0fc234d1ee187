"""Sentence retrieval as hybrid-search libraries ship it: ``python -m eval.peers.ensemble SET --corpus PATH``.

Every sentence is a passage. Sparse is ``rank_bm25.BM25Okapi`` as it comes, on lower-case words; dense is the same
all-MiniLM-L6-v2; the ensemble is reciprocal rank fusion of both with constant 60 and equal weights, which is what
LangChain's EnsembleRetriever does over its BM25Retriever and a FAISS store. No masking, stemming, titles or reader.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eval.corpus import articles
from eval.questions import Question, load_set
from eval.spans import cited_right
from index.embed import load_encoder
from index.fusion import reciprocal_rank_fusion
from index.sentences import sentences
from rag.terminal import exit_code

Ranker = Callable[[str], np.ndarray]


def rankers(texts: Sequence[str]) -> dict[str, Ranker]:
    """By name: functions from a question to the rows of ``texts``, best first."""
    from rank_bm25 import BM25Okapi

    def words(text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())

    encoder = load_encoder(None)
    vectors = encoder.encode_passages(texts)
    bm25 = BM25Okapi([words(text) for text in texts])

    def sparse(question: str) -> np.ndarray:
        return np.argsort(-bm25.get_scores(words(question)), kind="stable")

    def dense(question: str) -> np.ndarray:
        return np.argsort(-(vectors @ encoder.encode_query(question)), kind="stable")

    def ensemble(question: str) -> np.ndarray:
        arms = [(rows, np.empty(0)) for rows in (sparse(question), dense(question))]
        return reciprocal_rank_fusion(arms, 60, k=len(texts))[0]

    return {"BM25": sparse, "MiniLM": dense, "ensemble": ensemble}


def hits(
    questions: Sequence[Question], ranker: Ranker, texts: Sequence[str], doc_ids: Sequence[str]
) -> tuple[float, float]:
    """Sentence hit@1 and @3, as the harness counts them, over the answerable questions."""
    first = third = 0
    for question in questions:
        right = [cited_right(texts[row], doc_ids[row], question) for row in ranker(question.question)[:3]]
        first += right[0]
        third += any(right)
    return first / len(questions), third / len(questions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a ranker; 0, or 2 and a sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.peers.ensemble", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("set", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args(arguments)
    return exit_code("eval.peers.ensemble", lambda: _compare(options))


def _compare(options: argparse.Namespace) -> None:
    documents = articles(options.corpus)
    places = [(document, span) for document in documents for span in sentences(document)]
    texts = [document.text[start:end] for document, (start, end) in places]
    doc_ids = [document.doc_id for document, _ in places]
    questions = [question for question in load_set(options.set).questions if question.answerable]
    for name, ranker in rankers(texts).items():
        first, third = hits(questions, ranker, texts, doc_ids)
        print(f"{name:<10} sentence_hit@1 {first:.4f}  sentence_hit@3 {third:.4f}  ({len(questions)} questions)")


if __name__ == "__main__":
    sys.exit(main())
