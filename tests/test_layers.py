"""Encoder layers: the graphs against plain numpy, int8 against float32, texts read side by side."""

import threading
from pathlib import Path

import numpy as np
import pytest

from index import layers
from index.errors import ModelError
from index.layers import (
    DIM,
    GRAPHS,
    HEADS,
    LAYERS,
    NORM_EPSILON,
    Layers,
    Precision,
    in_parallel,
    layer_shapes,
    quantised,
)


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
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + NORM_EPSILON)
        return y * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def heads(y: np.ndarray) -> np.ndarray:
        return y.reshape(len(y), HEADS, -1).transpose(1, 0, 2)

    x = x.astype(float)
    for n in range(LAYERS):
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
def test_texts_read_side_by_side_are_read_as_alone(precision: Precision, tensors: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(9)
    texts = [rng.standard_normal((length, DIM)).astype(np.float32) for length in (3, 40, 1, 17)]
    six = Layers(tensors, precision)
    together = in_parallel(six.run, texts, [len(text) for text in texts])
    for text, hidden in zip(texts, together, strict=True):
        np.testing.assert_array_equal(hidden, six.run(text))


def test_the_largest_is_begun_first_and_a_failure_is_passed_on() -> None:
    begun: list[int] = []
    gate = threading.Barrier(layers.default_threads())

    def work(item: int) -> int:
        begun.append(item)
        if len(begun) <= gate.parties:
            gate.wait(10)
        if item == 0:
            raise ModelError("no")
        return -item

    items = list(range(1, gate.parties + 3))
    assert in_parallel(work, items, items) == [-item for item in items]
    assert set(begun[: gate.parties]) == set(items[-gate.parties :])
    with pytest.raises(ModelError, match="no"):
        in_parallel(work, [0, 1], [1, 1])


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
        written = Path(layers.__file__).with_name(name).read_bytes()
        assert len(written) < 64_000, "a graph without weights"
        assert written == graph.serialised(precision), f"{name}: run python -m index.graph"


def test_int8_weights_leave_the_sixteenth_bit_alone() -> None:
    weight = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    weight[2] = 0
    levels, scale = quantised(weight)
    assert levels.shape == (8, 5)
    assert np.abs(levels).max() == 63
    assert 2 * 255 * 63 < 2**15
    np.testing.assert_allclose(levels.T * scale[:, None], weight, atol=scale.max() / 2 * 1.001)
