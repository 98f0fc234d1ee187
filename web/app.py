"""The application: pages for people, the API, health; every error in the form that its reader expects."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.staticfiles import StaticFiles

from index.errors import InputError, RagError
from rag import ALTERNATIVES, __version__
from rag.pipeline import MAX_QUESTION, checked
from rag.render import json_line, safe_line
from web import view
from web.api import api_routes, asked_path, json_response
from web.engine import RETRY_AFTER, Busy, Engine, Opened, TooSlow
from web.safety import Safety

Heard = Callable[[str], None]


def create_app(engine: Engine, hosts: Iterable[str], heard: Heard | None = None) -> Safety:
    """The whole application, guarded: ``.app`` of what is returned is the FastAPI inside.

    ``hosts`` are the values of Host that are served (``web.safety.loopback_hosts``); ``heard`` is called with every
    question, which is kept nowhere otherwise.
    """
    app = FastAPI(
        title="Citespan", version=__version__, description="Exact words that answer a question, cited.",
        openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    heard = heard or (lambda question: None)
    pages = _Pages()
    _routes(app, engine, pages, heard)
    api = api_routes(engine, heard)
    app.include_router(api)
    app.mount("/static", StaticFiles(directory=Path(str(resources.files("web"))) / "static"))
    _errors(app, pages, [*app.routes, *api.routes])
    return Safety(app, hosts)


class _Pages:
    """Templates to HTML: escaped always, control and bidi characters as visible marks always."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("web"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            auto_reload=False,
            finalize=_visible,
        )
        # For page.js, which gets the very characters: HTML itself has no way to write all of them.
        self._environment.filters["json"] = lambda value: json_line(value, ascii_only=True)

    def __call__(
        self, name: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        kind = "application/opensearchdescription+xml" if name.endswith(".xml") else "text/html"
        html = self._environment.get_template(name).render(limit=MAX_QUESTION, **values)
        return Response(html.encode("utf-8", "replace"), status, dict(headers or {}), f"{kind}; charset=utf-8")


def _visible(value: object) -> object:
    """What a template prints; only the templates' own macros return Markup."""
    return safe_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _typed(question: str) -> str:
    """A question without the characters that a page would show as marks, so that it can be shown and asked again."""
    return "".join(shown for shown in map(safe_line, question) if len(shown) == 1)


def _routes(app: FastAPI, engine: Engine, pages: _Pages, heard: Heard) -> None:
    @app.get("/", include_in_schema=False)
    def home(q: str = "") -> Response:
        opened = engine.current()
        if not q.strip():
            return pages("home.html", **_about(opened, engine))
        try:
            question = _typed(checked(q))
            heard(question)
            asked = engine.run(lambda: opened.pipeline.trace(question, ALTERNATIVES))
        except InputError as error:
            again = _typed(q[:MAX_QUESTION])
            return pages("error.html", 400, title="This question cannot be asked", detail=str(error), question=again)
        return pages("results.html", **view.results_view(asked, opened.pipeline.index), trouble=engine.trouble)

    @app.get("/doc/{document:anything}", include_in_schema=False)
    def document(
        document: str,
        request: Request,
        start: Annotated[int | None, Query(ge=0)] = None,
        end: Annotated[int | None, Query(ge=1)] = None,
        at: Annotated[int | None, Query(ge=0)] = None,
        sha256: Annotated[str | None, Query(pattern=f"^[0-9a-f]{{{view.SHA256_DIGITS}}}$")] = None,
    ) -> Response:
        index = engine.current().pipeline.index
        try:
            found = index.document(asked_path(request, "/doc/"))
        except KeyError:
            raise HTTPException(404, "the index holds no such article") from None
        span = None
        changed = sha256 is not None and not found.sha256.startswith(sha256)
        if not changed and (start is not None or end is not None):
            if start is None or end is None or not start < end <= len(found.text):
                raise HTTPException(404, f"the article has no such place: it has {len(found.text):,} characters")
            span = (start, end)
        return pages("document.html", **view.document_view(found, span, at, changed), trouble=engine.trouble)

    @app.get("/opensearch.xml", include_in_schema=False)
    def opensearch(request: Request) -> Response:
        return pages("opensearch.xml", base=f"http://{request.headers['host']}")

    # Neither a thread nor a place is needed, so that it answers while all of them are taken.
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return json_response({"status": "ok", "generation": engine.held().pipeline.index.generation.name})


def _about(opened: Opened, engine: Engine) -> dict[str, Any]:
    manifest = opened.pipeline.index.generation.manifest
    return {
        "documents": manifest["documents"],
        "passages": manifest["passages"],
        "dates": opened.dates,
        "created": manifest["created"],
        "age": view.age(manifest["created"]),
        "examples": opened.examples,
        "trouble": engine.trouble,
    }


NO_OBJECT = "the body is no JSON object: send one, with the header Content-Type: application/json"


def _wrong(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors, in a sentence; of a body that is no object, what to send instead."""
    if error["loc"] == ("body",) or error["type"] == "json_invalid":
        return NO_OBJECT
    return f"{'.'.join(map(str, error['loc'][1:]))}: {error['msg']}"


def _methods(routes: Iterable[BaseRoute], request: Request) -> list[str]:
    """The methods that the path of ``request`` answers."""
    found = {"HEAD"}
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def _errors(app: FastAPI, pages: _Pages, routes: Iterable[BaseRoute]) -> None:
    def failed(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
        phrase = HTTPStatus(status).phrase
        if request.scope["path"].startswith("/api/"):
            problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
            response = json_response(problem, status, "application/problem+json")
            response.headers.update(headers or {})
            return response
        again = _typed(request.query_params.get("q", "")[:MAX_QUESTION])
        return pages("error.html", status, headers, title=phrase, detail=detail, question=again)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        # A 400 is FastAPI's own, of a body that its parser gave up on; ours are InputErrors.
        detail = NO_OBJECT if error.status_code == 400 else error.detail
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405:  # the framework names the methods of the first route that has the path
            headers["allow"] = ", ".join(_methods(routes, request))
        return failed(request, error.status_code, detail, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return failed(request, 422, "; ".join(map(_wrong, error.errors())))

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> Response:
        detail = f"too many questions at once: ask again in {RETRY_AFTER} seconds"
        return failed(request, 503, detail, {"retry-after": str(RETRY_AFTER)})

    @app.exception_handler(TooSlow)
    async def slow(request: Request, error: TooSlow) -> Response:
        detail = "the question took too long and was given up: ask a shorter one, or ask again later"
        return failed(request, 503, detail, {"retry-after": str(RETRY_AFTER)})

    @app.exception_handler(RagError)
    async def rag(request: Request, error: RagError) -> Response:
        return failed(request, 400 if isinstance(error, InputError) else 500, str(error))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return failed(request, 500, "this is a bug in Citespan: the terminal where `rag serve` runs shows where")
