"""The shapes of the API's objects, for its OpenAPI description; see the contract in ``rag.render``."""

from typing import Literal

from pydantic import BaseModel, Field

from rag.answer import Citation, Support


class Problem(BaseModel):
    """An error, as in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class Candidate(BaseModel):
    """A possible answer."""

    answer: str
    confidence: float = Field(ge=0, le=1)
    citations: list[Citation]
    support: Support


class Part(BaseModel):
    """One item of a list."""

    answer: str
    citations: list[Citation]


class Answer(BaseModel):
    """An answer, or the refusal of one with its reason."""

    question: str
    answered: bool
    answer: str | None
    confidence: float = Field(ge=0, le=1)
    reason: Literal["not_found", "weak", "empty_index"] | None
    citations: list[Citation]
    parts: list[Part]
    support: Support
    alternatives: list[Candidate]
    timings_ms: dict[str, float]


class Hit(BaseModel):
    """A ranked passage."""

    passage_id: int
    document: str
    title: str | None
    start: int
    end: int
    text: str
    score: float
    parts: dict[str, float]


class Hits(BaseModel):
    """A ranking, best first."""

    query: str
    hits: list[Hit]


class Listed(BaseModel):
    """A document without its text."""

    document: str
    title: str | None
    date: str | None
    source: str | None


class Documents(BaseModel):
    """A stretch of the list of all documents."""

    total: int
    documents: list[Listed]


class Document(Listed):
    """A stored document; ``masked`` are the spans that are no article text."""

    text: str
    sha256: str
    masked: list[tuple[int, int]]


class Status(BaseModel):
    """What the index holds; ``trouble`` says why what is asked is not what stands on disk, if so."""

    generation: str
    created: str
    documents: int
    passages: int
    encoder: str
    reader: str
    bytes: int
    stale: bool
    trouble: str | None
