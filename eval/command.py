"""``rag eval SET``: asks a question set, prints what it comes to, and says whether the gates are met.

Exit: 0 passed, 1 a gate is not met (``--check``: something is wrong with the set), 2 an error (raised as RagError). The
table, or one JSON object, goes to stdout.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eval.asked import Asked, Library
from eval.check import check_json, check_set
from eval.compare import check_fit, compare
from eval.corpus import hashes_file, met, opened
from eval.fingerprint import fingerprint
from eval.gates import DEFAULT, LOSS, Gates, check, check_losses, gate_name, load_gates, place, stored
from eval.harness import ALTERNATIVES, Result, evaluate, mode_of
from eval.outputs import write_predictions, write_run
from eval.questions import QuestionSet, check_documents, load_set
from eval.report import Report, report_json, report_text
from eval.report_files import check_suffix, write_report
from eval.run import Run, as_run, read_run
from index.errors import InputError
from rag.progress import progress
from rag.render import safe_line
from rag.terminal import print_json

PASSED, NOT_MET = 0, 1


def open_index(root: Path) -> Library:
    """The index at ``root``; no reader is loaded."""
    from index.search import Index

    return Index.open(root)


def open_pipeline(library: Library, reader: str | None) -> Asked:
    """That index with the reader of that name (None: the embedded one)."""
    from index.search import Index
    from rag.pipeline import Pipeline
    from rag.readers import load_reader

    index: object = library
    assert isinstance(index, Index)  # as ``open_index`` gives it
    return Pipeline(index, load_reader(reader))


def run_eval(
    options: argparse.Namespace,
    ready: Callable[[], Path],
    library_at: Callable[[Path], Library] = open_index,
    pipeline_of: Callable[[Library, str | None], Asked] = open_pipeline,
) -> int:
    """Run ``rag eval`` as the command line has it; raises RagError.

    ``options`` has set, index, corpus, reader, given_paragraph, without_gold, predictions, run_file, report (paths),
    against, check, limit, gates, skip_if_absent and json. ``ready`` gives the folder of the index that an own set is
    asked of, and builds it first where that is wanted; a SQuAD or BEIR set brings its corpus, whose index is kept in
    the user's cache by the set's hash. ``library_at`` opens an index, ``pipeline_of`` adds the reader of that name,
    which ``--check`` does without.
    """
    question_set = load_set(options.set)
    mode = mode_of(given_paragraph=options.given_paragraph, without_gold=options.without_gold)
    name = gate_name(question_set.name, mode)
    gates = _gates(options, question_set, name)
    _check_options(options, question_set, name)
    whole = options.limit is None or options.limit >= len(question_set.questions)
    baseline = _baseline(options, name, gates, whole=whole)
    library = opened(question_set, options.corpus, ready, library_at, skip=options.skip_if_absent)
    if isinstance(library, str):
        if options.json:
            print_json({"set": question_set.name, "skipped": library})
        else:
            print(f"skipped: {library}" + ("; nothing was written" if _outputs(options) else ""))
        return PASSED
    if options.check:
        return _print_findings(options, question_set, library)
    if question_set.corpus is None:
        check_documents(question_set, met(library))
    pipeline = pipeline_of(library, options.reader)
    if not whole:
        question_set = replace(question_set, questions=question_set.questions[: options.limit])
    if baseline is not None:  # before the work, not after it
        check_fit(fingerprint(question_set, pipeline, mode, ALTERNATIVES), baseline)
    with progress() as report:
        result = evaluate(
            question_set,
            pipeline,
            k=ALTERNATIVES,
            given_paragraph=options.given_paragraph,
            without_gold=options.without_gold,
            passages=any(path.suffix.lower() == ".html" for path in options.report),
            progress=(lambda done, total: report("asking", done, total)) if report else None,
        )
    if options.predictions is not None:
        write_predictions(result, options.predictions)
    if options.run_file is not None:
        write_run(result, options.run_file)
    judged = _judged(result, baseline, gates, whole=whole)
    for path in options.report:
        write_report(judged, path)
    if options.json:
        print_json(report_json(judged))
    else:
        print(report_text(judged))
    return PASSED if judged.passed else NOT_MET


def _gates(options: argparse.Namespace, question_set: QuestionSet, name: str) -> Gates | None:
    """The gates of the file given or of the package; None where those of the package are for another set.

    The package's hold its own sets alone: the folder ``sets`` beside them, and a copy of what a stored baseline ran.
    A user's set that happens to have the same name is none of them.
    """
    gates = load_gates(options.gates or DEFAULT)
    if options.gates is not None or question_set.path.resolve().parent == (DEFAULT.parent / "sets").resolve():
        return gates
    kept = place(DEFAULT, name)
    if kept.is_file() and read_run(kept).fingerprint.get("set", {}).get("sha256") == question_set.sha256:
        return gates
    return None


def _baseline(options: argparse.Namespace, name: str, gates: Gates | None, *, whole: bool) -> Run | None:
    """The run to compare with: the one given or, where gates allow a loss to the whole set, the stored one."""
    if options.against is not None:
        return read_run(options.against)
    if gates is None or not gates.get(f"{name}.{LOSS}") or not whole or options.check:
        return None
    return stored(options.gates or DEFAULT, name)


def _judged(result: Result, baseline: Run | None, gates: Gates | None, *, whole: bool) -> Report:
    name = gate_name(result.set_name, result.mode)
    comparison = compare(as_run(result), baseline) if baseline is not None else None
    if gates is None:
        note = f"gates: none for [{name}]; those of the package hold its own sets alone (--gates FILE: yours)"
        return Report(result, [], [], comparison, note)
    # Floors are those of the whole set; of a part of it they say nothing.
    if not whole:
        return Report(result, [], [], comparison, "gates: not checked on a part of the set")
    verdicts = check(name, result.figures, gates)
    losses = check_losses(name, comparison.differences, gates) if comparison is not None else []
    note = "" if verdicts or losses else f"gates: none for [{name}]"
    return Report(result, verdicts, losses, comparison, note)


def _print_findings(options: argparse.Namespace, question_set: QuestionSet, library: Library) -> int:
    findings = check_set(question_set, library)
    if options.json:
        print_json(check_json(question_set, findings))
    else:
        lines = [f"{question_set.path}, {finding}" for finding in findings]
        end = f"{len(findings)} findings" if findings else "nothing found wrong"
        print(
            "\n".join(map(safe_line, [*lines, f"{question_set.name}: {len(question_set.questions)} questions, {end}"]))
        )
    return NOT_MET if findings else PASSED


# -- what can stop it --------------------------------------------------------------------------------------------------


def _check_options(options: argparse.Namespace, question_set: QuestionSet, name: str) -> None:
    """Complaints that should come before the work, not after it."""
    if options.run_file is not None and (options.given_paragraph or options.without_gold):
        raise InputError("--run writes a ranking of all documents: leave out --given-paragraph and --without-gold.")
    if question_set.corpus is not None and (options.corpus or options.index):
        raise InputError(f"{question_set.path} brings its own corpus: leave out --corpus and --index.")
    for path in options.report:
        check_suffix(path)
    if options.check and (outputs := _outputs(options)):
        raise InputError(f"--check asks nothing, so there is nothing to write to {outputs[0]}: leave one of them out.")
    gates = options.gates or DEFAULT
    read = (options.set, gates, place(gates, name), options.against, hashes_file(question_set), *question_set.files)
    # realpath: ``Path.resolve`` raises at a link that leads to itself.
    taken = {os.path.realpath(path) for path in read if path is not None}
    for path in _outputs(options):
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent} to write it to; make it, or give another file.")
        real = os.path.realpath(path)
        if Path(real).is_symlink():
            raise InputError(f"{path}: it cannot be written, being a link that leads to itself; give another file.")
        if real in taken:
            raise InputError(
                f"{path} is to be written, but is a file that is read, or another output: give each a name."
            )
        taken.add(real)


def _outputs(options: argparse.Namespace) -> list[Path]:
    """The files to write."""
    return [path for path in (options.predictions, options.run_file, *options.report) if path is not None]
