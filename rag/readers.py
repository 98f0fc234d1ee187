"""Which reader a name means: None the embedded one, ``none`` whole sentences, any other a Hugging Face model."""

from rag.reader import Reader


def load_reader(name: str | None) -> Reader:
    """The reader of that name; ModelError when it cannot be had, never another in its place."""
    if name == "none":
        from rag.sentences import SentenceReader

        return SentenceReader()

    from rag.spans import SpanReader

    if name is None:
        from rag.minireader import embedded_reader

        return SpanReader(embedded_reader(), "embedded")

    from rag.huggingface import HuggingFaceReader

    return SpanReader(HuggingFaceReader(name), name)
