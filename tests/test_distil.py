"""What the reader is taught by, its teacher, and the command that trains both."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from index.errors import ModelError
from index.minilm import model_folder
from rag.training import distil
from rag.training.data import CLS, SEP, Group
from rag.training.loss import loss, targets
from rag.training.network import load_reader, pack
from rag.training.teacher import load_teacher
from tests.towns import example, few_news, write_towns


def group_loss(group: Group, parts: list[Tensor], alone: float) -> float:
    return float(loss(targets([group], alone), torch.cat(parts)))


def small_config() -> Any:
    from transformers import MPNetConfig

    return MPNetConfig(
        vocab_size=30527,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        initializer_range=0.5,
    )


def small_mpnet(place: Path, seed: int = 4) -> Path:
    """An MPNet of two layers with random weights, named as transformers does."""
    from transformers import MPNetModel

    torch.manual_seed(seed)
    model = MPNetModel(small_config())
    path = place / "mpnet.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return path


def test_a_single_passage_loss_is_the_marginal_likelihood_over_cls_and_passage() -> None:
    logits = torch.arange(14.0).reshape(7, 2) / 3
    given = example(7, 3, (3, 4), (5, 5))
    start, end = logits[:, 0].tolist(), logits[:, 1].tolist()
    total_start, total_end = (sum(math.exp(side[i]) for i in (0, 3, 4, 5)) for side in (start, end))
    expected = -math.log((math.exp(start[3]) + math.exp(start[5])) / total_start)
    expected -= math.log((math.exp(end[4]) + math.exp(end[5])) / total_end)
    assert group_loss((given,), [logits], 0.5) == pytest.approx(expected / 2, rel=1e-5)
    null = -math.log(math.exp(start[0]) / total_start) - math.log(math.exp(end[0]) / total_end)
    assert group_loss((example(7, 3),), [logits], 0.5) == pytest.approx(null / 2, rel=1e-5)


def test_a_shared_loss_counts_margins_over_each_passages_own_null() -> None:
    draw = torch.Generator().manual_seed(1)
    parts = [torch.randn(7, 2, generator=draw), torch.randn(9, 2, generator=draw)]
    group = (example(7, 3, (4, 5)), example(9, 3))
    lost = group_loss(group, parts, 0.0)
    expected = 0.0
    for side, place in ((0, 4), (1, 5)):
        margins = [
            part[i, side] - part[0, side] for part, end in zip(parts, (6, 8), strict=True) for i in range(3, end)
        ]
        total = 1 + sum(math.exp(float(margin)) for margin in margins)
        expected -= math.log(math.exp(float(parts[0][place, side] - parts[0][0, side])) / total)
    assert lost == pytest.approx(expected / 2, rel=1e-5)
    # A constant added to all logits of one passage changes no margin.
    assert group_loss(group, [parts[0], parts[1] + 3], 0.0) == pytest.approx(lost, rel=1e-5)
    nothing = (example(7, 3), example(9, 3))
    lower = [torch.cat([part[:1] + 5, part[1:]]) for part in parts]
    assert group_loss(nothing, lower, 0.5) < group_loss(nothing, parts, 0.5)


def test_the_loss_of_a_batch_is_the_mean_of_its_groups() -> None:
    draw = torch.Generator().manual_seed(2)
    groups: list[Group] = [
        (example(7, 3, (4, 5)), example(9, 3)),
        (example(8, 4, (5, 5), (6, 6)),),
        (example(7, 3), example(6, 3), example(10, 5)),
    ]
    parts = [[torch.randn(len(example.ids), 2, generator=draw) for example in group] for group in groups]
    each = [group_loss(group, part, 0.5) for group, part in zip(groups, parts, strict=True)]
    whole = loss(targets(groups, 0.5), torch.cat([tensor for part in parts for tensor in part]))
    assert float(whole) == pytest.approx(sum(each) / 3, rel=1e-5)
    # Each passage by itself counts so much of its group, and nothing more.
    alone = [group_loss((passage,), [tensor], 0.0) for passage, tensor in zip(groups[0], parts[0], strict=True)]
    assert each[0] == pytest.approx(group_loss(groups[0], parts[0], 0.0) + 0.5 * sum(alone) / 2, rel=1e-5)


def test_a_teachers_odds_are_learnt_at_its_temperature() -> None:
    draw = torch.Generator().manual_seed(3)
    mine, theirs = (torch.randn(7, 2, generator=draw) for _ in range(2))
    right = targets([(example(7, 3, (4, 5)),)], 0.5)
    expected = 0.0
    for side in (0, 1):
        own, other = ([math.exp(float(logits[i, side]) / 2) for i in (0, 3, 4, 5)] for logits in (mine, theirs))
        odds = [value / sum(other) for value in other]
        expected += sum(q * math.log(q * sum(own) / p) for q, p in zip(odds, own, strict=True)) / 2 * 4
    assert float(loss(right, mine, theirs, 1.0, 2.0)) == pytest.approx(expected, rel=1e-5)
    mixed = 0.3 * float(loss(right, mine)) + 0.7 * expected
    assert float(loss(right, mine, theirs, 0.7, 2.0)) == pytest.approx(mixed, rel=1e-5)
    several = targets([(example(7, 3, (4, 5)), example(7, 3))], 0.5)
    both = torch.cat([mine, theirs])
    assert float(loss(several, both, both, 1.0, 2.0)) == pytest.approx(0.0, abs=1e-6)
    # Of several passages margins are compared: what is added to all logits of one is no difference.
    assert float(loss(several, both, torch.cat([mine, theirs + 3]), 1.0, 2.0)) == pytest.approx(0.0, abs=1e-6)


def test_the_teachers_logits_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import MPNetForQuestionAnswering

    path = small_mpnet(tmp_path)
    teacher = load_teacher(path, seed=1)
    peer = MPNetForQuestionAnswering(small_config()).eval()
    head = {"qa_outputs.weight": teacher.weights["head.w"], "qa_outputs.bias": teacher.weights["head.b"]}
    stored = {f"mpnet.{name}": tensor for name, tensor in load_file(path).items()}
    missing, _ = peer.load_state_dict(stored | {name: tensor.detach() for name, tensor in head.items()}, strict=False)
    assert not missing
    rng = np.random.default_rng(5)
    sequences = []
    for length in (9, 200, 40):  # far apart as well: distances share buckets
        ids = rng.integers(1000, 9000, length).astype(np.int32)
        ids[0], ids[4], ids[6], ids[-1] = CLS, SEP, 100, SEP
        sequences.append((ids, 5))
    batch = pack(sequences)
    with torch.inference_mode():
        mine = torch.split(teacher.forward(batch), batch.lengths)
        for (ids, _), part in zip(sequences, mine, strict=True):
            theirs = torch.from_numpy(ids).long() + 4
            theirs[[0, 4, 6, -1]] = torch.tensor([0, 2, 104, 2])
            logits = peer(input_ids=theirs[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long))
            assert torch.allclose(part[:, 0], logits.start_logits[0], atol=1e-4)
            assert torch.allclose(part[:, 1], logits.end_logits[0], atol=1e-4)


def test_a_teacher_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"encoder\.relative_attention_bias\.weight.*MPNet"):
        load_teacher(model_folder() / "model.safetensors", seed=1)
    with pytest.raises(ModelError, match="no such file"):
        load_teacher(tmp_path / "none.safetensors", seed=1)


def test_steps_are_of_groups_alike_and_hold_each_group_once() -> None:
    rng = np.random.default_rng(6)
    groups = [(example(int(length), 3),) * int(size) for length, size in rng.integers((7, 1), (90, 7), (4000, 2))]
    order = distil._order(groups, "seed", alike=True)
    assert sorted(order) == list(range(len(groups)))
    assert order != distil._order(groups, "another", alike=True)

    def padded(numbers: list[int]) -> float:
        steps = list(distil._steps(numbers, groups, distil.SEQUENCES))
        return sum(max(len(groups[n][0].ids) for n in step) * sum(len(groups[n]) for n in step) for step in steps)

    assert padded(order) < 0.75 * padded(distil._order(groups, "seed", alike=False))


@pytest.mark.slow
def test_the_command_trains_a_teacher_and_the_reader_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_news(tmp_path, monkeypatch)
    rounds = {name: replace(settings, epochs=2) for name, settings in distil.ROUNDS.items()}
    monkeypatch.setattr(distil, "ROUNDS", rounds)
    monkeypatch.setattr(distil, "SEQUENCES", 40)
    data, teacher, init = write_towns(tmp_path), small_mpnet(tmp_path), model_folder() / "model.safetensors"
    out, work = tmp_path / "out", tmp_path / "work"
    line = ["--data", str(data), "--teacher", str(teacher), "--init", str(init), "--out", str(out), "--work", str(work)]
    assert distil.main([*line, "--examples", "3"]) == 0
    assert "looking for passages" in capsys.readouterr().err
    record = json.loads((out / "reader.json").read_text("utf-8"))
    assert set(record["rounds"]) == {"teacher", "first", "second"}
    assert record["rounds"]["first"]["recipe"]["taught"] == 0.7
    assert all(round_["progress"]["step"] > 0 for round_ in record["rounds"].values())
    written = (out / "reader.safetensors").read_bytes()
    learnt = load_reader(out / "reader.safetensors", seed=0).weights
    before = load_reader(init, seed=0).weights
    assert not torch.allclose(learnt["0.wo"], before["0.wo"])
    # Started again, it finds all done and writes the same.
    assert distil.main([*line, "--examples", "3"]) == 0
    assert (out / "reader.safetensors").read_bytes() == written
    said = capsys.readouterr().err
    assert "looking for passages" not in said
    assert "asking the teacher" not in said
    # With another teacher nothing of what the reader learnt after the first one is taken up.
    (work / "teacher.checkpoint.safetensors").unlink()
    assert small_mpnet(tmp_path, seed=1) == teacher
    assert distil.main([*line, "--examples", "3"]) == 2
    assert "first.checkpoint.safetensors: written by another recipe (its started_from)" in capsys.readouterr().err


def test_missing_weights_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = str(tmp_path / "none")
    line = ["--data", none, "--teacher", none, "--init", none, "--out", none, "--work", str(tmp_path / "work")]
    assert distil.main(line) == 2
    assert "no such file" in capsys.readouterr().err
