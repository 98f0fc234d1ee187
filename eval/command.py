"""``rag eval SET``: asks a question set, prints what it comes to, and says whether the gates are met.

Exit: 0 passed, 1 a gate is not met, 2 an error (raised as RagError). The table, or one JSON object, goes to stdout.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from eval.figures import Figure
from eval.gates import DEFAULT, Verdict, check, gate_name, load_gates
from eval.harness import Asked, Library, Result, evaluate, write_predictions, write_run
from eval.questions import QuestionSet, check_documents, load_set
from eval.records import read_json
from index.errors import InputError
from rag.progress import progress

PASSED, NOT_MET = 0, 1
Opener = Callable[[Path, str | None], Asked]
"""Opens the index at a path with the reader of that name (None: the embedded one)."""


def run_eval(options: argparse.Namespace, ready: Callable[[], Path], opener: Opener | None = None) -> int:
    """Run ``rag eval`` as the command line has it; raises RagError.

    ``options`` has set, index, corpus, reader, given_paragraph, without_gold, predictions, run_file, limit, gates,
    skip_if_absent and json. ``ready`` gives the folder of the index that an own set is asked of, and builds it first
    where that is wanted; a SQuAD or BEIR set brings its corpus, whose index is kept in the user's cache by the set's
    hash.
    """
    question_set = load_set(options.set)
    gates = load_gates(options.gates or DEFAULT)
    _check_options(options, question_set)
    absent = _absent_corpus(options, question_set)
    if absent is None:
        root = ready() if question_set.corpus is None else own_index(question_set)
        pipeline = (opener or _open)(root, options.reader)
        if question_set.corpus is None:
            absent = _differences(question_set, pipeline.index)
    if absent is not None:
        if not options.skip_if_absent:
            raise InputError(f"{absent}; give the articles the set was written for, or --skip-if-absent.")
        print(json.dumps({"set": question_set.name, "skipped": absent}) if options.json else f"skipped: {absent}")
        return PASSED
    if question_set.corpus is None:
        check_documents(question_set, pipeline.index.doc_ids)
    if options.limit is not None:
        question_set = replace(question_set, questions=question_set.questions[: options.limit])
    with progress() as report:
        result = evaluate(
            question_set,
            pipeline,
            given_paragraph=options.given_paragraph,
            without_gold=options.without_gold,
            progress=(lambda done, total: report("asking", done, total)) if report else None,
        )
    if options.predictions is not None:
        write_predictions(result, options.predictions)
    if options.run_file is not None:
        write_run(result, options.run_file)
    # Floors are those of the whole set; of a part of it they say nothing.
    name = gate_name(result.set_name, result.mode)
    verdicts = [] if options.limit is not None else check(name, result.figures, gates)
    passed = all(verdict.passed for verdict in verdicts)
    if options.json:
        print(json.dumps(result_json(result, verdicts, passed), ensure_ascii=False))
    else:
        why = "gates: not checked on a part of the set" if options.limit is not None else f"gates: none for [{name}]"
        lines = [*_table(result), "", *(map(str, verdicts) if verdicts else [why])]
        print("\n".join(lines if not verdicts else [*lines, "passed" if passed else "NOT PASSED"]))
    return PASSED if passed else NOT_MET


def result_json(result: Result, verdicts: list[Verdict], passed: bool) -> dict[str, object]:
    """What ``rag eval --json`` prints; figures, errors and n by the same names."""
    return {
        "set": result.set_name,
        "sha256": result.set_sha256,
        "mode": result.mode,
        "questions": len(result.rows),
        "figures": result.figures,
        "standard_errors": result.standard_errors,
        "n": {name: figure.n for name, figure in result.details.items()},
        "problems": [{"id": row.question.id, "problem": row.problem} for row in result.rows if row.problem],
        "gates": [
            {"figure": verdict.figure, "limit": verdict.limit, "value": verdict.value, "passed": verdict.passed}
            for verdict in verdicts
        ],
        "passed": passed,
    }


def _table(result: Result) -> list[str]:
    answerable = sum(row.question.answerable for row in result.rows)
    lines = [
        f"{result.set_name}: {len(result.rows)} questions, {answerable} of them answerable, asked {result.mode}",
        "",
        f"{'figure':<22}{'value':>10}{'s.e.':>9}{'n':>8}",
        *(_line(name, figure) for name, figure in result.details.items()),
    ]
    for row in result.rows:
        if row.problem:
            lines.append(f"not asked, counts as not found: {row.question.id}: {row.problem}")
    return lines


def _line(name: str, figure: Figure) -> str:
    value = f"{figure.value:.1f}" if name.startswith("p") else f"{figure.value:.4f}"
    error = "" if figure.error is None else f"{figure.error:.4f}"
    return f"{name:<22}{value:>10}{error:>9}{figure.n:>8}"


# -- what can stop it --------------------------------------------------------------------------------------------------


def _check_options(options: argparse.Namespace, question_set: QuestionSet) -> None:
    """Complaints that should come before the work, not after it."""
    if options.run_file is not None and (options.given_paragraph or options.without_gold):
        raise InputError("--run writes a ranking of all documents: leave out --given-paragraph and --without-gold.")
    if question_set.corpus is not None and (options.corpus or options.index):
        raise InputError(f"{question_set.path} brings its own corpus: leave out --corpus and --index.")
    for path in (options.predictions, options.run_file):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent} to write it to; make it, or give another file.")


def _absent_corpus(options: argparse.Namespace, question_set: QuestionSet) -> str | None:
    if question_set.corpus is None and options.corpus is not None and not options.corpus.exists():
        return f"the corpus of {question_set.path} is not there ({options.corpus})"
    return None


def _differences(question_set: QuestionSet, library: Library) -> str | None:
    """Why the articles are not those that the set was written for, by ``NAME.sha256.json`` beside it; None if they are.

    That file maps doc_ids to the SHA-256 of the articles' files; a set without it goes with any corpus.
    """
    path = question_set.path.with_suffix(".sha256.json")
    if not path.is_file():
        return None
    hashes: Mapping[str, object] = read_json(path, "an object of doc_id and SHA-256").data
    known = set(library.doc_ids)
    absent = [doc_id for doc_id in hashes if doc_id not in known]
    changed = [
        doc_id for doc_id in hashes if doc_id in known and library.document(doc_id).source_sha256 != hashes[doc_id]
    ]
    if not absent and not changed:
        return None
    what = f"{absent[0]} is not in the index" if absent else f"{changed[0]} is another text"
    return f"{len(absent) + len(changed)} of the {len(hashes)} articles of {question_set.path} differ ({what})"


def own_index(question_set: QuestionSet) -> Path:
    """The index of the corpus that a set brings; vectors of an earlier one are taken over."""
    from platformdirs import user_cache_path

    from index.build import build_documents

    root = user_cache_path("citespan") / "eval" / question_set.sha256[:24]
    with progress() as report:
        build_documents(question_set.corpus or (), root, report)
    return root


def _open(root: Path, reader: str | None) -> Asked:
    from rag.pipeline import Pipeline

    return Pipeline.open(root, reader)
