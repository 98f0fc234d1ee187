"""Writes the forecast's graph, without weights: ``python -m rag.training.graph`` (needs ``onnx``, a test dependency).

The equations are those of ``rag.skim``. The tensors are inputs beside the hidden states: one graph for any sizes.
"""

from pathlib import Path

from onnx import NodeProto, TensorProto, helper

from index.graph import packed
from rag.skim import GRAPH, NAMES


def serialised() -> bytes:
    """The committed file: hidden float32 (tokens, width), first int64 (1,) and the tensors -> margin (1, 1)."""
    nodes: list[NodeProto] = []

    def node(op: str, inputs: list[str], *outputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], **attributes))
        return outputs[0]

    def linear(x: str, name: str) -> str:
        return node("Gemm", [x, f"{name}.weight", f"{name}.bias"], name, transB=1)

    none = node("Slice", ["hidden", "begin", "second", "axis"], "none")
    passage = node("Slice", ["hidden", "first", "last", "axis"], "passage")
    pooled = linear(node("Concat", [none, passage], "rows", axis=0), "pool")
    node("Split", [pooled], "queries", "values", axis=1, num_outputs=2)
    shares = node("Softmax", ["queries"], "shares", axis=0)
    means = node("ReduceSum", [node("Mul", [shares, "values"], "weighed"), "axis"], "means", keepdims=1)
    inner = linear(node("Concat", [none, means], "state", axis=1), "inner")
    linear(node("Relu", [inner], "active"), "outer")

    def value(name: str, kind: int, rank: int) -> object:
        return helper.make_tensor_value_info(name, kind, [f"{name}.{axis}" for axis in range(rank)])

    tensors = [value(name, TensorProto.FLOAT, 2 if name.endswith("weight") else 1) for name in NAMES]
    numbers = {"begin": 0, "second": 1, "last": -1, "axis": 0}
    graph = helper.make_graph(
        nodes,
        "skim",
        [value("hidden", TensorProto.FLOAT, 2), value("first", TensorProto.INT64, 1), *tensors],
        [value("outer", TensorProto.FLOAT, 2)],
        initializer=[helper.make_tensor(name, TensorProto.INT64, [1], [number]) for name, number in numbers.items()],
    )
    return packed(graph)


def main() -> None:
    """Write the graph."""
    (Path(__file__).parent.parent / GRAPH).write_bytes(serialised())


if __name__ == "__main__":
    main()
