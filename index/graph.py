"""Writes the encoder layers' graphs, without weights: ``python -m index.graph`` (needs ``onnx``, a test dependency).

The linear maps' and norms' tensors are declared as external data and fed by ``index.layers.Layers``. The graph is
written with the operators that onnxruntime's own fusions would aim at (Gemm with bias, FusedMatMul, FastGelu), so
that nothing depends on a fusion pass recognising a pattern. Add and LayerNormalization stay apart on purpose: the fused
com.microsoft.SkipLayerNormalization took six times as long on the CPU (onnxruntime 1.31).

A graph reads one text: nothing is padded or masked, and texts are read side by side, a core each
(``index.layers.in_parallel``), which beats one batch spread over the cores by a fifth.

In the int8 graph each token's row is quantised by its own largest value. One scale for all (what
DynamicQuantizeLinear does) lets one outlier token blur all others: on 240 questions 85 % of the spans were those of
fp32, against 95 % with a scale a row. Gelu is its tanh form there (Hendrycks & Gimpel 2016, arXiv:1606.08415), which is
off by less than 0.0005, a twentieth of a step, and takes three quarters of the time.
"""

from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper

from index.layers import DIM, GRAPHS, HEADS, LAYERS, LINEARS, NORM_EPSILON, NORMS, Precision

_OPSET = 20  # the first with Gelu
_IR = 9
_BYTES = {TensorProto.FLOAT: 4, TensorProto.INT8: 1}
# Gelu never goes below -0.17, so of 256 levels only 16 need to lie under zero, while a row's largest value is at least
# _GELU_FLOOR; for rows whose largest value is smaller that floor keeps -0.17 at level 0.
_GELU_ZERO = 16
_GELU_FLOOR = (255 - _GELU_ZERO) * 0.17 / _GELU_ZERO
_SCALARS = {
    "one": 1.0,
    "top": 127.0,
    "floor": 1e-9,
    "gelu.top": 255.0 - _GELU_ZERO,
    "gelu.floor": _GELU_FLOOR,
}


def _fed(name: str, kind: int, shape: tuple[int, ...]) -> TensorProto:
    """An initializer whose data is fed at start."""
    tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    size = int(np.prod(shape)) * _BYTES[kind]
    for key, value in (("location", "fed-at-start"), ("offset", "0"), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _constant(name: str, value: float) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [], [value])


