"""``rag eval SET``: asks a question set, prints what it comes to, and says whether the gates are met.

Exit: 0 passed, 1 a gate is not met (``--check``: something is wrong with the set), 2 an error (raised as RagError). The
table, or one JSON object, goes to stdout.
"""

import argparse
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.asked import Asked, Library
from eval.baseline import place, stored
from eval.check import check_json, check_set
from eval.compare import check_fit, compare
from eval.fingerprint import fingerprint
from eval.gates import DEFAULT, LOSS, Gates, check, check_losses, gate_name, load_gates
from eval.harness import Result, evaluate, mode_of, write_predictions, write_run
from eval.questions import QuestionSet, check_documents, load_set
from eval.records import read_json
from eval.report import Report, report_json, report_text
from eval.report_files import check_suffix, write_report
from eval.run import Run, as_run, read_run
from index.errors import IndexMissing, InputError
from rag.progress import progress
from rag.render import safe_line
from rag.terminal import print_json

PASSED, NOT_MET = 0, 1
ALTERNATIVES = 3


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
    absent = _absent_corpus(options, question_set)
    if absent is None:
        try:
            library = library_at(ready() if question_set.corpus is None else own_index(question_set))
        except IndexMissing as error:
            # One that this run was to build is missed by a fault of ours, not because the articles are elsewhere.
            if not options.skip_if_absent or options.corpus is not None or question_set.corpus is not None:
                raise
            absent = str(error)
        else:
            absent = _differences(options, question_set, library) if question_set.corpus is None else None
    if absent is not None:
        if not options.skip_if_absent:
            raise InputError(f"{absent}; give the articles the set was written for, or --skip-if-absent.")
        if options.json:
            print_json({"set": question_set.name, "skipped": absent})
        else:
            print(f"skipped: {absent}" + ("; nothing was written" if _outputs(options) else ""))
        return PASSED
    if options.check:
        return _print_findings(options, question_set, library)
    if question_set.corpus is None:
        check_documents(question_set, _met(library))
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
    read = (options.set, gates, place(gates, name), options.against, _hashes(question_set), *question_set.files)
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


def _absent_corpus(options: argparse.Namespace, question_set: QuestionSet) -> str | None:
    if question_set.corpus is None and options.corpus is not None and not options.corpus.exists():
        return f"the corpus of {question_set.path} is not there ({options.corpus})"
    return None


def _hashes(question_set: QuestionSet) -> Path:
    """The file that maps doc_ids to the SHA-256 of the articles' files; a set without it goes with any corpus."""
    return question_set.path.with_suffix(".sha256.json")


def _differences(options: argparse.Namespace, question_set: QuestionSet, library: Library) -> str | None:
    """Why the articles are not those that the set was written for, by the file of their hashes; None if they are.

    InputError for an article whose very file is there and that the index lacks all the same: ingestion lost it, or gave
    it another id, and a run that is skipped for it would never show that.
    """
    path = _hashes(question_set)
    if not path.is_file():
        return None
    hashes: Mapping[str, object] = read_json(path, "an object of doc_id and SHA-256").data
    known = set(library.doc_ids)
    absent = [doc_id for doc_id in hashes if doc_id not in known]
    places = _places(options, library)
    for doc_id in absent:
        if (file := _file(doc_id, places)) and hashes[doc_id] in _digests(file):
            raise InputError(f"{file} is there, but {doc_id!r} is not in the index: `rag index` says what it rejects.")
    changed = [
        doc_id for doc_id in hashes if doc_id in known and library.document(doc_id).source_sha256 != hashes[doc_id]
    ]
    if added := sorted(known - hashes.keys()):
        return f"{added[0]} is none of the {len(hashes)} articles of {question_set.path}"
    if not absent and not changed:
        return None
    what = f"{absent[0]} is not in the index" if absent else f"{changed[0]} is another text"
    return f"{len(absent) + len(changed)} of the {len(hashes)} articles of {question_set.path} differ ({what})"


def _places(options: argparse.Namespace, library: Library) -> list[Path]:
    """The folders and files that the index is of."""
    if options.corpus is not None:
        return [options.corpus]
    return [Path(path) for path in _manifest(library).get("paths", ())]


def _file(doc_id: str, places: Sequence[Path]) -> Path | None:
    """The file of a document, by its id (``index.find``), where it is on disk; that of a JSON line is before "#"."""
    for root in places:
        for name in (doc_id, doc_id.partition("#")[0]):
            # With several PATHs an id begins with the folder's own name; a file given is called by its name alone.
            named = [root.parent / name] if name.partition("/")[0] == root.name else []
            for file in (root / name, *named):
                if os.path.isfile(file):  # noqa: PTH113 (False, too, for a name that no file can have)
                    return file
    return None


def _digests(file: Path) -> set[str]:
    """SHA-256 of a file and of each of its lines, as documents have them (``source_sha256``)."""
    data = file.read_bytes()
    return {hashlib.sha256(part).hexdigest() for part in (data, *(line.rstrip(b"\r") for line in data.split(b"\n")))}


def _met(library: Library) -> set[str]:
    """The ids of all documents and of the files that could not be read: these are for blame, not for a complaint."""
    return {*library.doc_ids, *_manifest(library).get("stats", ())}


def _manifest(library: Library) -> Mapping[str, Any]:
    """What an index on disk says of itself; empty for another library."""
    from index.search import Index

    index: object = library
    return index.generation.manifest if isinstance(index, Index) else {}


def own_index(question_set: QuestionSet) -> Path:
    """The index of the corpus that a set brings; vectors of an earlier one are taken over."""
    from index.build import build_documents
    from index.user import user_folder

    root = user_folder("cache") / "eval" / question_set.sha256[:24]
    with progress() as report:
        build_documents(question_set.corpus or (), root, report)
    return root
