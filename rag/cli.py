"""The ``rag`` command. Results go to stdout, progress, warnings and errors to stderr.

Exit: 0 answered / passed, 1 no answer / gate not met, 2 an error, in one sentence.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from index.errors import InputError, RagError
from rag.terminal import Stopping, abandon_output, complain, print_json, survive_odd_output

ANSWERED, NO_ANSWER, ERROR = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    survive_odd_output()
    stopping = Stopping()
    try:
        with stopping:
            options = _parser().parse_args(arguments)
            code: int = options.run(options)
            sys.stdout.flush()
            return code
    except RagError as error:
        complain(str(error))
    except BrokenPipeError:
        # The reader of our output has gone (`rag search … | head`); its exit code is not ours to judge.
        abandon_output()
    except OSError as error:
        abandon_output()
        complain(f"{error.strerror or error} ({error.filename or 'while writing the result'}): mend that and try again")
    except (KeyboardInterrupt, ImportError, RuntimeError):
        if not stopping.asked:
            raise
        complain("stopped")
    return ERROR


class _Parser(argparse.ArgumentParser):
    """Argparse's usage errors, in the one sentence that every other error has."""

    def error(self, message: str) -> Any:
        """Raise instead of printing usage and exiting."""
        raise InputError(f"{message}: see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    from rag import ALTERNATIVES, __version__

    parser = _Parser(prog="rag", description="Ask a folder of articles a question and get the exact words, cited.")
    parser.add_argument("--version", action="version", version=f"citespan {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="print JSON")
        return added

    def at_index(added: argparse.ArgumentParser, *, corpus: bool = True) -> None:
        group = added.add_mutually_exclusive_group()
        group.add_argument("--index", type=_path, metavar="DIR", help="the index (default: $RAG_INDEX, else .rag)")
        if corpus:
            group.add_argument(
                "--corpus", type=_path, metavar="PATH", help="a folder or file, indexed or refreshed first, then asked"
            )

    index = command("index", _index, "Index the articles at PATH.")
    index.add_argument("paths", nargs="+", type=_path, metavar="PATH")
    at_index(index, corpus=False)
    index.add_argument(
        "--model", type=_given,
        help="an encoder's name or folder (default: the index's own; of a new one the embedded all-MiniLM-L6-v2)",
    )  # fmt: skip

    ask = command("ask", _ask, "Answer QUESTION with the exact words that do, cited.")
    ask.add_argument("question", nargs="?", metavar="QUESTION")
    ask.add_argument(
        "--questions", type=_path, metavar="FILE", help="JSON lines with id and question, instead of QUESTION"
    )
    at_index(ask)
    ask.add_argument("-k", type=_count, default=ALTERNATIVES, help=f"how many alternatives ({ALTERNATIVES})")
    ask.add_argument(
        "--reader", type=_given, help="`none` for whole sentences, or a Hugging Face model (default: the embedded one)"
    )

    search = command("search", _search, "Rank passages for QUERY.")
    search.add_argument("query", metavar="QUERY")
    at_index(search)
    search.add_argument("-k", type=_count, default=10, help="how many passages (10)")

    show = command("show", _show, "Print a stored document, or a span of it; without DOCUMENT, list them.")
    show.add_argument("document", nargs="?", metavar="DOCUMENT")
    show.add_argument("--span", type=_given, metavar="A:B", help="code points of the document's text, half-open")
    at_index(show)

    at_index(command("status", _status, "Say what the index holds."), corpus=True)

    page = command("serve", _serve, "Serve a search page to this machine.")
    at_index(page)
    page.add_argument("--port", type=_port, default=8787, help="where to listen (8787; 0: any free port)")
    page.add_argument("--host", default="127.0.0.1", help="127.0.0.1, localhost or ::1 (127.0.0.1)")
    page.add_argument("--open", action="store_true", help="open the page in the browser")
    page.add_argument("--log-queries", action="store_true", help="write every question to stderr")

    evaluate = command("eval", _eval, "Score answers to a question set.")
    evaluate.add_argument(
        "set", type=_path, metavar="SET", help="a .jsonl question set, a SQuAD JSON file or a BEIR folder"
    )
    at_index(evaluate)
    evaluate.add_argument("--reader", type=_given, help="as for ask")
    evaluate.add_argument("--given-paragraph", action="store_true", help="read the gold document, without retrieval")
    evaluate.add_argument("--without-gold", action="store_true", help="take away every passage that holds an answer")
    evaluate.add_argument("--predictions", type=_path, metavar="FILE", help="write answers in SQuAD's format")
    evaluate.add_argument(
        "--run", type=_path, metavar="FILE", dest="run_file", help="write the ranking in TREC's format"
    )
    evaluate.add_argument(
        "--report", type=_path, metavar="FILE", action="append", default=[],
        help="write a report; its name ends with .json, .xml (JUnit), .md or .html; may be given several times",
    )  # fmt: skip
    evaluate.add_argument("--against", type=_path, metavar="RUN.json", help="compare with an earlier --report RUN.json")
    evaluate.add_argument("--check", action="store_true", help="ask nothing; say what is wrong with the set itself")
    evaluate.add_argument("--limit", type=_count, metavar="N", help="only the first N questions")
    evaluate.add_argument("--gates", type=_path, metavar="FILE", help="floors to hold (default: those of the package)")
    evaluate.add_argument("--skip-if-absent", action="store_true", help="pass, visibly, when the corpus is not there")
    return parser


def _given(text: str) -> str:
    if not text:  # an unset variable in a script, which would else mean the default
        raise argparse.ArgumentTypeError("is empty")
    return text


def _path(text: str) -> Path:
    return Path(_given(text))  # Path("") is the working directory


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


# Commands


def _index(options: argparse.Namespace) -> int:
    from rag.corpus import built
    from rag.render import build_json

    report = built(options.paths, _root(options), options.model)
    if options.json:
        print_json(build_json(report))
    else:
        print(
            f"{report.documents} documents in {report.passages} passages ({report.generation}): "
            f"{report.scanned} scanned, {report.indexed} indexed, {report.unchanged} unchanged, "
            f"{len(report.skipped)} skipped, {len(report.failed)} failed; {report.seconds:.1f} s"
        )
    return ANSWERED


def _ask(options: argparse.Namespace) -> int:
    if (options.question is None) == (options.questions is None):
        raise InputError('give one question, as in `rag ask "Who …?"`, or a file of them with --questions FILE')
    from rag.pipeline import checked
    from rag.render import answer_json, answer_text, safe_line

    questions = _questions(options.questions) if options.questions is not None else []
    asked = checked(options.question) if options.question is not None else ""
    pipeline = _pipeline(options)
    if options.questions is not None:
        for identity, question in questions:
            answer = pipeline.ask(question, options.k)
            if options.json:
                print_json({"id": identity, **answer_json(answer)})
            else:
                said = answer_text(answer, pipeline.index, _style())
                print(f"{safe_line(str(identity))}: {safe_line(question)}\n{said}\n")
        return ANSWERED
    answer = pipeline.ask(asked, options.k)
    if options.json:
        print_json(answer_json(answer))
    else:
        print(answer_text(answer, pipeline.index, _style()))
    return ANSWERED if answer.answered else NO_ANSWER


def _search(options: argparse.Namespace) -> int:
    from index.search import Index
    from rag.pipeline import checked
    from rag.render import hits_json, hits_text

    query = checked(options.query)
    index = Index.open(_ready(options))
    hits = index.search(query, options.k)
    if options.json:
        print_json(hits_json(query, hits, index))
    else:
        print(hits_text(hits, index, _style()))
    return ANSWERED if hits else NO_ANSWER


def _show(options: argparse.Namespace) -> int:
    from unicodedata import normalize

    from index.find import printable
    from index.store import open_current
    from rag.render import document_json, document_text, documents_json, safe_line

    generation = open_current(_ready(options))
    if options.document is None:
        if options.span:
            raise InputError("--span is of a document: name it")
        if options.json:
            print_json(documents_json(generation.records))
        else:
            print("\n".join(safe_line(record.doc_id) for record in generation.records))
        return ANSWERED
    # The shell gives a file's name as its bytes are, also where they are not UTF-8; an id has it as listed.
    row = generation.rows.get(options.document, generation.rows.get(printable(options.document)))
    if row is None:  # an accented letter looks alike as one character (as typed) and as two (in names from a Mac)
        typed = normalize("NFC", options.document)
        alike = [row for name, row in generation.rows.items() if normalize("NFC", name) == typed]
        row = alike[0] if len(alike) == 1 else None
    if row is None:
        raise InputError(f"the index holds no document {options.document!r}: `rag show` without a name lists them")
    document = generation.document(row)
    span = _span(options.span, len(document.text)) if options.span else (0, len(document.text))
    if options.json:
        print_json({**document_json(document), **({"span": span} if options.span else {})})
    else:
        print(document_text(document, span, _style()))
    return ANSWERED


def _span(text: str, length: int) -> tuple[int, int]:
    start, colon, end = text.partition(":")
    digits = start.isdecimal() and end.isdecimal() and len(text) < 32
    if not (colon and digits and int(start) < int(end) <= length):
        raise InputError(f"--span {text[:40]} is no stretch A:B with 0 <= A < B <= {length}, the document's length")
    return int(start), int(end)


def _status(options: argparse.Namespace) -> int:
    from index.store import open_current
    from rag.minireader import IDENTITY
    from rag.render import safe_line, status_json

    facts = status_json(open_current(_ready(options)), IDENTITY)
    if options.json:
        print_json(facts)
    else:
        print("\n".join(f"{name:<12}{safe_line(str(value))}" for name, value in facts.items()))
    return ANSWERED


def _serve(options: argparse.Namespace) -> int:
    from web.serve import open_browser, serve

    def ready(address: str) -> None:
        print(json.dumps({"url": address}) if options.json else f"Citespan answers at {address} (Ctrl+C stops it)")
        sys.stdout.flush()
        if options.open:
            open_browser(address)

    serve(lambda: _ready(options), options.host, options.port, ready, log_queries=options.log_queries)
    return ANSWERED


def _eval(options: argparse.Namespace) -> int:
    from eval.command import run_eval

    return run_eval(options, lambda: _ready(options))


# What the commands share


def _root(options: argparse.Namespace) -> Path:
    return options.index or Path(os.environ.get("RAG_INDEX") or ".rag")


def _ready(options: argparse.Namespace) -> Path:
    """The index to ask: the one given, or the one kept for ``--corpus``, built or refreshed first."""
    corpus: Path | None = getattr(options, "corpus", None)
    if corpus is None:
        return _root(options)
    from rag.corpus import refreshed

    return refreshed(corpus)


def _pipeline(options: argparse.Namespace) -> Any:
    from rag.pipeline import Pipeline

    return Pipeline.open(_ready(options), options.reader)


def _questions(path: Path) -> list[tuple[Any, str]]:
    """Ids and questions of a file's lines, in its order; InputError when one of them cannot be asked."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(
            f"the questions in {path} cannot be read ({error.strerror}): give a file of JSON lines"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"the questions in {path} are not UTF-8: give a file of JSON lines in UTF-8") from None
    from index.strict import TwiceError, loads
    from rag.pipeline import checked

    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = loads(line)
            questions.append((record["id"], checked(record["question"])))
        except TwiceError as error:
            raise InputError(f"{path} line {number} has the field {str(error)!r} twice: remove one of them") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(
                f'{path} line {number} is no JSON object with "id" and "question": mend or remove it'
            ) from None
        except InputError as error:
            raise InputError(f"{path} line {number}: {error}") from None
    if not questions:
        raise InputError(f'{path} holds no questions: give JSON lines with "id" and "question"')
    return questions


def _style() -> Any:
    from rag.render import Style

    return Style(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
