"""What the page costs over the bare pipeline: ``python -m web.bench --corpus PATH [--pairs N]``.

Each question is asked twice in a row, as ``rag ask`` asks it once it is warm and as a whole page over HTTP, in turns of
order. What counts is the ratio within such a pair: it holds on a slow or busy machine, where milliseconds do not.
"""

import argparse
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from index.errors import InputError
from rag import ALTERNATIVES
from rag.corpus import refreshed
from rag.pipeline import Pipeline
from rag.terminal import exit_code
from web.app import create_app
from web.engine import Engine
from web.examples import example_questions
from web.safety import loopback_hosts
from web.serve import listening, server_of

WARM = 3
"""Times that every question is asked beforehand."""


def measured(root: Path, pairs: int) -> dict[str, float | int]:
    """Medians over ``pairs`` pairs, in milliseconds, and that of the ratios; raises RagError."""
    pipeline = Pipeline.open(root)
    questions = example_questions(pipeline.index, 9)
    if not questions:
        raise InputError("no question could be drawn from these articles: measure with rag/sample")
    with _served(root, pipeline) as get:

        def ask(question: str) -> None:
            pipeline.ask(question, ALTERNATIVES)

        for question in questions * WARM:
            get(question)
            ask(question)
        pages: list[float] = []
        asks: list[float] = []
        for number in range(pairs):
            question = questions[number // 2 % len(questions)]
            for page in (True, False) if number % 2 else (False, True):
                started = time.perf_counter()
                (get if page else ask)(question)
                (pages if page else asks).append(1000 * (time.perf_counter() - started))
    ratios = sorted(page / ask for page, ask in zip(pages, asks, strict=True))
    return {
        "questions": len(questions),
        "pairs": pairs,
        "ask_ms": median(asks),
        "page_ms": median(pages),
        "ratio": median(ratios),
        "ratio_p95": ratios[min(pairs - 1, 95 * pairs // 100)],
    }


@contextmanager
def _served(root: Path, pipeline: Pipeline) -> Iterator[Callable[[str], None]]:
    """A function that fetches the page of a question from the server that ``rag serve`` runs."""
    (opened,) = listening("127.0.0.1", 0)
    port = opened.getsockname()[1]
    server = server_of(create_app(Engine(root, lambda: pipeline, seconds=600), loopback_hosts(port)))
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def get(question: str) -> None:
        connection.request("GET", "/?" + urlencode({"q": question}))
        response = connection.getresponse()
        response.read()
        connection.close()  # one a page: the server hangs up on one that idles, as it may on a busy machine
        if response.status != 200:
            raise InputError(f"the page answered {response.status} to {question!r}")

    try:
        yield get
    finally:
        connection.close()
        server.should_exit = True
        thread.join()
        opened.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m web.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="a folder or file, indexed or refreshed first")
    parser.add_argument("--pairs", type=int, default=100, help="how often each way is asked (100)")
    options = parser.parse_args(arguments)

    def report() -> None:
        found = measured(refreshed(options.corpus), max(1, options.pairs))
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))

    return exit_code("web.bench", report)


if __name__ == "__main__":
    sys.exit(main())
