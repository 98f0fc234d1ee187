"""The network while it learns: its files, packing, its logits beside transformers'."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from index.errors import ModelError
from index.minilm import model_folder
from rag.training.data import CLS, SEP
from rag.training.loop import write_tensors
from rag.training.network import Reader, load_reader, mean, pack, to_transformers


@pytest.fixture(scope="module")
def fresh() -> Reader:
    return load_reader(None, seed=3)


def test_weights_that_are_no_safetensors_file(tmp_path: Path) -> None:
    place = tmp_path / "reader.safetensors"
    place.write_bytes(b"{}")
    with pytest.raises(ModelError, match="no safetensors file"):
        load_reader(place, seed=0)


def test_weights_of_something_else_are_no_start(tmp_path: Path) -> None:
    write_tensors(tmp_path / "other.safetensors", {"conv.weight": torch.zeros(2, 2)}, {})
    with pytest.raises(ModelError, match="holds no encoder layers"):
        load_reader(tmp_path / "other.safetensors", seed=0)


def test_an_encoder_of_another_width_is_no_start(tmp_path: Path) -> None:
    wide = {
        name: tensor.repeat(*[2] * tensor.ndim)
        for name, tensor in load_file(model_folder() / "model.safetensors").items()
        if tensor.ndim
    }
    write_tensors(tmp_path / "wide.safetensors", wide, {})
    with pytest.raises(ModelError, match="of another width than 384"):
        load_reader(tmp_path / "wide.safetensors", seed=0)


def test_an_encoder_of_another_depth_is_a_start(tmp_path: Path) -> None:
    layer = "encoder.layer.{}."
    base = load_file(model_folder() / "model.safetensors")
    deeper = dict(base)
    for name, tensor in base.items():
        if name.startswith(layer.format(5)):
            deeper[name.replace(layer.format(5), layer.format(6))] = tensor.clone()
    write_tensors(tmp_path / "encoder.safetensors", deeper, {})
    reader = load_reader(tmp_path / "encoder.safetensors", seed=3)
    assert reader.layers == 7
    written = to_transformers(reader.weights)
    assert torch.equal(
        written["bert.encoder.layer.6.output.dense.weight"], written["bert.encoder.layer.5.output.dense.weight"]
    )
    sequence = (np.array([CLS, 2000, SEP, 2000, SEP], np.int32), 3)
    shallow = load_reader(None, seed=3)
    assert torch.equal(reader.weights["head.w"], shallow.weights["head.w"])
    with torch.no_grad():
        assert not torch.allclose(reader.forward(pack([sequence])), shallow.forward(pack([sequence])))


def test_packed_sequences_do_not_see_each_other(fresh: Reader) -> None:
    rng = np.random.default_rng(0)
    sequences = [(rng.integers(1000, 9000, n).astype(np.int32), 4) for n in (9, 17, 12)]
    with torch.inference_mode():
        batch = pack(sequences)
        together = torch.split(fresh.forward(batch), batch.lengths)
        for sequence, part in zip(sequences, together, strict=True):
            assert torch.allclose(fresh.forward(pack([sequence])), part, atol=1e-5)


@pytest.mark.slow
def test_logits_are_those_of_transformers(fresh: Reader) -> None:
    from safetensors.torch import load_file
    from transformers import BertConfig, BertForQuestionAnswering

    folder = model_folder()
    peer = BertForQuestionAnswering(BertConfig.from_pretrained(folder)).eval()
    stored = load_file(folder / "model.safetensors")
    embeddings = {f"bert.{n}": t for n, t in stored.items() if n.startswith("embeddings.") and "position_ids" not in n}
    missing, unknown = peer.load_state_dict(embeddings | to_transformers(fresh.weights, torch.float32), strict=False)
    assert not missing
    assert not unknown
    ids = np.random.default_rng(1).integers(1000, 9000, 40).astype(np.int32)
    with torch.inference_mode():
        mine = fresh.forward(pack([(ids, 11)]))
        types = (torch.arange(40) >= 11).long()[None]
        theirs = peer(input_ids=torch.from_numpy(ids).long()[None], token_type_ids=types)
    assert torch.allclose(mine[:, 0], theirs.start_logits[0], atol=1e-4)
    assert torch.allclose(mine[:, 1], theirs.end_logits[0], atol=1e-4)


def test_the_mean_of_weights_counts_their_shares() -> None:
    first, last = {"w": torch.tensor([0.0, 3.0])}, {"w": torch.tensor([3.0, 3.0])}
    assert mean([(first, 1), (last, 2)])["w"].tolist() == pytest.approx([2.0, 3.0])
