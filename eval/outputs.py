"""A run as files that others' scripts can judge, and the one way in which the evaluation writes a file."""

import json
import re
from pathlib import Path

import numpy as np

from eval.harness import Result
from index.errors import InputError

TAG = "citespan"
_WHITE_SPACE = re.compile(r"\s")


def write_predictions(result: Result, path: Path) -> None:
    """The answers in SQuAD's prediction format: a JSON object, question id -> text, "" when refused or not asked."""
    texts = {row.question.id: row.answer for row in result.rows}
    write(path, json.dumps(texts, ensure_ascii=False, indent=0) + "\n")


def write_run(result: Result, path: Path) -> None:
    """The rankings in TREC's run format, a line a document: ``qid Q0 docid rank score tag``.

    White space in an id, which would shift the columns, is percent-encoded. trec_eval orders by score in single
    precision and breaks ties by id: a score that is no smaller there than the one before is lowered to the next smaller
    number, so that it judges the order that was shown.
    """
    lines = []
    for row in result.rows:
        before = np.float32(np.inf)
        for rank, (doc_id, score) in enumerate(zip(row.ranking, row.ranking_scores, strict=True), 1):
            before = min(np.float32(score), np.nextafter(before, np.float32(-np.inf)))
            lines.append(f"{_column(row.question.id)} Q0 {_column(doc_id)} {rank} {before:.9g} {TAG}\n")
    write(path, "".join(lines))


def write(path: Path, text: str) -> None:
    """Write the text as UTF-8 with "\\n" at its lines' ends; InputError when the file cannot be written."""
    try:
        # The name of a set's file may be no UTF-8, which must not cost a run of hours its report.
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give a file in an existing folder.") from None


def _column(text: str) -> str:
    return _WHITE_SPACE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)