def build(precision: Precision) -> GraphProto:
    """The graph: embedded float32 (tokens, 384) of one text -> hidden, of the same shape."""
    nodes: list[NodeProto] = []
    scaled: dict[str, tuple[str, str]] = {}  # int8: name of a value -> its quantised rows and their step

    def node(op: str, inputs: list[str], output: str, domain: str = "", **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def linear(x: str, name: str, output: str) -> str:
        if precision == "fp32":
            return node("Gemm", [x, f"{name}.weight", f"{name}.bias"], output, transB=1)
        return node("Add", [product(x, name, output), f"{name}.bias"], output)

    def product(x: str, name: str, output: str) -> str:
        """The int8 linear map without its bias: bytes = round(x / step) + zero, y = (bytes - zero) @ W * step."""
        signed = LINEARS[name.split(".", 3)[-1]][0] == DIM  # else the input comes from Gelu
        zero = "zero" if signed else "gelu.zero"
        if x not in scaled:
            size = node("Abs", [x], f"{x}.abs") if signed else x
            largest = node("ReduceMax", [size, "columns"], f"{x}.largest", keepdims=0)
            largest = node("Max", [largest, "floor" if signed else "gelu.floor"], f"{x}.largest.floor")
            step = node("Div", [largest, "top" if signed else "gelu.top"], f"{x}.step")
            scaled[x] = (
                node("QuantizeLinear", [x, step, f"{zero}.each"], f"{x}.bytes", axis=0),
                node("Unsqueeze", [step, "columns"], f"{x}.step.column"),
            )
        rows, step = scaled[x]
        fed = [rows, f"{name}.quantised", "one", f"{name}.scale", zero]
        return node(
            "Mul",
            [node("MatMulIntegerToFloat", fed, f"{output}.steps", domain="com.microsoft"), step],
            f"{output}.product",
        )

    def gelu(x: str, name: str, output: str) -> str:
        if precision == "fp32":
            return node("Gelu", [linear(x, name, f"{output}.inner")], output)
        inner = [product(x, name, f"{output}.inner"), f"{name}.bias"]
        return node("FastGelu", inner, output, domain="com.microsoft")

    def residual(x: str, skip: str, name: str, output: str) -> str:
        total = node("Add", [x, skip], f"{output}.sum")
        norm = [total, f"{name}.weight", f"{name}.bias"]
        return node("LayerNormalization", norm, output, epsilon=NORM_EPSILON)

    def fused(a: str, b: str, output: str, **attributes: object) -> str:
        return node("FusedMatMul", [a, b], output, domain="com.microsoft", **attributes)

    def attention(x: str, layer: str, n: int) -> str:
        """(tokens, 384) -> (tokens, 384): softmax(q k^T / sqrt(32)) v, a head at a time."""
        query, key, value = (  # (tokens, 12, 32): the products take the heads apart by strides, without a copy
            node("Reshape", [linear(x, f"{layer}.attention.self.{part}", f"{part}.{n}.rows"), "heads"], f"{part}.{n}")
            for part in ("query", "key", "value")
        )
        scores = fused(query, key, f"scores.{n}", transBatchA=1, transBatchB=1, transB=1, alpha=(DIM // HEADS) ** -0.5)
        mixed = fused(node("Softmax", [scores], f"shares.{n}", axis=-1), value, f"mixed.{n}", transBatchB=1)
        return node(
            "Reshape", [node("Transpose", [mixed], f"mixed.{n}.last", perm=[1, 0, 2]), "rows"], f"attention.{n}"
        )

    if precision == "int8":
        tokens = node("Shape", ["embedded"], "tokens", end=1)
        for zero in ("zero", "gelu.zero"):
            node("Expand", [zero, tokens], f"{zero}.each")
    x = "embedded"
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        y = attention(x, layer, n)
        y = linear(y, f"{layer}.attention.output.dense", f"attended.{n}")
        x = residual(y, x, f"{layer}.{NORMS[0]}", f"middle.{n}")
        y = gelu(x, f"{layer}.intermediate.dense", f"gelu.{n}")
        last = "hidden" if n == LAYERS - 1 else f"layer.{n}"
        x = residual(linear(y, f"{layer}.output.dense", f"outer.{n}"), x, f"{layer}.{NORMS[1]}", last)

    initializers = [
        helper.make_tensor("rows", TensorProto.INT64, [2], [-1, DIM]),
        helper.make_tensor("heads", TensorProto.INT64, [3], [-1, HEADS, DIM // HEADS]),
    ]
    if precision == "int8":
        initializers += [_constant(name, value) for name, value in _SCALARS.items()]
        initializers += [
            helper.make_tensor("columns", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.UINT8, [], [128]),
            helper.make_tensor("gelu.zero", TensorProto.UINT8, [], [_GELU_ZERO]),
        ]
    for n in range(LAYERS):
        for part, (inputs, outputs) in LINEARS.items():
            name = f"encoder.layer.{n}.{part}"
            if precision == "int8":
                initializers.append(_fed(f"{name}.quantised", TensorProto.INT8, (inputs, outputs)))
                initializers.append(_fed(f"{name}.scale", TensorProto.FLOAT, (outputs,)))
            else:
                initializers.append(_fed(f"{name}.weight", TensorProto.FLOAT, (outputs, inputs)))
            initializers.append(_fed(f"{name}.bias", TensorProto.FLOAT, (outputs,)))
        for part in NORMS:
            initializers += [
                _fed(f"encoder.layer.{n}.{part}.{kind}", TensorProto.FLOAT, (DIM,)) for kind in ("weight", "bias")
            ]

    value = ["tokens", DIM]
    return helper.make_graph(
        nodes,
        f"minilm-{precision}",
        [helper.make_tensor_value_info("embedded", TensorProto.FLOAT, value)],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, value)],
        initializer=initializers,
    )


def packed(graph: GraphProto) -> bytes:
    """The bytes of a graph's file."""
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="citespan")
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def serialised(precision: Precision) -> bytes:
    """The bytes of the committed file."""
    return packed(build(precision))


def main() -> None:
    """Write both graphs next to this file."""
    for precision, name in GRAPHS.items():
        (Path(__file__).parent / name).write_bytes(serialised(precision))


if __name__ == "__main__":
    main()
