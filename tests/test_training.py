"""The reader's training command, its scores and the command that means weights."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from index.minilm import model_folder
from rag.spans import MAX_SPAN
from rag.training import mean as mean_command
from rag.training import reader as command
from rag.training.data import Group, Question, Tokens, read_squad
from rag.training.loop import write_tensors
from rag.training.network import Batch, Reader, load_reader, to_transformers
from rag.training.score import Found, _best, evaluate, evaluate_groups, find
from tests.towns import example, few_news, write_towns


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(model_folder())


@pytest.fixture(scope="module")
def fresh() -> Reader:
    return load_reader(None, seed=3)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The towns, and of the news its first articles alone: the command reads all that is held out, for minutes."""
    few_news(tmp_path, monkeypatch)
    return write_towns(tmp_path)


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


class Chosen(Reader):
    """A reader whose logits are given, sequence by sequence, in the order it is asked."""

    def __init__(self, *parts: torch.Tensor) -> None:
        self.parts = list(parts)

    def forward(self, batch: Batch) -> torch.Tensor:
        parts = [self.parts.pop(0) for _ in batch.lengths]
        assert [len(part) for part in parts] == batch.lengths
        return torch.cat(parts)


def chosen(length: int, none: tuple[float, float], places: dict[int, tuple[float, float]]) -> torch.Tensor:
    """Logits of a sequence: ``none`` for [CLS], ``places`` by token, -10 elsewhere."""
    logits = torch.full((length, 2), -10.0)
    for place, pair in {0: none, **places}.items():
        logits[place] = torch.tensor(pair)
    return logits


def test_the_best_spans_by_hand(tokens: Tokens) -> None:
    # [CLS] who ? [SEP] the red old mill stands . [SEP]: the passage begins at 4.
    paragraphs = ("The red old mill stands.", "Mills are old, too.", "It was Bo.")
    questions = [Question(str(n), 0, n, "Who?", text, (), ()) for n, text in enumerate(paragraphs)]
    reader = Chosen(
        # [CLS], the question and the last [SEP] hold no span, whatever their logits.
        chosen(11, (1, 2), {1: (50, 50), 3: (50, 50), 5: (5, 0), 7: (0, 4), 10: (50, 50)}),
        chosen(11, (4, 4), {4: (0.5, 9), 6: (9, 1)}),  # 9 + 9 would end before it starts
        chosen(9, (-1, 0), {4: (3, 3), 6: (2, 3.5)}),
    )
    found = find(reader, tokens, questions, batch=2)
    assert found == [Found("red old mill", 9 - 3), Found("old", 10 - 8), Found("It was Bo", 6.5 + 1)]
    assert reader.parts == []


def test_the_longest_span_by_hand() -> None:
    first = 3
    for more, expected in ((MAX_SPAN - 1, (first + 1, first + MAX_SPAN, 18)), (MAX_SPAN, (4, 4, 12))):
        given = example(first + MAX_SPAN + 5, first)
        logits = chosen(len(given.ids), (0, 0), {first + 1: (9, 3), first + 1 + more: (0, 9)})
        assert _best(logits.numpy(), given) == expected


def test_scores_of_groups_by_hand() -> None:
    right, other = example(7, 3, (3, 4), (5, 5)), example(6, 3)
    groups = [
        (right, other),  # the second of two places: 3 + 4 - 1
        (other, right),  # right in its passage (6), but the other passage is surer over its own [CLS] (5 + 4)
        (right, other),  # one token too many: 2
        (other, other),  # no answer: 4 at most
        (example(7, 3),),  # no answer: 1
    ]
    reader = Chosen(
        chosen(7, (1, 0), {5: (3, 4)}),
        chosen(6, (5, 5), {3: (7, 8)}),
        chosen(6, (-2, -2), {4: (2, 3)}),
        chosen(7, (0, 0), {5: (3, 3)}),
        chosen(7, (2, 2), {3: (3, 0), 4: (0, 2.5), 5: (0, 3)}),
        chosen(6, (0, 0), {}),
        chosen(6, (0, 0), {3: (2, 2)}),
        chosen(6, (0, 0), {4: (1, 1)}),
        chosen(7, (0, 1), {4: (1, 1)}),
    )
    # Margins 6, 9 and 2 with an answer, 4 and 1 without: of six pairs all but (2, 4) are in order.
    assert evaluate_groups(reader, groups) == {
        "questions": 5,
        "exact": pytest.approx(100 / 3),
        "auroc": pytest.approx(5 / 6),
    }
    alone = evaluate_groups(Chosen(chosen(7, (0, 0), {3: (1, -5), 4: (-5, 1)})), [(right,)])
    assert alone == {"questions": 1, "exact": 100, "auroc": 0.5}


