"""Every open set of a folder as one Markdown table: ``python -m eval.open_sets DATA [--questions N]``.

DATA holds a folder a set, each with a BEIR corpus, a SQuAD file or both. BEIR folders are asked of the retriever alone,
SQuAD files twice, given the paragraph and as one corpus, and their questions that want a list once more by themselves;
one after another. The table begins with the weakest family: the one with the largest share of missed questions
(``eval.blame``), which is the one measure that all sets have; behind it stand the stages that lost them.

It takes hours, so a finished row is kept in ``--out`` and not measured again. The default folder belongs to this state
of the code: another state measures everything anew. A set that cannot be asked is named on stderr and left out.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from eval.blame import STAGES
from eval.corpus import own_index
from eval.harness import evaluate
from eval.questions import Question, QuestionSet, load_set
from eval.run import blame_json
from eval.samples import mean
from index.errors import InputError, RagError
from index.search import Index
from index.user import user_folder
from rag.pipeline import Pipeline
from rag.readers import load_reader

FAMILIES = {"realtimeqa_2022": "news", "financial_qa_10k": "finance"}
"""Folders whose texts are a family of their own; all others are told by what is asked: retrieval, spans or lists."""
FIGURES = ("nDCG@10", "R@10", "EM_forced", "F1_forced", "F1_all", "list_F1", "answered", "refused")
ASKED = {"open": "of the corpus", "given_paragraph": "given the paragraph", "retrieval": "retriever alone"}
_ROOT = Path(__file__).resolve().parent.parent
_COUNTED = (".py", ".json", ".onnx", ".safetensors")


@dataclass(frozen=True, slots=True)
class Task:
    """One row to measure: the set at ``path``, ``asked`` in one of ``ASKED``'s ways, or its ``lists`` alone.

    ``folder`` is the set's folder below the one that holds them all.
    """

    path: Path
    folder: str
    family: str
    asked: str
    lists: bool = False

    @property
    def name(self) -> str:
        """The row's name."""
        stem = "" if self.path.name in ("test.tsv", "squad.json") else f"-{self.path.stem}"
        kind = f"{self.asked}-lists" if self.lists else self.asked
        return f"{self.folder}{stem}-{kind}"


@dataclass(frozen=True, slots=True)
class Row:
    """What a task came to: ``missed`` of ``questions``, ``stages`` that lost them, ``figures`` (``FIGURES`` it has)."""

    name: str
    family: str
    asked: str
    questions: int
    missed: int
    stages: Mapping[str, int]
    figures: Mapping[str, float]
    date: str
    commit: str


def tasks(data: Path) -> Iterator[Task]:
    """Everything that can be asked of the sets in a folder, small corpora first; InputError when there is none.

    Of a BEIR folder the split ``test`` counts, and any that has a corpus of its own.
    """
    splits = [
        path
        for path in data.rglob("qrels/*.tsv")
        if path.stem == "test" or (path.parent.parent / f"{path.stem}_corpus.jsonl").is_file()
    ]
    paths = [*splits, *data.glob("*/*.json")]
    if not paths:
        raise InputError(f"{data}: holds no set; give a folder of BEIR folders and of folders with a squad.json.")
    for path in sorted(paths, key=lambda path: (_corpus(path).stat().st_size, path)):
        family = FAMILIES.get(path.relative_to(data).parts[0], "")
        folder = _folder(path, data)
        if path.suffix == ".tsv":
            yield Task(path, folder, family or "retrieval", "retrieval")
        else:
            for asked in ("given_paragraph", "open"):
                yield Task(path, folder, family or "spans", asked)
                yield Task(path, folder, "lists", asked, lists=True)


def measure(
    found: Iterable[Task],
    questions: int | None,
    out: Path,
    pipeline_of: Callable[[QuestionSet], Pipeline],
    commit: str,
    failed: list[str],
) -> Iterator[Row]:
    """The row of every task that has questions: read from ``out`` or measured and written there, one set at a time.

    It is kept by the set's hash: what a file of the same name held before is another set. Why one could not be measured
    is added to ``failed``.
    """
    at: Path | None = None
    for task in found:
        try:
            if at != task.path:
                question_set, pipeline, at = load_set(task.path), None, task.path
            part = f"-{questions}" if questions else ""
            kept = out / f"{task.name.replace('/', '_')}-{question_set.sha256[:16]}{part}.json"
            if kept.is_file():
                fields = json.loads(kept.read_text("utf-8"))
                if fields is not None:  # null: the set has no such question
                    yield Row(**fields)
                continue
            found_questions = [question for question in map(_asked(task), question_set.questions) if question]
            row = None
            if asked := spread(found_questions, questions):
                pipeline = pipeline or pipeline_of(question_set)
                row = _measured(task, replace(question_set, questions=tuple(asked)), pipeline, commit)
        except RagError as error:
            failed.append(f"{task.name}: {error}")
            at = None
            continue
        kept.write_text(json.dumps(asdict(row) if row else None) + "\n", "utf-8")
        if row is not None:
            yield row


