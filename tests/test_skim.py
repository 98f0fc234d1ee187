"""Which passages are read on after half of the layers: by hand, and in the reader that ships."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from index.errors import ModelError
from rag import minireader, skim
from rag.minireader import MiniReader
from rag.skim import LEAST, LIMIT, Skim, promising
from rag.spans import Floats, SpanReader, Window
from tests.test_spans import Given, hit


def test_those_that_promise_little_are_left_but_never_the_best() -> None:
    assert (LIMIT, LEAST) == (-8, 2)
    assert promising([-9, 3, -8, -8.01, 0]) == [1, 2, 4]
    assert promising([-9, -12, -8.5, -10]) == [0, 2]
    assert promising([-9, 5, -8.5]) == [1, 2]
    assert promising([-20]) == [0]
    assert promising([-9, -9, -9]) == [0, 1]  # ties: the first, as the retriever has them
    assert promising([]) == []


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


def test_who_reads_depends_on_both_files() -> None:
    assert minireader.SHA256[:16] in minireader.IDENTITY
    assert skim.SHA256[:8] in minireader.IDENTITY
