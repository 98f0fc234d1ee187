"""The open pipeline behind the server: swapped when a new generation is published, asked by few at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from index import store
from index.errors import RagError
from rag.pipeline import Pipeline
from web.examples import example_questions

AT_ONCE = 4
SECONDS = 10.0
RETRY_AFTER = 2
"""Seconds after which one who was turned away may try again."""
REOPEN_AFTER = 5.0
"""Seconds after which a generation that could not be opened is tried again: it may have been copied in only half."""
T = TypeVar("T")


class Busy(Exception):
    """All places are taken."""


class TooSlow(Exception):
    """A question took longer than it may."""


@dataclass(frozen=True)
class Opened:
    """A pipeline and what is worked out once for its generation."""

    pipeline: Pipeline

    @cached_property
    def examples(self) -> list[str]:
        """Questions to begin with."""
        return example_questions(self.pipeline.index)

    @cached_property
    def dates(self) -> tuple[str, str] | None:
        """The earliest and the latest date that an article bears."""
        known = sorted(record.date for record in self.pipeline.index.generation.records if record.date)
        return (known[0], known[-1]) if known else None


class Engine:
    """What the routes ask. Safe to use from several threads."""

    def __init__(self, root: Path, open_pipeline: Callable[[], Pipeline], seconds: float = SECONDS) -> None:
        """Open the index at ``root`` by ``open_pipeline``, which is called again for every new generation.

        ``seconds`` is how long a question may take. Raises RagError.
        """
        self.root = root
        self.seconds = seconds
        self.trouble: str | None = None
        """A sentence that says why what is asked is not what stands on disk, if so."""
        self._open = open_pipeline
        self._opening = threading.Lock()
        self._refused: tuple[str, str] | None = None
        self._try_at = 0.0
        self._opened = Opened(open_pipeline())
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._workers = ThreadPoolExecutor(AT_ONCE, "question")

    def held(self) -> Opened:
        """What is open, without looking for anything newer."""
        return self._opened

    def current(self) -> Opened:
        """The current generation, opened; the one before while another request is opening it, or when it is damaged.

        A request calls this once and keeps what it got.
        """
        try:
            current = store.current_generation(self.root)
        except RagError as error:
            self.trouble, self._refused = _passed_over(error), None
            return self._opened
        generation = self._opened.pipeline.index.generation
        if current == (generation.name, generation.digest):
            self.trouble = None
            return self._opened
        if current is None:
            self.trouble, self._refused = f"The index at {self.root} is gone; what was open is still asked", None
            return self._opened
        if current == self._refused and time.monotonic() < self._try_at:
            return self._opened
        if self._opening.acquire(blocking=False):
            try:
                self._opened = Opened(self._open())
                self.trouble = self._refused = None
            except RagError as error:
                self.trouble, self._refused = _passed_over(error), current
                self._try_at = time.monotonic() + REOPEN_AFTER
            finally:
                self._opening.release()
        return self._opened

    def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``; Busy when all places are taken, TooSlow when it takes too long.

        Work that is too slow keeps its place until it ends: a thread cannot be stopped, only its results be given up.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        future: Future[T] = self._workers.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return future.result(self.seconds)
        except Late:
            raise TooSlow from None


def _passed_over(error: RagError) -> str:
    reason = str(error).rstrip(".")
    return f"A newer index could not be opened, so the one before it is asked: {reason}"
