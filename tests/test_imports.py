"""Imports run one way, and the way to an answer stays light."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
BELOW = {"index": set(), "rag": {"index"}, "web": {"index", "rag"}, "eval": {"index", "rag"}}
REACHES_UP = "rag/cli.py"
HEAVY = {"torch", "transformers", "sentence_transformers", "scipy", "pandas", "sklearn"}


def imported(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Every module that is imported, and whether that stands at module level (not inside a function)."""
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in inside
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            yield node.module or "", node not in inside


def wrong(name: str, source: str) -> list[str]:
    """The imports of the file ``name`` that run against index <- rag <- web, eval."""
    package = name.partition("/")[0]
    against = []
    for module, top in imported(ast.parse(source)):
        target = module.partition(".")[0]
        if target not in BELOW or target == package or target in BELOW[package]:
            continue
        if name == REACHES_UP and target in ("web", "eval") and not top:
            continue
        against.append(module)
    return against


def sources() -> list[Path]:
    return [path for package in BELOW for path in sorted((HERE / package).rglob("*.py"))]


def test_imports_run_one_way() -> None:
    found = sources()
    assert len(found) > 30
    against = {
        path.relative_to(HERE).as_posix(): wrong(path.relative_to(HERE).as_posix(), path.read_text("utf-8"))
        for path in found
    }
    assert {name: modules for name, modules in against.items() if modules} == {}


@pytest.mark.parametrize(
    ("name", "source", "against"),
    [
        ("index/a.py", "from rag.answer import Answer", ["rag.answer"]),
        ("index/a.py", "def f():\n    import eval.metrics", ["eval.metrics"]),
        ("rag/a.py", "from index.store import x\nfrom eval.metrics import y", ["eval.metrics"]),
        ("rag/cli.py", "def f():\n    from eval.command import run", []),
        ("rag/cli.py", "from eval.command import run", ["eval.command"]),
        ("rag/cli.py", "class A:\n    from web.app import app", ["web.app"]),
        ("eval/a.py", "from web.app import app\nimport rag", ["web.app"]),
        ("web/a.py", "from rag.pipeline import Pipeline\nimport numpy", []),
    ],
)
def test_the_check_itself(name: str, source: str, against: list[str]) -> None:
    assert wrong(name, source) == against


def test_nothing_imports_itself_through_others() -> None:
    """Not even inside a function: who reads a file need not have read the one it came from."""
    files = {".".join(path.relative_to(HERE).with_suffix("").parts): path for path in sources()}
    imports = {
        name: {module for module, _ in imported(ast.parse(path.read_text("utf-8"))) if module in files}
        for name, path in files.items()
    }
    while leaves := [name for name, modules in imports.items() if not modules & imports.keys()]:
        for name in leaves:
            del imports[name]
    assert imports == {}


def test_no_import_of_the_word_eval() -> None:
    """``import eval`` would hide the builtin."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not isinstance(node, ast.Import) or all(alias.name != "eval" for alias in node.names), path


@pytest.mark.parametrize("command", [["ask", "What did the repair cost?"], ["search", "mill"], ["show", "mill.txt"]])
def test_the_way_to_an_answer_is_light(root: Path, command: list[str]) -> None:
    script = (
        "import json, sys\nfrom rag.cli import main\ncode = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--json", "--index", str(root)],
        cwd=HERE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code in (0, 1)
    assert HEAVY.isdisjoint(modules)
    assert done.stderr == ""
