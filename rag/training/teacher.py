"""The teacher's network: MPNet with a span head, which reads what the reader reads, token for token.

MPNet (Song et al. 2020, arXiv:2004.09297) as transformers computes it: BERT's layers with one bias more, learnt for the
distance of two tokens and shared by all layers (Raffel et al. 2020, arXiv:1910.10683), no segments, and positions from
2 on. Its vocabulary is BERT's, each piece four further on, so that the teacher's logits are logits of the reader's
tokens. Word, position and distance embeddings stay as they are.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (its customary name)
from torch import Tensor

from index.errors import ModelError
from rag.training.data import CLS, SEP
from rag.training.network import Attention, Batch, Reader, fresh_head, from_transformers, read_tensors

_SPECIAL = {CLS: 0, SEP: 2}
_SHIFT = 4
_FIRST_POSITION = 2
_FARTHEST = 128
"""Distance of two tokens from which on all are one."""
_HIDDEN = -1e4
_NAMES = {
    ".attention.attn.q.": ".attention.self.query.",
    ".attention.attn.k.": ".attention.self.key.",
    ".attention.attn.v.": ".attention.self.value.",
    ".attention.attn.o.": ".attention.output.dense.",
    ".attention.LayerNorm.": ".attention.output.LayerNorm.",
}
"""Parts of tensors' names, and what BERT calls them."""


class Teacher(Reader):
    """Weights and forward pass, as of ``Reader``; ``embeddings`` hold a ``bias`` (buckets, heads) beside."""

    epsilon = 1e-5

    def __init__(
        self, weights: Mapping[str, Tensor], embeddings: Mapping[str, Tensor], device: torch.device | None = None
    ) -> None:
        """As ``Reader``."""
        super().__init__(weights, embeddings, device)
        self.heads = self.embeddings["bias"].shape[1]

    def embed(self, batch: Batch) -> Tensor:
        """What the first layer is given, of the reader's own token ids."""
        e = self.embeddings
        ids = batch.ids + _SHIFT
        for ours, theirs in _SPECIAL.items():
            ids = torch.where(batch.ids == ours, theirs, ids)
        x = e["word"][ids] + e["position"][batch.positions + _FIRST_POSITION]
        return F.layer_norm(x, (x.shape[1],), e["g"], e["b"], self.epsilon)

    def attention(self, batch: Batch, rate: float) -> Attention:
        """Attention with the bias of distances, all sequences padded to one length: the fused kernel knows no bias."""
        lengths = torch.tensor(batch.lengths, device=self.device)
        count, longest = len(batch.lengths), -(-max(batch.lengths) // 8) * 8  # the kernel wants multiples of eight
        sequence = torch.repeat_interleave(torch.arange(count, device=self.device), lengths)
        places = sequence * longest + batch.positions
        with torch.no_grad():
            near = self.embeddings["bias"][_buckets(longest, len(self.embeddings["bias"])).to(self.device)]
            there = torch.arange(longest, device=self.device)[None] < lengths[:, None]
            mask = near.permute(2, 0, 1).contiguous() + torch.where(there, 0.0, _HIDDEN)[:, None, None, :]
            if torch.is_autocast_enabled(self.device.type):
                mask = mask.to(torch.get_autocast_dtype(self.device.type))  # once, not in each layer

        def attend(qkv: Tensor) -> Tensor:
            padded = qkv.new_zeros(count * longest, qkv.shape[1]).index_copy(0, places, qkv)
            q, k, v = padded.view(count, longest, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
            return mixed.transpose(1, 2).reshape(count * longest, -1).index_select(0, places)

        return attend


def _buckets(length: int, buckets: int) -> Tensor:
    """(length, length): the bucket of each query's distance to each key, as transformers' MPNet numbers them."""
    place = torch.arange(length)
    distance = place[:, None] - place[None, :]
    half = buckets // 2
    exact = half // 2
    far = distance.abs()
    spread = torch.log(far.clamp(min=1).float() / exact) / math.log(_FARTHEST / exact) * (half - exact)
    return (distance < 0).long() * half + torch.where(far < exact, far, (exact + spread.long()).clamp(max=half - 1))


def load_teacher(path: Path, seed: int, device: torch.device | None = None) -> Teacher:
    """The encoder of a safetensors file of MPNet with a fresh head; ModelError when it is missing or something else."""
    stored = {name.removeprefix("mpnet."): tensor.float() for name, tensor in read_tensors(path).items()}
    try:
        embeddings = {
            "word": stored["embeddings.word_embeddings.weight"],
            "position": stored["embeddings.position_embeddings.weight"],
            "g": stored["embeddings.LayerNorm.weight"],
            "b": stored["embeddings.LayerNorm.bias"],
            "bias": stored["encoder.relative_attention_bias.weight"],
        }
        layers = {f"bert.{_bert_name(name)}": tensor for name, tensor in stored.items()}
        weights = from_transformers(layers | fresh_head(embeddings["word"].shape[1], seed))
    except KeyError as error:
        raise ModelError(f"{path}: tensor {error} is missing; give the weights of an MPNet encoder") from error
    return Teacher(weights, embeddings, device)


def _bert_name(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name
