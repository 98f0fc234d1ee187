"""The cores belong to those that read: numpy's own threads, once a product has woken them, spin on for milliseconds."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
PRODUCTS = {"dot", "inner", "matmul", "tensordot", "vdot"}


def products(source: str) -> list[str]:
    """The matrix products of a source, as it writes them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        matrix = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult)
        called = isinstance(node, ast.Attribute) and node.attr in PRODUCTS
        if matrix or called:
            found.append(ast.unparse(node))
    return found


def test_no_product_on_the_way_to_an_answer() -> None:
    on_the_way = [*(HERE / "index").glob("*.py"), *(HERE / "rag").glob("*.py")]
    assert len(on_the_way) > 30
    found = {path.name: products(path.read_text("utf-8")) for path in on_the_way}
    assert {name: some for name, some in found.items() if some} == {}


def test_the_check_itself() -> None:
    assert products("x = a @ b\nx @= c\ny = np.dot(a, b)\nz = np.einsum('ij,j->i', a, b)\n") == [
        "x @= c",
        "a @ b",
        "np.dot",
    ]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="what a thread has spent is read from Linux")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: numpy starts no threads")
@pytest.mark.parametrize("product", [False, True])
def test_numpys_threads_sleep_while_a_question_is_answered(root: Path, *, product: bool) -> None:
    """``product`` wakes them, which the same measure sees."""
    script = """
import json, os, sys
import numpy as np
main = str(os.getpid())
numpys = set(os.listdir("/proc/self/task")) - {main}
from pathlib import Path
from rag.pipeline import Pipeline
pipeline = Pipeline.open(Path(sys.argv[1]))
def spent():  # in hundredths of a second
    stats = [Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split() for thread in numpys]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats)
pipeline.ask("What did the repair cost?")  # numpy's import woke them: they sleep by now
before = spent()
for question in ("What did the repair cost?", "Who keeps the mill?", "When did the ferry begin?") * 5:
    pipeline.ask(question)
    if sys.argv[2] == "True":
        np.ones((600, 384), np.float32) @ np.ones((384, 128), np.float32)
print(json.dumps([len(numpys), spent() - before]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(product)], cwd=HERE, capture_output=True, text=True, check=True
    )
    threads, spent = json.loads(done.stdout)
    if not threads:
        pytest.skip("numpy has no threads of its own here")
    assert (spent > 0) == product
