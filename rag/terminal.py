"""A command and where it runs: odd encodings, closed or full outputs, a reader that has gone, Ctrl+C."""

import codecs
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from index.errors import RagError

# What else is needed is imported where it is: until `Stopping` listens, Ctrl+C ends in a traceback.


def survive_odd_output() -> None:
    """What the terminal's encoding cannot show is shown escaped, and what was closed swallows, without a traceback."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def abandon_output() -> None:
    """What is still to be written goes nowhere; else the interpreter would try, and complain, once more at its end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(sentence: str, program: str = "rag") -> None:
    """Say on stderr what is wrong, in one line."""
    from rag.render import safe_line

    with suppress(OSError):  # there may be nobody left to complain to
        print(f"{program}: {safe_line(sentence)}", file=sys.stderr, flush=True)


def exit_code(program: str, work: Callable[[], object]) -> int:
    """Do the work of a ``python -m PROGRAM``: 0 or, for a RagError, 2 and its sentence on stderr."""
    try:
        work()
    except RagError as error:
        complain(str(error), program)
        return 2
    return 0


def print_json(value: object) -> None:
    """One line of JSON, in ASCII where the output is not UTF-8."""
    from rag.render import json_line

    print(json_line(value, ascii_only=codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"))


class Stopping:
    """Whether Ctrl+C was pressed inside.

    In an import it comes out as an ImportError (of a compiled module) or a RuntimeError (while a class is made).
    """

    asked = False

    def __enter__(self) -> None:
        """Listen, unless somebody else does, or nobody is to (a thread, ``nohup``)."""
        self._before: Any = signal.getsignal(signal.SIGINT)
        if self._before is signal.default_int_handler:
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGINT, self._stop)

    def _stop(self, *_: object) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def __exit__(self, kind: object, *_: object) -> None:
        """Listen no more."""
        self.asked |= kind is KeyboardInterrupt
        if signal.getsignal(signal.SIGINT) == self._stop:
            signal.signal(signal.SIGINT, self._before)
