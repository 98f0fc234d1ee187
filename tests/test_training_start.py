"""The encoder that training may start from, out of an ONNX file as onnxruntime quantises one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from rag.training.start import main

onnx = pytest.importorskip("onnx")

LAYER = "encoder.layer.0."


def tensor(name: str, values: Any, kind: type) -> Any:
    return onnx.numpy_helper.from_array(np.array(values, kind), name)


def model(path: Path, *, bias: bool = True, product: str = "MatMulInteger") -> Path:
    """One product of two inputs and three outputs: (levels - 100) * 0.5, its bias, and a norm's scale beside it."""
    node = onnx.helper.make_node
    nodes = [
        node(product, ["x", "p_7_quantized", "zero", "p_7_zero_point"], ["product"], name="p_7_quant"),
        node("Cast", ["product"], ["cast"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["cast", "p_7_scale"], ["scaled"]),
        node("Add", [f"{LAYER}dense.bias" if bias else "scaled", "scaled"], ["y"]),
    ]
    stored = [
        tensor("zero", 0, np.uint8),
        tensor("p_7_quantized", [[100, 102, 98], [101, 100, 110]], np.uint8),
        tensor("p_7_zero_point", 100, np.uint8),
        tensor("p_7_scale", 0.5, np.float32),
        tensor(f"{LAYER}dense.bias", [1, 2, 3], np.float32),
        tensor(f"{LAYER}LayerNorm.weight", [4, 5], np.float32),
        tensor("embeddings.LayerNorm.weight", [6, 7], np.float32),
    ]
    shapes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = onnx.helper.make_graph(nodes, "encoder", shapes[:1], shapes[1:], stored)
    onnx.save(onnx.helper.make_model(graph), path)
    return path


def test_weights_get_the_name_of_their_bias_and_their_values_back(tmp_path: Path) -> None:
    out = tmp_path / "start.safetensors"
    assert main([str(model(tmp_path / "model.onnx")), str(out)]) == 0
    found = load_file(out)
    assert found.keys() == {f"{LAYER}dense.weight", f"{LAYER}dense.bias", f"{LAYER}LayerNorm.weight"}
    np.testing.assert_array_equal(found[f"{LAYER}dense.weight"], np.array([[0, 0.5], [1, 0], [-1, 5]], np.float32))
    np.testing.assert_array_equal(found[f"{LAYER}dense.bias"], np.array([1, 2, 3], np.float32))


def test_what_is_no_such_file_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    unnamed = model(tmp_path / "unnamed.onnx", bias=False)
    plain = model(tmp_path / "plain.onnx", product="MatMul")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), tmp_path / "empty.onnx")
    for path, said in (
        (tmp_path / "absent.onnx", "cannot be read"),
        (tmp_path / "text.onnx", "no ONNX file"),
        (unnamed, "no bias follows the product 'p_7_quant'"),
        (plain, f"no weights stand beside {LAYER}dense.bias"),
        (tmp_path / "empty.onnx", "holds no encoder layers"),
    ):
        assert main([str(path), str(tmp_path / "out.safetensors")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()
