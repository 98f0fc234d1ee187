"""The choice of the fusion weight, by hand, and what it measures, against ir_measures."""

import json

import ir_measures
import numpy as np
import pytest

from eval import weights
from eval.weights import Measured, choose, encode, leave_one_out, measure
from index.passage import Document


class Letters:
    """An encoder that counts letters: small, exact, and it remembers how many texts it was asked for."""

    name = identity = "letters"
    dim = 26

    def __init__(self):
        self.asked = 0

    def encode_passages(self, texts, progress=None):
        self.asked += len(texts)
        counts = np.array([[1 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def encode_query(self, text):
        return self.encode_passages([text])[0]


def measured(name, sparse, dense, low, high):
    return Measured(name, sparse, dense, {0.3: low, 0.8: high})


def test_the_weight_is_that_of_the_other_sets():
    # 0.8 is best for a (means .9 against .1), 0.3 for b and c (.6 against .5), by less
    a = measured("a", [0.5, 0.5], [0.2, 0.4], [0.1, 0.1], [0.9, 0.9])
    b = measured("b", [0.4], [0.7], [0.6], [0.5])
    c = measured("c", [0.4], [0.7], [0.6], [0.5])
    assert choose([a, b, c]) == 0.8
    assert choose([b, c]) == 0.3
    rows = {row.name: row for row in leave_one_out([a, b, c])}
    assert [rows[name].weight for name in "abc"] == [0.3, 0.8, 0.8]
    # a with 0.3: 10 points against its better arm's 50; both queries lose the same, so the interval is one point
    assert (rows["a"].sparse, rows["a"].dense, rows["a"].fused) == pytest.approx((50, 30, 10))
    assert (rows["a"].gain, rows["a"].lower, rows["a"].upper) == pytest.approx((-40, -40, -40))
    assert rows["b"].gain == pytest.approx(-20)


def test_macro_means_weigh_sets_alike_and_ties_take_the_lowest_weight():
    # over queries 0.8 would win (one set has four); over sets 0.3 does
    long = measured("long", [0] * 4, [0] * 4, [0.5] * 4, [0.6] * 4)
    short = measured("short", [0], [0], [0.9], [0.7])
    assert choose([long, short]) == 0.3
    assert choose([measured("tie", [0], [0], [0.5], [0.5])]) == 0.3


DOCUMENTS = [
    Document("oil", "Oil rose. The price of oil went up again in March, for the third time.", title="Markets"),
    Document("war", "The war went on. No talks were held."),
    Document("bank", "A bank failed in March. The price of its shares fell to zero."),
    Document("vote", "Voters chose a mayor in March."),
    # two passages, the second about oil: a document counts once, where its best passage stands
    Document("long", " ".join(f"Nothing of note happened on day {n} of the trip." for n in range(30)) + " Oil leaked."),
]
QUERIES = [
    ("price of oil", {"oil": 3, "bank": 1}),
    ("talks about the war", {"war": 2, "vote": 0}),
    ("what fell in March", {"bank": 1, "vote": 1, "oil": -1}),
    ("oil leak on a trip", {"long": 1}),
    ("zebra", {"vote": 1}),
]


def test_ndcg_of_the_arms_is_that_of_ir_measures(tmp_path, monkeypatch):
    rankings = []
    original = weights.ndcg

    def noted(ranking, gold, k):
        rankings.append((list(ranking), gold, original(ranking, gold, k)))
        return rankings[-1][2]

    monkeypatch.setattr(weights, "ndcg", noted)
    result = measure("m", DOCUMENTS, QUERIES, Letters(), tmp_path)
    assert len(result.sparse) == len(result.dense) == len(QUERIES)
    assert set(result.fused) == set(weights.WEIGHTS)
    assert all(len(values) == len(QUERIES) for values in result.fused.values())
    assert len(rankings) == len(QUERIES) * (2 + len(weights.WEIGHTS))
    qrels = {str(i): dict(gold) for i, (_, gold, _) in enumerate(rankings)}
    run = {str(i): {doc: -float(rank) for rank, doc in enumerate(found)} for i, (found, _, _) in enumerate(rankings)}
    theirs = {m.query_id: m.value for m in ir_measures.iter_calc([ir_measures.nDCG @ 10], qrels, run)}
    for i, (found, _, ours) in enumerate(rankings):
        assert len(found) == len(set(found))
        assert ours == pytest.approx(theirs[str(i)], abs=1e-12)
    # oil, long, bank: (3 + 1 / log2 4) / (3 + 1 / log2 3)
    assert result.sparse[0] == pytest.approx(3.5 / (3 + 1 / np.log2(3)))
    assert result.sparse[3] == 1.0
    assert result.sparse[4] == 0.0  # no word of it stands anywhere: nothing found counts 0


def test_vectors_are_encoded_once(tmp_path):
    encoder = Letters()
    first = encode(["abc", "b", "abc", ""], encoder, tmp_path)
    assert encoder.asked == 3
    again = encode(["b", "new", "abc"], encoder, tmp_path)
    assert encoder.asked == 4
    assert np.array_equal(again[[0, 2]], first[[1, 0]])
    assert (first.dtype, first.shape) == (np.float32, (4, 26))
    assert encode([], encoder, tmp_path).shape == (0, 26)


def write_set(folder, documents, queries):
    (folder / "qrels").mkdir(parents=True)
    corpus = [json.dumps({"_id": d.doc_id, "title": d.title or "", "text": d.text}) for d in documents]
    (folder / "corpus.jsonl").write_text("\n".join(corpus))
    (folder / "evidence_corpus.jsonl").write_text("\n".join(corpus))
    asked = [json.dumps({"_id": f"q{i}", "text": text}) for i, (text, _) in enumerate(queries)]
    (folder / "queries.jsonl").write_text("\n".join(asked))
    judged = [f"q{i}\t{doc}\t{grade}" for i, (_, gold) in enumerate(queries) for doc, grade in gold.items()]
    for name in ("test", "evidence"):
        (folder / "qrels" / f"{name}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))


def test_the_command_prints_every_set_and_the_choice(tmp_path, monkeypatch, capsys):
    for place in weights.SETS:
        write_set(tmp_path / "data" / place.split("/")[0], DOCUMENTS, QUERIES)
    monkeypatch.setattr(weights, "load_encoder", lambda model: Letters())
    monkeypatch.setattr(weights, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    assert weights.main([str(tmp_path / "data")]) == 0
    printed = capsys.readouterr().out
    assert all(place.split("/")[0] in printed for place in weights.SETS)
    assert "macro: better arm" in printed
    assert weights.main([str(tmp_path / "data"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weight"] in weights.WEIGHTS
    assert len(report["sets"]) == 8
    assert report["macro"]["fused"] == pytest.approx(np.mean([row["fused"] for row in report["sets"]]))


def test_a_missing_set_is_one_sentence_and_exit_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "load_encoder", lambda model: Letters())
    assert weights.main([str(tmp_path)]) == 2
    assert "cranfield" in capsys.readouterr().err
