"""What a peer's answers are worth, by hand."""

from pathlib import Path
from types import ModuleType

import pytest

from eval.peers import haystack, txtai
from eval.peers.answers import Ask, Found, citespan, compare, figures
from eval.questions import Question

QUESTIONS = [
    Question("a", "Who came?", ("Ann Lee",), ("x",)),
    Question("b", "Who left?", ("Bo",), ("x",)),
    Question("c", "Who stayed?", ("Cy",), ("y",)),
    Question("d", "Who sang?", (), (), answerable=False),
]
ANSWERS = {
    "Who came?": Found("Ann", "x", 0.4),
    "Who left?": Found("Bo", "z", 0.2),
    "Who stayed?": None,
    "Who sang?": Found("Di", "x", 0.3),
}


def test_figures_by_hand() -> None:
    found = figures(QUESTIONS, ANSWERS.get)
    assert found.pop("p50_ms") >= 0
    # F1 of "Ann" for "Ann Lee" is 2/3; of the three scores .4, .2 and none one is above .3.
    assert found == pytest.approx({"n": 4, "EM": 1 / 3, "F1": (2 / 3 + 1) / 3, "document": 1 / 3, "AUROC": 1 / 3})


def test_without_unanswerable_questions_nothing_is_told_apart() -> None:
    assert "AUROC" not in figures(QUESTIONS[:3], ANSWERS.get)


def test_citespan_gives_its_best_words_refused_or_not(root: Path) -> None:
    ask = citespan(root)
    sure, unsure = ask("How much did the repair of the mill cost?"), ask("Who is the king of Norway?")
    assert sure is not None
    assert unsure is not None
    assert sure.words == "$3.5 million"
    assert sure.doc_id.endswith("mill.txt") or sure.doc_id.startswith("wire.jsonl")
    assert sure.score > 0.5 > unsure.score


def never(*_: object) -> Ask:
    raise AssertionError


def test_a_peer_that_is_not_installed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        compare("haystack", ("sys", "no_such_peer"), never, ["eval/sets/sample.jsonl", "--corpus", "rag/sample"]) == 2
    )
    assert capsys.readouterr().err.endswith("install it first, as eval/peers/haystack.py says\n")


@pytest.mark.parametrize("peer", [haystack, txtai])
def test_what_to_install_is_said(peer: ModuleType) -> None:
    assert "``pip install " in str(peer.__doc__)
    assert peer.NEEDS[0] == peer.__name__.rpartition(".")[2]


def test_a_set_without_articles_needs_a_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("sys", ("sys",), never, ["eval/sets/sample.jsonl"]) == 2
    assert "--corpus PATH" in capsys.readouterr().err