def spread(questions: Sequence[Question], count: int | None) -> list[Question]:
    """``count`` of the questions (None: all), evenly spaced: sets stand in order of their articles."""
    if count is None or count >= len(questions):
        return list(questions)
    return [questions[number * len(questions) // count] for number in range(count)]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, weakest family first, in it the weakest row; columns that no row fills are left out."""
    by_family: dict[str, list[Row]] = {}
    for row in rows:
        by_family.setdefault(row.family, []).append(row)
    families = sorted(
        by_family.values(), key=lambda members: (-mean([_share(row) for row in members]), members[0].family)
    )
    ordered = [row for members in families for row in sorted(members, key=lambda row: (-_share(row), row.name))]
    figures = [name for name in FIGURES if any(name in row.figures for row in rows)]
    stages = [stage for stage in STAGES if any(stage in row.stages for row in rows)]
    lines = [["family", "set", "asked", "questions", *figures, "missed", *stages]]
    for row in ordered:
        values = [f"{row.figures[name]:.3f}" if name in row.figures else "" for name in figures]
        lost = [f"{row.stages[stage] / row.questions:.1%}" if stage in row.stages else "" for stage in stages]
        name = row.name.removesuffix("-lists").removesuffix(f"-{row.asked}")
        lines.append([row.family, name, ASKED[row.asked], str(row.questions), *values, f"{_share(row):.1%}", *lost])
    cells = ["| " + " | ".join(line) + " |" for line in lines]
    when, which = (" .. ".join(sorted({getattr(row, name) for row in rows})) for name in ("date", "commit"))
    heading = f"## Open sets ({when}, commit {which})"
    return "\n".join([heading, "", cells[0], "|" + "---|" * len(lines[0]), *cells[1:]])


def _share(row: Row) -> float:
    return row.missed / row.questions


def _folder(path: Path, data: Path) -> str:
    """The folder of a set below ``data``, which tells it from all others; "beir", the part of one, is left out."""
    inside = path.parent.parent if path.suffix == ".tsv" else path.parent
    own = inside.parent if inside.name == "beir" and inside != data else inside
    return own.relative_to(data).as_posix() if own != data else data.resolve().name


def _corpus(path: Path) -> Path:
    """The file that a set's corpus stands in."""
    if path.suffix == ".json":
        return path
    own = path.parent.parent / f"{path.stem}_corpus.jsonl"
    return own if own.is_file() else path.parent.parent / "corpus.jsonl"


def _asked(task: Task) -> Callable[[Question], Question | None]:
    """The question as the task asks it, None when it does not: the retriever alone is asked without answers."""

    def one(question: Question) -> Question | None:
        if task.asked == "retrieval":
            return replace(question, answers=(), places=(), multi=False)
        return question if question.multi or not task.lists else None

    return one


def _measured(task: Task, question_set: QuestionSet, pipeline: Pipeline, commit: str) -> Row:
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        if done * 20 // total > (done - 1) * 20 // total:
            print(f"{task.name}: {done} of {total}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

    result = evaluate(question_set, pipeline, given_paragraph=task.asked == "given_paragraph", progress=progress)
    blamed = blame_json(result.rows)
    return Row(
        name=task.name,
        family=task.family,
        asked=task.asked,
        questions=len(result.rows),
        missed=blamed["missed"],
        stages={stage: each["missed"] for stage, each in blamed["stages"].items()},
        figures={name: result.figures[name] for name in FIGURES if name in result.figures},
        date=date.today().isoformat(),
        commit=commit,
    )


def code_hash(root: Path = _ROOT) -> str:
    """Of everything that can change a row: the code and the models of the three packages, without the training."""
    digest = hashlib.sha256()
    for package in ("index", "rag", "eval"):
        for path in sorted((root / package).rglob("*")):
            inside = path.relative_to(root)
            if path.suffix in _COUNTED and not {"training", "baselines"} & set(inside.parts):
                digest.update(inside.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _commit() -> str:
    """The commit that is checked out, "+" behind it when files have changed since; "unknown" outside a checkout."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0, or 2 and a sentence on stderr. Progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m eval.open_sets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="the folder that holds the sets")
    parser.add_argument("--questions", type=int, metavar="N", help="N of each set, evenly spaced (all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where finished rows are kept (the user's cache)")
    options = parser.parse_args(arguments)
    if options.questions is not None and options.questions < 1:
        parser.error("--questions takes a number from 1 on")
    out: Path = options.out or user_folder("cache") / "open-sets" / code_hash()
    try:
        out.mkdir(parents=True, exist_ok=True)
        reader = load_reader(None)

        def pipeline_of(question_set: QuestionSet) -> Pipeline:
            return Pipeline(Index.open(own_index(question_set)), reader)

        failed: list[str] = []
        rows = list(measure(tasks(options.data), options.questions, out, pipeline_of, _commit(), failed))
    except (RagError, OSError) as error:
        print(f"eval.open_sets: {error}", file=sys.stderr)
        return 2
    if rows:
        print(table(rows))
    for sentence in failed:
        print(f"eval.open_sets: {sentence}", file=sys.stderr)
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
