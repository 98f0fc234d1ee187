"""Haystack's hybrid extractive pipeline: ``python -m eval.peers.haystack SET [--corpus PATH]``.

Needs ``pip install haystack-ai transformers-haystack sentence-transformers-haystack`` (measured with 3.4.1, 2.0.0 and
2.0.0). Documents are split by words as DocumentSplitter does by default (200), ten come from BM25 and ten from the
encoder, are joined by reciprocal rank fusion and read by TransformersExtractiveReader.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from eval.peers.answers import Ask, Found, compare
from index.passage import Document

NEEDS = ("haystack", "haystack_integrations")


def build(documents: Sequence[Document], encoder: Path, reader: Path) -> Ask:
    """The pipeline, its documents written."""
    from haystack import Document as Text
    from haystack import Pipeline
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )
    from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    texts = [Text(content=document.text, meta={"document": document.doc_id}) for document in documents]
    parts = DocumentSplitter().run(documents=texts)["documents"]
    embedder = SentenceTransformersDocumentEmbedder(model=str(encoder), progress_bar=False)
    store.write_documents(embedder.run(documents=parts)["documents"])
    pipeline = Pipeline()
    pipeline.add_component("embed", SentenceTransformersTextEmbedder(model=str(encoder), progress_bar=False))
    pipeline.add_component("dense", InMemoryEmbeddingRetriever(store, top_k=10))
    pipeline.add_component("sparse", InMemoryBM25Retriever(store, top_k=10))
    pipeline.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    pipeline.add_component("read", TransformersExtractiveReader(model=str(reader)))
    pipeline.connect("embed.embedding", "dense.query_embedding")
    pipeline.connect("dense", "join")
    pipeline.connect("sparse", "join")
    pipeline.connect("join", "read.documents")

    def ask(question: str) -> Found | None:
        asked = {"embed": {"text": question}, "sparse": {"query": question}, "read": {"query": question}}
        for answer in pipeline.run(asked)["read"]["answers"]:
            if answer.data:  # None is "no answer"
                return Found(answer.data, answer.document.meta["document"], answer.score)
        return None

    return ask


if __name__ == "__main__":
    sys.exit(compare("haystack", NEEDS, build))
