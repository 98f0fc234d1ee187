"""Six layers of a BERT encoder, 384 wide, in onnxruntime: a graph that ships without weights, fed with them at start.

The encoder has six, the span reader twelve of its own; both stand on the embeddings of ``index.minilm``. The graphs
(``index/minilm.onnx``, ``index/minilm_int8.onnx``) are written by ``python -m index.graph``. A graph reads one text on
its caller's thread; texts are read side by side.

Layer equations: Devlin et al. 2019, BERT (arXiv 1810.04805).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from index.errors import ModelError

Floats = npt.NDArray[np.float32]
Precision = Literal["fp32", "int8"]
Item = TypeVar("Item")
Result = TypeVar("Result")

DIM, INNER, HEADS, LAYERS = 384, 1536, 12, 6
NORM_EPSILON = 1e-12

GRAPHS: dict[Precision, str] = {"fp32": "minilm.onnx", "int8": "minilm_int8.onnx"}
LINEARS: dict[str, tuple[int, int]] = {  # name within a layer -> (inputs, outputs)
    "attention.self.query": (DIM, DIM),
    "attention.self.key": (DIM, DIM),
    "attention.self.value": (DIM, DIM),
    "attention.output.dense": (DIM, DIM),
    "intermediate.dense": (DIM, INNER),
    "output.dense": (INNER, DIM),
}
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


def layer_count(names: Iterable[str]) -> int:
    """How many encoder layers the tensors of these names, as transformers writes them, make up."""
    return sum(name.endswith(".attention.self.query.weight") for name in names)


def layer_shapes(first: int = 0) -> dict[str, tuple[int, ...]]:
    """Names (without a leading ``bert.``) and shapes of the tensors of six encoder layers, as transformers stores them.

    ``first`` is the number of the first of the six.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for n in range(first, first + LAYERS):
        for name, (inputs, outputs) in LINEARS.items():
            shapes[f"encoder.layer.{n}.{name}.weight"] = (outputs, inputs)
            shapes[f"encoder.layer.{n}.{name}.bias"] = (outputs,)
        for name in NORMS:
            shapes[f"encoder.layer.{n}.{name}.weight"] = (DIM,)
            shapes[f"encoder.layer.{n}.{name}.bias"] = (DIM,)
    return shapes


class Graph:
    """A file of onnxruntime's, run on its caller's thread alone; calls may come from several threads at once."""

    def __init__(self, path: Path, fed: Mapping[str, npt.NDArray[Any]]) -> None:
        """Start it; ``fed`` is what the file declares as external. ModelError when it cannot be loaded."""
        # Its Linux builds queue events on disk and send them to their maker; only the environment, before the library
        # is loaded, keeps them from it.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # onnxruntime reads the arrays in place, so they live as long as the session.
        self._fed = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value)) for value in fed.values()]
        options.add_external_initializers(list(fed), self._fed)
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise ModelError(f"{path} cannot be loaded ({type(error).__name__}); install citespan again.") from error

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """Its first output."""
        found: Floats = self._session.run(None, inputs)[0]
        return found


class Layers:
    """Six encoder layers, in onnxruntime; a network of twelve is two of these in a row.

    ``tensors``: named as in transformers (``bert.encoder.layer.0.attention.self.query.weight``; the leading
    ``bert.`` may be missing), float32 or float16; others than the layers' are ignored. A missing or misshapen
    tensor is a ModelError. Calls may come from several threads at once. ``first``: the number, in ``tensors``, of the
    first of the six.

    ``precision``: "fp32", or "int8": the weights of the linear maps are quantised here, symmetrically per output
    channel (see ``quantised``), their inputs while running, each token by its own scale; everything else stays in
    float32.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], precision: Precision, first: int = 0) -> None:
        """Start the graph; texts are read side by side by ``in_parallel``."""
        plain = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
        found = expected(plain, layer_shapes(first), "the encoder layers")
        fed = dict(zip(layer_shapes(), found.values(), strict=True))
        if precision == "int8":
            for name in [name for name in fed if name.endswith(".weight") and "LayerNorm" not in name]:
                linear = name.removesuffix(".weight")
                fed[f"{linear}.quantised"], fed[f"{linear}.scale"] = quantised(fed.pop(name))
        self._graph = Graph(Path(__file__).with_name(GRAPHS[precision]), fed)

    def run(self, embedded: Floats) -> Floats:
        """Hidden states (tokens, 384) of one text; ``embedded`` is of that shape."""
        return self._graph.run({"embedded": embedded})


def expected(
    tensors: Mapping[str, npt.NDArray[Any]], shapes: Mapping[str, tuple[int, ...]], where: object
) -> dict[str, npt.NDArray[Any]]:
    """Those tensors in float32, in the order of ``shapes``; ModelError when one is missing or of another shape."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name, shape in shapes.items():
        if name not in tensors:
            raise ModelError(f"The tensor {name} is missing from {where}; expected the layout of a MiniLM-L6-H384.")
        if tensors[name].shape != shape or tensors[name].dtype.kind != "f":
            raise ModelError(
                f"The tensor {name} in {where} is {tensors[name].dtype} {tensors[name].shape}; expected float {shape}."
            )
        found[name] = tensors[name].astype(np.float32, copy=False)
    return found


def quantised(weight: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Weights (outputs, inputs) as int8 (inputs, outputs) and scales (outputs,): weight ~ scale * int8, transposed.

    Only 7 bits are used (-63..63): on x86 without VNNI the kernel adds two products of an unsigned and a signed byte
    in 16 bits, which 2 * 255 * 127 would overflow and 2 * 255 * 63 does not; so every processor gives the same
    answer (onnxruntime's documentation calls this ``reduce_range``).
    """
    scale = np.maximum(np.maximum(weight.max(axis=1), -weight.min(axis=1)) / np.float32(63), np.float32(1e-12))
    levels = weight / scale[:, None]
    return np.rint(levels, out=levels).astype(np.int8).T.copy(), scale


def default_threads() -> int:
    """Texts read at a time: the physical cores this process may use, at most four."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, min(os.cpu_count() or 1, 4))
    usable = os.sched_getaffinity(0)
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    try:
        cores = len({Path(topology.format(cpu)).read_text() for cpu in usable})
    except OSError:  # no such listing in some containers: count every processor
        cores = len(usable)
    return min(cores, 4)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """The threads that texts are read by, shared by encoder, reader and all who ask at once."""
    return ThreadPoolExecutor(default_threads(), thread_name_prefix="citespan-read")


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], sizes: Sequence[int]) -> list[Result]:
    """``work`` of every item, in their order, done side by side, the largest by ``sizes`` first.

    ``work`` must spend its time outside the interpreter, as ``Layers.run`` does, and hand nothing on to here itself.
    """
    if len(items) < 2:
        return [work(item) for item in items]
    order = sorted(range(len(items)), key=lambda i: -sizes[i])
    begun = {i: _pool().submit(work, items[i]) for i in order}
    return [begun[i].result() for i in range(len(items))]
