"""Store the run that a set's allowed losses are judged against: ``python -m eval.baseline SET [flags of rag eval]``.

It asks the whole set, as ``rag eval SET`` with the same flags does, and writes ``baselines/NAME.json`` beside the
gates, NAME being the set's table there; the same command renews it. The file is a RUN.json (``eval.run``) of what a
comparison needs: ids, scores and the fingerprint. It has no question, no answer and no figure of the machine, so that
it holds nobody's text, and the same run gives the same bytes.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.compare import comparable
from eval.gates import DEFAULT, LOSS, gate_name, load_gates, place
from index.errors import InputError, RagError

ROW = ("id", "answerable", "right", "best_right", "confidence", "scores")


def trimmed(run: dict[str, Any]) -> str:
    """A RUN.json object without text and timings, as the text of a file: a line a question."""
    kept = {name: run[name] for name in ("set", "mode", "fingerprint")}
    kept["figures"] = {name: value for name, value in run["figures"].items() if comparable(name)}
    rows = ",\n".join(json.dumps({name: row[name] for name in ROW}) for row in run["rows"])
    return f'{json.dumps(kept, indent=1)[:-2]},\n "rows": [\n{rows}\n]}}\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the set, print what it comes to, store it; 0, or 2 and a sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.baseline",
        usage="%(prog)s SET [--gates FILE] [flags of rag eval]",
        description="Store the run that a set's allowed losses are judged against.",
        allow_abbrev=False,
    )
    parser.add_argument("--gates", type=Path, default=DEFAULT, metavar="FILE", help="the gates it lies beside")
    parser.add_argument("--limit", help=argparse.SUPPRESS)
    options, flags = parser.parse_known_args(arguments)
    if options.limit:
        parser.error("a baseline is of the whole set: leave out --limit")
    try:
        return _store(flags, options.gates)
    except (RagError, OSError) as error:
        print(f"eval.baseline: {error}", file=sys.stderr)
        return 2


def _store(flags: Sequence[str], gates: Path) -> int:
    from rag.cli import main as rag

    tables = load_gates(gates)
    with tempfile.TemporaryDirectory() as folder:
        none, report = Path(folder, "gates.toml"), Path(folder, "run.json")
        none.touch()
        code = rag(["eval", *flags, "--gates", str(none), "--report", str(report)])
        if code or not report.exists():  # an error, or a corpus that is not there
            return code
        run = json.loads(report.read_text("utf-8"))
    if gates == DEFAULT and run["fingerprint"]["set"]["sha256"] not in _shipped():
        raise InputError(f"{run['set']} is no set of the package's: give --gates FILE, which its run is to lie beside.")
    name = gate_name(run["set"], run["mode"])
    path = place(gates, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(trimmed(run), "utf-8", newline="\n")
    print(f"{path}: stored")
    if not tables.get(f"{name}.{LOSS}"):
        print(f"{gates} allows no losses yet: it takes a table [{name}.{LOSS}]")
    return 0


def _shipped() -> set[str]:
    """The hashes of the sets that lie beside the package's gates."""
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in (DEFAULT.parent / "sets").glob("*.jsonl")}


if __name__ == "__main__":
    sys.exit(main())