@pytest.mark.slow
def test_the_command_trains_both_phases(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    learnt: list[list[Group]] = []
    prepared = command._groups

    def groups(*asked: object) -> list[Group]:
        learnt.append(prepared(*asked))  # type: ignore[arg-type]
        return learnt[-1]

    monkeypatch.setattr(command, "_groups", groups)
    arguments = ["--data", str(data), "--out", str(out), "--work", str(tmp_path / "work"), "--examples", "6"]
    threads = torch.get_num_threads()
    try:
        assert command.main([*arguments, "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    record = json.loads((out / "reader.json").read_text())
    assert record["recipe"]["phase"] == "b"
    assert record["progress"]["groups"] == len(learnt[1])
    # Phase B starts from phase A's weights, but not from --init's: it reads questions with their own paragraph too.
    assert {len(group) for group in learnt[1]} == {1, 4}
    assert "held_out_retrieved" in record["scores"]
    assert "scores_learnt" not in record  # nothing was averaged
    with safe_open(out / "reader.safetensors", "pt") as file:
        assert len(file.keys()) == 98
        assert file.get_tensor("bert.encoder.layer.5.attention.self.key.weight").dtype == torch.float16


@pytest.mark.slow
def test_the_command_goes_over_all_questions_once_more(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, learnt = command._groups, []

    def groups(*asked: object) -> list[Group]:
        learnt.append(asked[-1])
        return prepared(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_groups", groups)
    arguments = ["--data", str(data), "--out", str(tmp_path), "--work", str(tmp_path / "work"), "--examples", "6"]
    arguments += ["--init", str(model_folder() / "model.safetensors")]
    threads = torch.get_num_threads()
    try:
        assert command.main([*arguments, "--phase", "c", "--bf16", "--threads", "1"]) == 0
    finally:
        torch.set_num_threads(threads)
    record = json.loads((tmp_path / "reader.json").read_text())
    assert record["blend"] == 1.0  # an encoder has no head to average with
    assert learnt == [0]  # nor has it seen any question
    assert "scores" in record
    assert record["recipe"]["phase"] == "c"
    assert record["recipe"]["bf16"] is True
    assert record["progress"]["groups"] > 6


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
    record = json.loads((out / "reader.json").read_text())
    assert record["blend"] == command.BLEND
    assert "scores" not in record  # those of the weights learnt are not those of what is written
    assert record["scores_learnt"] == json.loads((work / "phaseA.json").read_text())["scores"]


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
    assert mean_command.main([str(out), f"{model_folder() / 'model.safetensors'}=1"]) == 2
    assert "an encoder without a head" in capsys.readouterr().err
    write_tensors(two, {name: tensor for name, tensor in load_file(one).items() if ".layer.5." not in name}, {})
    for order in ((one, two), (two, one)):
        assert mean_command.main([str(out), *(f"{path}=1" for path in order)]) == 2
        assert "different depths" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argument",
    [
        "--minutes=0",
        "--minutes=-1",
        "--minutes=nan",
        "--minutes=x",
        "--examples=0",
        "--learnt=-1",
        "--threads=0",
        "--seed=99999999999999999999",
    ],
)
def test_numbers_out_of_range_are_refused(argument: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), argument])
    assert stopped.value.code == 2
    assert f"argument {argument.partition('=')[0]}: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_used_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    places = {"--out": str(tmp_path / "out"), "--work": str(tmp_path / "work"), "--data": str(tmp_path)}
    for changed, said in (
        ({"--out": str(tmp_path / "file")}, "cannot be made a folder"),
        ({"--work": str(tmp_path / "file" / "x")}, "cannot be made a folder"),
        ({"--measure": str(tmp_path / "none")}, "no such folder"),
    ):
        assert command.main([word for pair in (places | changed).items() for word in pair]) == 2
        assert said in capsys.readouterr().err


def test_missing_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path), "--out", str(tmp_path), "--work", str(tmp_path)]) == 2
    assert "squad11_train" in capsys.readouterr().err


def test_missing_weights_are_one_sentence_before_the_work(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("prepared")

    monkeypatch.setattr(command, "_groups", never)
    absent = tmp_path / "absent.safetensors"
    threads = torch.get_num_threads()
    try:
        asked = ["--data", str(data), "--out", str(tmp_path), "--work", str(tmp_path), "--init", str(absent)]
        assert command.main(asked) == 2
    finally:
        torch.set_num_threads(threads)
    assert f"{absent}: no such file; give the weights of a reader" in capsys.readouterr().err
