"""The JSON API under ``/api/v1/``: the contract's objects, described by OpenAPI, errors as problems (RFC 9457)."""

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from rag import ALTERNATIVES
from rag.pipeline import MAX_QUESTION, checked
from rag.render import answer_json, document_json, documents_json, hits_json, json_line, status_json
from web import schema
from web.engine import Engine


class Question(BaseModel):
    """What is asked; ``k`` is how many alternatives (ask) or passages (search)."""

    model_config = ConfigDict(extra="ignore")
    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    k: int | None = Field(None, ge=1, le=100)


Asked = Annotated[str, Query(min_length=1, max_length=MAX_QUESTION, description="the question")]
Count = Annotated[int, Query(ge=1, le=100)]


def json_response(value: object, status: int = 200, kind: str = "application/json") -> Response:
    """JSON in which nothing steers a terminal; a lone surrogate is written as JSON's own escape."""
    return Response(json_line(value).encode("utf-8", "backslashreplace"), status, media_type=kind)


def _answers(model: type[BaseModel], *others: int) -> dict[int | str, dict[str, Any]]:
    problem = {"content": {"application/problem+json": {"schema": schema.Problem.model_json_schema()}}}
    said = {
        400: "The question cannot be used",
        403: "Started by another site",
        404: "There is no such document",
        408: "The body took too long",
        413: "The body is too large",
        414: "The address is too long",
        421: "This host is not served",
        422: "A value is missing or out of bounds",
        431: "The headers are too large",
        500: "The index or a model cannot be read",
        503: "All places are taken, or the question took too long",
    }
    always = (400, 403, 408, 413, 414, 421, 422, 431, 500, 503)
    return {
        200: {"model": model},
        **{status: {"description": said[status], **problem} for status in (*always, *others)},
    }


def api_routes(engine: Engine, heard: Any) -> APIRouter:
    """The routes; ``heard`` is called with every question."""
    router = APIRouter(prefix="/api/v1", default_response_class=Response)

    def ask(question: str, k: int) -> Response:
        wanted = checked(question)
        heard(wanted)
        opened = engine.current()
        return json_response(answer_json(engine.run(lambda: opened.pipeline.ask(wanted, k))))

    def search(query: str, k: int) -> Response:
        wanted = checked(query)
        heard(wanted)
        opened = engine.current()
        pipeline = opened.pipeline
        return json_response(engine.run(lambda: hits_json(wanted, pipeline.search(wanted, k), pipeline.index)))

    @router.get("/ask", responses=_answers(schema.Answer), summary="Answer a question")
    def get_ask(q: Asked, k: Count = ALTERNATIVES) -> Response:
        return ask(q, k)

    @router.post("/ask", responses=_answers(schema.Answer), summary="Answer a question")
    def post_ask(asked: Question) -> Response:
        return ask(asked.question, asked.k or ALTERNATIVES)

    @router.get("/search", responses=_answers(schema.Hits), summary="Rank passages")
    def get_search(q: Asked, k: Count = 10) -> Response:
        return search(q, k)

    @router.post("/search", responses=_answers(schema.Hits), summary="Rank passages")
    def post_search(asked: Question) -> Response:
        return search(asked.question, asked.k or 10)

    @router.get("/documents", responses=_answers(schema.Documents), summary="List documents, by id")
    def documents(offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Count = 100) -> Response:
        records = engine.current().pipeline.index.generation.records
        return json_response(documents_json(records[offset : offset + limit], len(records)))

    @router.get("/documents/{document:anything}", responses=_answers(schema.Document, 404), summary="A stored document")
    def document(document: str, request: Request) -> Response:
        index = engine.current().pipeline.index
        try:
            return json_response(document_json(index.document(asked_path(request, "/api/v1/documents/"))))
        except KeyError:
            raise HTTPException(404, "the index holds no such document") from None

    @router.get("/status", responses=_answers(schema.Status), summary="What the index holds")
    def status() -> Response:
        pipeline = engine.current().pipeline
        facts = status_json(pipeline.index.generation, pipeline.reader.identity)
        return json_response({**facts, "trouble": engine.trouble})

    return router


class _Anything(PathConvertor):
    """The rest of a path, newlines included: a file's name may hold one."""

    regex = "(?s:.*)"


register_url_convertor("anything", _Anything())


def asked_path(request: Request, prefix: str) -> str:
    """What stands behind ``prefix`` in the path, as a document's id; what is no UTF-8 is in none."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return unquote(raw.decode("latin-1")).removeprefix(prefix)
