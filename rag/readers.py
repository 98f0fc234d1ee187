"""Which reader a name means: None the embedded one, ``none`` whole sentences."""

from index.errors import ModelError
from rag.reader import Reader


def load_reader(name: str | None) -> Reader:
    """The reader of that name; ModelError when it cannot be had, never another in its place."""
    if name is None:
        from rag.minireader import embedded_reader
        from rag.spans import SpanReader

        return SpanReader(embedded_reader(), "embedded")
    if name == "none":
        from rag.sentences import SentenceReader

        return SentenceReader()
    raise ModelError(f"there is no reader {name!r}: give `--reader none` for whole sentences, or leave the flag out")
