"""Writes the encoder layers' graphs, without weights: ``python -m index.graph`` (needs ``onnx``, a test dependency).

The linear maps' and norms' tensors are declared as external data and fed by ``index.minilm.Layers``. The graph is
written with the operators that onnxruntime's own fusions would aim at (Gemm with bias, MultiHeadAttention, Gelu), so
that nothing depends on a fusion pass recognising a pattern. Add and LayerNormalization stay apart on purpose: the fused
com.microsoft.SkipLayerNormalization took six times as long on the CPU (onnxruntime 1.31).

In the int8 graph each token's row is quantised by its own largest value. One scale for the whole batch (what
DynamicQuantizeLinear does) let one outlier token blur all others, and made a passage's score depend on the passages
read with it: on 240 questions 85 % of the spans were those of fp32, against 95 % with a scale a row.
"""

from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from index.minilm import DIM, GRAPHS, HEADS, LAYERS, LINEARS, NORM_EPSILON, NORMS, Precision, layer_shapes

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


def build(precision: Precision) -> ModelProto:
    """The graph: embedded float32 (batch, tokens, 384), mask int64 (batch, tokens) -> hidden, shaped as embedded."""
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
        """The int8 linear map without its bias: bytes = round(x * levels) + zero, y = (bytes - zero) @ W / levels."""
        signed = LINEARS[name.split(".", 3)[-1]][0] == DIM  # else the input comes from Gelu
        zero = "zero" if signed else "gelu.zero"
        if x not in scaled:
            size = node("Abs", [x], f"{x}.abs") if signed else x
            largest = node("ReduceMax", [size, "columns"], f"{x}.largest", keepdims=1)
            largest = node("Max", [largest, "floor" if signed else "gelu.floor"], f"{x}.largest.floor")
            levels = node("Div", ["top" if signed else "gelu.top", largest], f"{x}.levels")
            scaled[x] = (
                node("QuantizeLinear", [node("Mul", [x, levels], f"{x}.scaled"), "one", zero], f"{x}.bytes"),
                node("Reciprocal", [levels], f"{x}.step"),
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
        return node("BiasGelu", [product(x, name, f"{output}.inner"), f"{name}.bias"], output, domain="com.microsoft")

    def residual(x: str, skip: str, name: str, output: str) -> str:
        total = node("Add", [x, skip], f"{output}.sum")
        norm = [total, f"{name}.weight", f"{name}.bias"]
        return node("LayerNormalization", norm, output, epsilon=NORM_EPSILON)

    node("Cast", ["mask"], "mask32", to=TensorProto.INT32)
    node("Shape", ["embedded"], "shape")
    x = node("Reshape", ["embedded", "rows"], "input")  # Gemm takes matrices: all tokens of the batch, one a row
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        heads = [
            node("Reshape", [linear(x, f"{layer}.attention.self.{part}", f"{part}.{n}"), "shape"], f"{part}.{n}.batch")
            for part in ("query", "key", "value")
        ]
        attention = ("MultiHeadAttention", [*heads, "", "mask32"], f"attention.{n}.batch")
        node(*attention, domain="com.microsoft", num_heads=HEADS)
        y = node("Reshape", [f"attention.{n}.batch", "rows"], f"attention.{n}")
        y = linear(y, f"{layer}.attention.output.dense", f"attended.{n}")
        x = residual(y, x, f"{layer}.{NORMS[0]}", f"middle.{n}")
        y = gelu(x, f"{layer}.intermediate.dense", f"gelu.{n}")
        x = residual(linear(y, f"{layer}.output.dense", f"outer.{n}"), x, f"{layer}.{NORMS[1]}", f"layer.{n}")
    node("Reshape", [x, "shape"], "hidden")

    initializers = [helper.make_tensor("rows", TensorProto.INT64, [2], [-1, DIM])]
    if precision == "int8":
        initializers += [_constant(name, value) for name, value in _SCALARS.items()]
        initializers += [
            helper.make_tensor("columns", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.UINT8, [], [128]),
            helper.make_tensor("gelu.zero", TensorProto.UINT8, [], [_GELU_ZERO]),
        ]
    for name, shape in layer_shapes().items():
        linear_name = name.removesuffix(".weight")
        if precision == "int8" and linear_name.split(".", 3)[-1] in LINEARS:
            initializers.append(_fed(f"{linear_name}.quantised", TensorProto.INT8, shape[::-1]))
            initializers.append(_fed(f"{linear_name}.scale", TensorProto.FLOAT, shape[:1]))
        else:
            initializers.append(_fed(name, TensorProto.FLOAT, shape))

    wide = ["batch", "tokens", DIM]
    graph = helper.make_graph(
        nodes,
        f"minilm-{precision}",
        [
            helper.make_tensor_value_info("embedded", TensorProto.FLOAT, wide),
            helper.make_tensor_value_info("mask", TensorProto.INT64, wide[:2]),
        ],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, wide)],
        initializer=initializers,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="citespan")


def serialised(precision: Precision) -> bytes:
    """The bytes of the committed file."""
    raw: bytes = build(precision).SerializeToString(deterministic=True)
    return raw


def main() -> None:
    """Write both graphs next to this file."""
    for precision, name in GRAPHS.items():
        (Path(__file__).parent / name).write_bytes(serialised(precision))


if __name__ == "__main__":
    main()
