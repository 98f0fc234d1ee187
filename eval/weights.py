"""The weight of hybrid retrieval, chosen by leaving one set out: ``python -m eval.weights DATA_DIR [--json]``.

DATA_DIR holds the eight BEIR folders named in ``SETS``. For each of them the weight is the one whose macro nDCG@10
over the other seven is best, and the set is then measured with it: no set has a say in its own weight. The weight that
``index.fusion`` serves with is the one chosen over all eight. What is ranked are documents, each by its best passage,
with the splitter, tokens, encoder and fusion that answer questions; of realtimeqa_2022 it is the quiz's own evidence
(``evidence_corpus.jsonl``), the one of its corpora in which every judgement is a human's and none is missing.

Vectors are kept in the user's cache by the hash of their text, so that a second run encodes nothing.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from eval.metrics import mean, ndcg, paired_bootstrap
from eval.questions import load_set
from index.build import retrieval_text
from index.dense import Dense
from index.embed import Encoder, load_encoder
from index.errors import RagError
from index.fusion import DEPTH, candidates, scaled_combination
from index.minilm import token_counts
from index.passage import Document
from index.sparse import Sparse
from index.split import split
from index.tokens import tokenize

SETS = (
    "cranfield",
    "cisi",
    "cacm",
    "fnc1_test",
    "financial_qa_10k",
    "trecqa_dev",
    "wikiqa_test",
    "realtimeqa_2022/qrels/evidence.tsv",
)
WEIGHTS = tuple(round(0.3 + 0.05 * step, 2) for step in range(11))
CUTOFF = 10
_BATCH = 2048  # texts encoded between two writes of the cache


@dataclass(frozen=True, slots=True)
class Measured:
    """nDCG@10 of every query of one set, in the set's order: of either arm alone and of each weight."""

    name: str
    sparse: list[float]
    dense: list[float]
    fused: Mapping[float, list[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One set's line: mean nDCG@10 of each, and what fusion gains over the better arm with its 95 % interval.

    The interval is of the paired bootstrap over queries; all figures but ``weight`` and ``queries`` are
    points, 0..100.
    """

    name: str
    queries: int
    weight: float
    sparse: float
    dense: float
    fused: float
    gain: float
    lower: float
    upper: float


def choose(measured: Sequence[Measured]) -> float:
    """The weight with the best macro mean over the sets; of equal ones the lowest. Needs one set."""
    weights = sorted(measured[0].fused)
    return max(weights, key=lambda weight: (mean([mean(one.fused[weight]) for one in measured]), -weight))


def leave_one_out(measured: Sequence[Measured]) -> list[Row]:
    """Each set measured with the weight chosen on all the others; needs two sets."""
    rows = []
    for one in measured:
        weight = choose([other for other in measured if other is not one])
        fused, better = one.fused[weight], max((one.sparse, one.dense), key=mean)
        gain, lower, upper = paired_bootstrap(fused, better)
        points = [100 * value for value in (mean(one.sparse), mean(one.dense), mean(fused), gain, lower, upper)]
        rows.append(Row(one.name, len(fused), weight, *points))
    return rows


def measure(
    name: str,
    documents: Sequence[Document],
    queries: Sequence[tuple[str, Mapping[str, int]]],
    encoder: Encoder,
    cache: Path,
) -> Measured:
    """Index ``documents`` in memory; ask ``queries`` (text, relevance by doc_id) of either arm and of each weight."""
    passages = [(document, passage) for document in documents for passage in split(document, token_counts)]
    texts = [retrieval_text(document, passage) for document, passage in passages]
    owners = [document.doc_id for document, _ in passages]
    sparse = Sparse.build([tokenize(text) for text in texts])
    dense = Dense(encode(texts, encoder, cache))
    vectors = encode([text for text, _ in queries], encoder, cache)
    alone: tuple[list[float], list[float]] = [], []
    fused: dict[float, list[float]] = {weight: [] for weight in WEIGHTS}

    def score(rows: NDArray[np.int64], gold: Mapping[str, int]) -> float:
        # dict.fromkeys: a document stands where its best passage does
        return ndcg(list(dict.fromkeys(owners[row] for row in rows)), gold, CUTOFF)

    for (text, gold), vector in zip(queries, vectors, strict=True):
        tokens = tokenize(text)
        alone[0].append(score(sparse.search(tokens, DEPTH)[0], gold))
        alone[1].append(score(dense.search(vector, DEPTH)[0], gold))
        found = candidates(sparse, dense, tokens, vector)
        for weight, values in fused.items():
            values.append(score(scaled_combination(found, weight, DEPTH)[0], gold))
    return Measured(name, *alone, fused)


def encode(texts: Sequence[str], encoder: Encoder, cache: Path) -> NDArray[np.float32]:
    """The vectors of ``texts``, float32 (n, dim): those that ``cache`` holds, and the rest encoded and added to it.

    ``cache`` holds a folder an encoder, of ``.npz`` files with the hashes and vectors of some texts each, that nobody
    else writes.
    """
    folder = cache / hashlib.sha256(encoder.identity.encode()).hexdigest()[:16]
    names = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32] for text in texts]
    known = _read(folder, encoder.dim)
    missing = list(dict.fromkeys(name for name in names if name not in known))
    by_name = dict(zip(names, texts, strict=True))
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        print(f"encoding {start + len(batch)} of {len(missing)} texts", file=sys.stderr)
        vectors = encoder.encode_passages([by_name[name] for name in batch])
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{batch[0]}.npz", names=np.array(batch), vectors=vectors)
        known |= dict(zip(batch, vectors, strict=True))
    return np.array([known[name] for name in names], np.float32).reshape(len(names), encoder.dim)


def _read(folder: Path, dim: int) -> dict[str, NDArray[np.float32]]:
    known: dict[str, NDArray[np.float32]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            names, vectors = stored["names"], stored["vectors"]
        if vectors.shape == (len(names), dim):
            known |= dict(zip(names.tolist(), vectors, strict=True))
    return known


def _measure_all(data: Path, cache: Path) -> list[Measured]:
    encoder = load_encoder(None)
    measured = []
    for place in SETS:
        loaded = load_set(data / place)
        queries = [(question.question, question.gold) for question in loaded.questions]
        print(f"{loaded.name}: {len(loaded.corpus or ())} documents, {len(queries)} queries", file=sys.stderr)
        measured.append(measure(loaded.name, loaded.corpus or (), queries, encoder, cache))
    return measured


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table or, with ``--json``, one object; 0, or 2 and a sentence on stderr when a set cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.weights", description="Choose the weight of hybrid retrieval."
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="the folder that holds the eight BEIR folders")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    try:
        measured = _measure_all(arguments.data, user_cache_path("citespan-weights", appauthor=False))
    except RagError as error:
        print(error, file=sys.stderr)
        return 2
    rows, weight = leave_one_out(measured), choose(measured)
    better, fused = mean([max(row.sparse, row.dense) for row in rows]), mean([row.fused for row in rows])
    by_weight = {str(w): 100 * mean([mean(one.fused[w]) for one in measured]) for w in WEIGHTS}
    below = [row.name for row in rows if row.upper < 0]
    if arguments.json:
        macro = {"better_arm": better, "fused": fused, "by_weight": by_weight}
        print(json.dumps({"weight": weight, "macro": macro, "below": below, "sets": [asdict(row) for row in rows]}))
    else:
        print(_table(rows, weight, better, fused, below))
    return 0


def _table(rows: Sequence[Row], weight: float, better: float, fused: float, below: Sequence[str]) -> str:
    lines = [
        f"{'nDCG@10':<26}{'queries':>8}{'sparse':>8}{'dense':>8}{'weight':>8}{'fused':>8}{'gain':>8}  95 % interval"
    ]
    for row in rows:
        lines.append(
            f"{row.name:<26}{row.queries:>8}{row.sparse:>8.2f}{row.dense:>8.2f}{row.weight:>8.2f}{row.fused:>8.2f}"
            f"{row.gain:>+8.2f}  {row.lower:+.2f} .. {row.upper:+.2f}"
        )
    lines.append(f"macro: better arm {better:.2f}, fused {fused:.2f}, gain {fused - better:+.2f}")
    lines.append(f"below their better arm: {', '.join(below) or 'none'}")
    lines.append(f"weight over all sets: {weight:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
