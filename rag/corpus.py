"""A user's articles -> the index to ask: built where the user says, or kept in their cache and refreshed."""

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from index.build import BuildReport, build, is_stale
from index.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing
from index.publish import await_writer
from index.store import open_current
from index.user import user_folder
from rag.progress import progress
from rag.render import safe_line
from rag.terminal import complain

WAIT = 600.0
"""Seconds that ``refreshed`` waits for another process that builds the same index."""


def built(paths: Sequence[Path], root: Path, model: str | None) -> BuildReport:
    """Index ``paths`` at ``root``, with progress and each file left out on stderr; errors as ``index.build.build``."""
    with progress() as report:
        result = build(paths, root, model, report)
    for rejected in (*result.skipped, *result.failed):
        print(f"rag: {rejected.kind} {safe_line(rejected.path)}: {safe_line(rejected.reason)}", file=sys.stderr)
    return result


def refreshed(corpus: Path) -> Path:
    """The index kept for ``corpus`` in the user's cache; built when absent or when a file has changed.

    Another process that is building it is waited for; IndexBusy when that takes more than ten minutes.
    """
    root, until, waited = _kept(corpus), time.monotonic() + WAIT, False
    while _is_stale(root):
        try:
            built([corpus], root, None)
            break
        except IndexBusy:
            if not waited:
                complain(f"another process is indexing {corpus}: waiting until it is done")
            waited = True
            await_writer(root, max(0.0, until - time.monotonic()))
    return root


def _kept(corpus: Path) -> Path:
    """Where the index for ``corpus`` is kept, by its path without links."""
    place = Path(os.path.realpath(corpus))
    if not os.path.isdir(place):  # noqa: PTH112, it never raises
        # A document is called as its file was given: a link to it is another corpus.
        place = Path(os.path.realpath(corpus.parent), corpus.name)
    return user_folder("cache") / "indexes" / hashlib.sha256(os.fsencode(place)).hexdigest()[:24]


def _is_stale(root: Path) -> bool:
    try:
        return is_stale(open_current(root))
    except (IndexMissing, IndexDamaged, IndexMismatch):
        return True
