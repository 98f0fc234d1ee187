"""The training loop: batches, the schedule, checkpoints that survive a kill."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from index.errors import InputError
from rag.training.loop import Recipe, Trainer, batches, groups_hash, learning_rate, write_tensors
from rag.training.network import Reader, load_reader
from tests.towns import example


@pytest.fixture(scope="module")
def fresh() -> Reader:
    return load_reader(None, seed=3)


def recipe(**changes: object) -> Recipe:
    values = {"phase": "a", "peak": 1e-3, "floor": 0.1, "batch": 2, "seed": 0, "data": "none"} | changes
    return Recipe(**values)  # type: ignore[arg-type]


def test_batches_count_sequences() -> None:
    one, four = (example(7, 3),), (example(7, 3),) * 4
    assert [len(batch) for batch in batches([one, four, one, one, one], 4)] == [2, 3]
    assert batches([], 4) == []


def test_learning_rate_warms_up_and_ends_at_the_floor() -> None:
    rates = [learning_rate(recipe(), share) for share in (0.0, 0.015, 0.03, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1e-3)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(1e-4)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(fresh: Reader, tmp_path: Path) -> None:
    groups = [(example(7 + n, 3, (4, 5)),) for n in range(8)]
    whole = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(), tmp_path / "whole.safetensors")
    assert whole.run(groups, lambda progress, share: None).step == 4

    first = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(), tmp_path / "cut.safetensors")
    plan = batches(groups, 2)

    class KilledError(Exception):
        pass

    original = first.step

    def step(batch: list, progress: float, odds: None) -> float:  # type: ignore[type-arg]
        if first.progress.step == 2:
            first.save()
            raise KilledError
        return original(batch, progress, odds)

    first.step = step  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        first.run(groups, lambda progress, share: None)
    second = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(), tmp_path / "cut.safetensors")
    assert second.resume()
    assert second.progress.step == 2
    assert second.run(groups, lambda progress, share: None).step == len(plan)
    for name, tensor in whole.reader.weights.items():
        assert torch.equal(tensor, second.reader.weights[name]), name
        assert torch.equal(whole.average[name], second.average[name]), name
    assert not torch.equal(whole.reader.weights["0.wo"], fresh.weights["0.wo"])


def test_a_checkpoint_of_another_recipe_is_refused(fresh: Reader, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    Trainer(Reader(fresh.weights, fresh.embeddings), recipe(), path).save()
    assert Trainer(Reader(fresh.weights, fresh.embeddings), recipe(minutes=3.0), path).resume()
    with pytest.raises(InputError, match="another recipe"):
        Trainer(Reader(fresh.weights, fresh.embeddings), recipe(peak=2e-3), path).resume()
    # Less or something else to learn: other places in another order stand behind the same step.
    with pytest.raises(InputError, match="another recipe"):
        Trainer(Reader(fresh.weights, fresh.embeddings), recipe(groups="0" * 64), path).resume()


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_checkpoint_is_one_sentence(fresh: Reader, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.safetensors: no checkpoint .*; remove it"):
        Trainer(Reader(fresh.weights, fresh.embeddings), recipe(), path).resume()


def test_a_file_is_written_for_all_whom_the_umask_lets_read_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_tensors(tmp_path / "x.safetensors", {"w": torch.zeros(2)}, {})
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "none" / "x", tmp_path / "folder"):
        with pytest.raises(InputError, match="cannot be written"):
            write_tensors(place, {"w": torch.zeros(2)}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "plain", "x.safetensors"]


def test_the_hash_of_groups_is_of_all_that_is_learnt() -> None:
    one, two = example(7, 3, (3, 4)), example(7, 3)
    other = replace(two, ids=two.ids + 1)
    plans = [
        [],
        [(one,), (two,)],
        [(two,), (one,)],
        [(one, two)],
        [(one,), (other,)],
        [(one,), (replace(two, first=4),)],
        [(example(7, 3, (3, 5)),), (two,)],
        [(example(7, 3, (4, 4)),), (two,)],
    ]
    assert len({groups_hash(plan) for plan in plans}) == len(plans)
    assert groups_hash([(one,), (two,)]) == groups_hash([(example(7, 3, (3, 4)),), (example(7, 3),)])


def test_the_time_limit_ends_a_run(fresh: Reader, tmp_path: Path) -> None:
    trainer = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(minutes=1e-6), tmp_path / "x.safetensors")
    assert trainer.run([(example(9, 3, (4, 5)),)] * 20, lambda progress, share: None).step == 1


def test_products_in_bfloat16_learn_much_the_same(fresh: Reader, tmp_path: Path) -> None:
    groups = [(example(20 + n, 5, (7, 9)),) for n in range(4)]
    losses: list[list[float]] = []
    for bf16 in (False, True):
        trainer = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(bf16=bf16), tmp_path / f"{bf16}.safetensors")
        losses.append([trainer.step(groups[:2], 0.5), trainer.step(groups[2:], 0.6)])
        assert all(tensor.dtype == torch.float32 for tensor in trainer.reader.weights.values())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1][0] != losses[0][0]  # else nothing was computed in bfloat16
