import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from index.errors import InputError, ModelError
from index.minilm import model_folder
from rag.training import mean as mean_command
from rag.training import reader as command
from rag.training.data import CLS, SEP, Example, Question, Tokens, read_squad
from rag.training.loop import Recipe, Trainer, batches, group_loss, learning_rate, write_tensors
from rag.training.network import Reader, load_reader, mean, pack, to_transformers
from rag.training.score import Found, evaluate
from tests.towns import write_towns


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(model_folder())


@pytest.fixture(scope="module")
def fresh() -> Reader:
    return load_reader(None, seed=3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_towns(tmp_path)


def recipe(**changes: object) -> Recipe:
    values = {"phase": "a", "peak": 1e-3, "floor": 0.1, "batch": 2, "seed": 0, "data": "none"} | changes
    return Recipe(**values)  # type: ignore[arg-type]


def example(length: int, first: int, *pairs: tuple[int, int]) -> Example:
    ids = np.full(length, 2000, np.int32)
    ids[0], ids[first - 1], ids[-1] = CLS, SEP, SEP
    return Example(ids, first, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def test_weights_that_are_no_safetensors_file(tmp_path: Path) -> None:
    place = tmp_path / "reader.safetensors"
    place.write_bytes(b"{}")
    with pytest.raises(ModelError, match="no safetensors file"):
        load_reader(place, seed=0)


def test_a_single_passage_loss_is_the_marginal_likelihood_over_cls_and_passage() -> None:
    logits = torch.arange(14.0).reshape(7, 2) / 3
    given = example(7, 3, (3, 4), (5, 5))
    start, end = logits[:, 0].tolist(), logits[:, 1].tolist()
    total_start, total_end = (sum(math.exp(side[i]) for i in (0, 3, 4, 5)) for side in (start, end))
    expected = -math.log((math.exp(start[3]) + math.exp(start[5])) / total_start)
    expected -= math.log((math.exp(end[4]) + math.exp(end[5])) / total_end)
    assert float(group_loss((given,), [logits], 0.5)) == pytest.approx(expected / 2, rel=1e-5)
    null = -math.log(math.exp(start[0]) / total_start) - math.log(math.exp(end[0]) / total_end)
    assert float(group_loss((example(7, 3),), [logits], 0.5)) == pytest.approx(null / 2, rel=1e-5)


def test_a_shared_loss_counts_margins_over_each_passages_own_null() -> None:
    draw = torch.Generator().manual_seed(1)
    parts = [torch.randn(7, 2, generator=draw), torch.randn(9, 2, generator=draw)]
    group = (example(7, 3, (4, 5)), example(9, 3))
    loss = float(group_loss(group, parts, 0.0))
    expected = 0.0
    for side, place in ((0, 4), (1, 5)):
        margins = [
            part[i, side] - part[0, side] for part, end in zip(parts, (6, 8), strict=True) for i in range(3, end)
        ]
        total = 1 + sum(math.exp(float(margin)) for margin in margins)
        expected -= math.log(math.exp(float(parts[0][place, side] - parts[0][0, side])) / total)
    assert loss == pytest.approx(expected / 2, rel=1e-5)
    # A constant added to all logits of one passage changes no margin.
    assert float(group_loss(group, [parts[0], parts[1] + 3], 0.0)) == pytest.approx(loss, rel=1e-5)
    nothing = (example(7, 3), example(9, 3))
    lower = [torch.cat([part[:1] + 5, part[1:]]) for part in parts]
    assert float(group_loss(nothing, lower, 0.5)) < float(group_loss(nothing, parts, 0.5))


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

    def step(batch: list, progress: float) -> float:  # type: ignore[type-arg]
        if first.progress.step == 2:
            first.save()
            raise KilledError
        return original(batch, progress)

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


def test_the_time_limit_ends_a_run(fresh: Reader, tmp_path: Path) -> None:
    trainer = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(minutes=1e-6), tmp_path / "x.safetensors")
    assert trainer.run([(example(9, 3, (4, 5)),)] * 20, lambda progress, share: None).step == 1


def test_scores(fresh: Reader, tokens: Tokens, data: Path) -> None:
    scores = evaluate(fresh, tokens, read_squad(data / "squad11_train" / "squad.json"), sample=4)
    assert scores["questions"] == 4
    assert 0 <= scores["em"] <= scores["f1"] <= 100


def test_scores_by_hand(fresh: Reader, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"1": Found("The U.S. man!", 3.0), "22": Found("an old woman", 2.0), "333": Found("x", 2.0)}
    asked = [("1", ("us man",)), ("22", ("y", "the old man")), ("333", ())]
    questions = [Question("q", 0, 0, "?", paragraph, answers, ()) for paragraph, answers in asked]
    monkeypatch.setattr("rag.training.score.find", lambda _r, _t, drawn: [given[q.paragraph] for q in drawn])
    scores = evaluate(fresh, tokens, questions, sample=3)
    assert scores == {"questions": 3, "em": 50, "f1": pytest.approx(75), "auroc": pytest.approx(0.75)}


@pytest.mark.slow
def test_the_command_trains_both_phases(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--data", str(data), "--out", str(out), "--work", str(tmp_path / "work"), "--examples", "6"]
    threads = torch.get_num_threads()
    try:
        assert command.main([*arguments, "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    record = json.loads((out / "reader.json").read_text())
    assert record["recipe"]["phase"] == "b"
    assert record["progress"]["groups"] > 0
    assert "held_out_retrieved" in record["scores"]
    with safe_open(out / "reader.safetensors", "pt") as file:
        assert len(file.keys()) == 98
        assert file.get_tensor("bert.encoder.layer.5.attention.self.key.weight").dtype == torch.float16


@pytest.mark.slow
def test_the_command_goes_over_all_questions_once_more(data: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(data), "--out", str(tmp_path), "--work", str(tmp_path / "work"), "--examples", "6"]
    threads = torch.get_num_threads()
    try:
        assert command.main([*arguments, "--phase", "c", "--bf16", "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    record = json.loads((tmp_path / "reader.json").read_text())
    assert record["recipe"]["phase"] == "c"
    assert record["recipe"]["bf16"] is True
    assert record["progress"]["groups"] > 6


def test_products_in_bfloat16_learn_much_the_same(fresh: Reader, tmp_path: Path) -> None:
    groups = [(example(20 + n, 5, (7, 9)),) for n in range(4)]
    losses = []
    for bf16 in (False, True):
        trainer = Trainer(Reader(fresh.weights, fresh.embeddings), recipe(bf16=bf16), tmp_path / f"{bf16}.safetensors")
        losses.append([trainer.step(groups[:2], 0.5), trainer.step(groups[2:], 0.6)])
        assert all(tensor.dtype == torch.float32 for tensor in trainer.reader.weights.values())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.slow
def test_the_command_writes_the_average_with_what_it_started_from(data: Path, tmp_path: Path) -> None:
    work, out, start = (
        tmp_path / "work",
        tmp_path / "out",
        Path(command.__file__).parents[1] / "models/reader.safetensors",
    )
    arguments = ["--data", str(data), "--out", str(out), "--work", str(work), "--examples", "6", "--learnt", "0"]
    threads = torch.get_num_threads()
    try:
        assert command.main([*arguments, "--init", str(start), "--phase", "a", "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    name = "bert.encoder.layer.5.attention.self.key.weight"
    first, learnt, written = (
        load_file(path)[name] for path in (start, work / "phaseA.safetensors", out / "reader.safetensors")
    )
    assert not torch.equal(first, learnt)
    torch.testing.assert_close(written.float(), first.float() / 3 + learnt.float() * 2 / 3, atol=1e-3, rtol=1e-3)
    assert json.loads((out / "reader.json").read_text())["blend"] == command.BLEND


def test_the_mean_of_weights_counts_their_shares() -> None:
    first, last = {"w": torch.tensor([0.0, 3.0])}, {"w": torch.tensor([3.0, 3.0])}
    assert mean([(first, 1), (last, 2)])["w"].tolist() == pytest.approx([2.0, 3.0])


def test_the_command_writes_a_mean_and_what_went_in(
    fresh: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, out = (tmp_path / f"{name}.safetensors" for name in ("one", "two", "out"))
    other = {name: tensor + 1 for name, tensor in fresh.weights.items()}
    write_tensors(one, to_transformers(fresh.weights, torch.float32), {})
    write_tensors(two, to_transformers(other, torch.float32), {})
    assert mean_command.main([str(out), f"{one}=0.75", f"{two}=0.25"]) == 0
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{out} {digest}\n"
    name = "bert.encoder.layer.2.output.dense.bias"
    torch.testing.assert_close(load_file(out)[name].float(), load_file(one)[name] + 0.25, atol=2e-3, rtol=0)
    with safe_open(out, "pt") as file:
        assert sorted(json.loads(file.metadata()["mean_of"]).values()) == [0.25, 0.75]
    for bad in (f"{one}=0", str(one), "=1", f"{one}=much"):
        assert mean_command.main([str(out), bad]) == 2
        assert "FILE=SHARE" in capsys.readouterr().err
    assert mean_command.main([str(out), "absent=1"]) == 2


def test_missing_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path), "--out", str(tmp_path), "--work", str(tmp_path)]) == 2
    assert "squad11_train" in capsys.readouterr().err
