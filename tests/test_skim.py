"""Which passages are read on after half of the layers: by hand, and in the reader that ships."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index.errors import ModelError
from rag import minireader, skim
from rag.minireader import MiniReader, _holds
from rag.skim import BEHIND, LEAST, LIMIT, Skim, foremost, more
from rag.spans import Floats, SpanReader, Window
from tests.test_spans import Given, hit


def test_the_most_promising_are_read_first() -> None:
    assert LEAST == 2
    assert foremost([-9, 3, -8, -8.01, 0]) == [1, 4]
    assert foremost([-9, -12, -8.5, -10]) == [0, 2]
    assert foremost([-20]) == [0]
    assert foremost([-9, -9, -9]) == [0, 1]  # ties: the first, as the retriever has them
    assert foremost([]) == []


def test_others_are_read_on_that_promise_enough_and_are_not_far_behind_what_was_found() -> None:
    assert (LIMIT, BEHIND) == (-8, 12)
    none = [False] * 5
    assert more([-9, 3, -8, -8.01, 0], -2, none) == [2]
    assert more([-9, 3, -8, -8.01, 0], 4, none) == [2]
    assert more([-9, 3, -8, -8.01, 0], 4.1, none) == []
    assert more([-7, 3, -2, 2, 1], 9.5, none) == [2, 4]
    assert more([-7, 3, -2, 2, 1], 30, none) == []
    # What holds the words found may support them, but not where it promises nothing.
    assert more([-7, 3, -2, 2, 1], 30, [True, True, False, True, False]) == [0]
    assert more([-9, 3, -8, -8.01, 0], 30, [True] * 5) == [2]
    assert more([-7, 3], 3, [True] * 2) == []


def test_words_are_found_as_one_run_of_tokens() -> None:
    ids = np.array([5, 7, 7, 8, 9])
    for words, held in (([7, 8], True), ([5], True), ([7, 9], False), ([5, 7, 7, 8, 9], True), ([9, 5], False)):
        assert _holds(ids, np.array(words)) == held
    assert not _holds(ids, np.array([5, 7, 7, 8, 9, 9]))
    assert not _holds(ids, ids[:0])
    assert not _holds(ids[:0], ids)


def test_a_forecast_by_hand() -> None:
    """Two queries over three tokens of two numbers each, and one inner unit that counts and one that does not."""
    hidden = np.array([[1, 0], [7, 7], [0, 2], [3, 1], [9, 9]], np.float32)  # [CLS], question, two tokens, [SEP]
    tensors = {
        "pool.weight": np.array([[1, 0], [0, 1], [1, 1], [0, 2]]),
        "pool.bias": np.array([0.5, 0, 0, 1]),
        "inner.weight": np.array([[1, 2, 3, 4], [-1, -1, -1, -1]]),
        "inner.bias": np.array([0.25, 0]),
        "outer.weight": np.array([[2, 100]]),
        "outer.bias": np.array([-1]),
    }
    rows = [(1, 0), (0, 2), (3, 1)]
    first = [math.exp(x + 0.5) for x, _ in rows]
    second = [math.exp(y) for _, y in rows]
    means = (
        sum(share * (x + y) for share, (x, y) in zip(first, rows, strict=True)) / sum(first),
        sum(share * (2 * y + 1) for share, (_, y) in zip(second, rows, strict=True)) / sum(second),
    )
    expected = 2 * (1 * 1 + 2 * 0 + 3 * means[0] + 4 * means[1] + 0.25) - 1
    assert Skim(tensors).foretell(hidden, 2) == pytest.approx(expected, rel=1e-6)


QUESTION = "Who built the water mill?"
TEXTS = [
    "The water mill was built by Jane Ash in 1862.",
    "Oats and barley fell in price on Monday.",
    "The ferry leaves every twenty minutes.",
    "Ms Ash built the water mill herself, her daughter said.",
]


@pytest.fixture(scope="module")
def skims() -> MiniReader:
    return MiniReader()


def test_what_promises_an_answer_is_read_as_if_all_were(skims: MiniReader) -> None:
    windows = skims.windows(QUESTION, TEXTS)
    whole = MiniReader(skims=False).logits(windows)
    some = skims.logits(windows)
    assert [logits is None for logits in some] == [False, True, True, False]
    for one, other in zip(some, whole, strict=True):
        assert other is not None
        if one is not None:
            np.testing.assert_array_equal(one, other)
    assert skims.logits([]) == []


def test_of_those_far_behind_only_what_holds_the_words_found_is_read_on(skims: MiniReader) -> None:
    texts = [*TEXTS, "A mill was built in 1862 on the river.", "Jane Ash spoke at the mill.", "Jane Ash sold her oats."]
    texts.append("Jane Stone spoke at the mill.")  # not the whole name
    read = [logits is not None for logits in skims.logits(skims.windows(QUESTION, texts))]
    assert read == [True, False, False, True, False, True, False, False]  # "oats" promises nothing at all


def test_a_text_without_words_is_no_trouble(skims: MiniReader) -> None:
    assert [logits is None for logits in skims.logits(skims.windows(QUESTION, ["", "\u200b"]))] == [False, False]
    assert [logits is None for logits in skims.logits(skims.windows(QUESTION, ["", TEXTS[1], TEXTS[0]]))][2] is False


def test_the_committed_graph_is_what_the_generator_writes() -> None:
    graph = pytest.importorskip("rag.training.graph")
    assert Path(skim.__file__).with_name("models").joinpath("skim.onnx").read_bytes() == graph.serialised()


def test_no_span_comes_from_what_is_left_half_read() -> None:
    class HalfRead(Given):
        def logits(self, windows: Sequence[Window]) -> list[Floats | None]:  # type: ignore[override]
            return [
                logits if "mill" in self.words[id(w)] else None
                for w, logits in zip(windows, super().logits(windows), strict=True)
            ]

    spans = SpanReader(HalfRead({"red": (9, 9), "mill": (1, 1)}), "half").read(
        "q", [hit("red oats"), hit("a mill", row=1)]
    )
    assert {span.hit.passage.passage_id for span in spans} == {1}


@pytest.mark.parametrize("file", ["FILE", "skim"])
def test_altered_weights_are_refused(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*((skim, "SHA256", "0" * 64) if file == "skim" else (minireader, "SHA256", "0" * 64)))
    with pytest.raises(ModelError, match="are not the published ones"):
        MiniReader()


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skim, "FILE", "models/none.safetensors")
    with pytest.raises(ModelError, match=r"rag/models/none\.safetensors are missing"):
        MiniReader()


def test_who_reads_depends_on_both_files_and_on_what_is_read_on() -> None:
    assert minireader.SHA256[:16] in minireader.IDENTITY
    assert skim.IDENTITY in minireader.IDENTITY
    assert f"{skim.SHA256[:8]}-8-12" == skim.IDENTITY
