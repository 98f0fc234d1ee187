"""Scores -> a probability, and the decision to answer or not.

Fused scores order passages within one query, and nothing but that order is part of a confidence (``place``, and a whole
sentence's score). What feeds it are signals that compare between questions (cosine, share of the query's idf mass
matched, the reader's margin, agreement between passages, and between the reader and the retriever's order). Their
logistic combination (Platt, "Probabilistic outputs for support vector machines", 1999) was fitted on questions that the
weights never saw, by ``eval.calibration``; the coefficients stand in
``rag/models/calibration.json`` and, for readers that do not ship, in the user's data folder.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from index.errors import ModelError
from index.passage import Hit
from index.user import user_folder
from rag.evidence import Group
from rag.reader import Reader

FILE = "models/calibration.json"
NEAR = 0.5
"""Of cosine and idf matched, what at least one passage must reach to be near a question."""


def features(groups: Sequence[Group], which: int) -> dict[str, float]:
    """What is known of the candidate ``groups[which]``, by name; ``groups`` are all of the question, best first.

    The signals of its best span and of that span's passage, the best signals of any passage of the question, and of its
    mass (see ``rag.evidence``): the logarithm of its share in all, and its lead over the best other candidate. And how
    many passages the retriever put before the first that says it, negative: 0 where reader and retriever agree.
    """
    group = groups[which]
    best = group.spans[0]
    hits = {span.hit.passage.passage_id: span.hit for other in groups for span in other.spans}.values()
    first = max(span.hit.score for span in group.spans)
    rival = next((other.mass for at, other in enumerate(groups) if at != which), group.mass)
    top = max(other.mass for other in groups)
    total = top + math.log(sum(math.exp(other.mass - top) for other in groups))
    return {
        **best.hit.parts,
        **best.signals,
        **{f"top_{name}": max(hit.parts[name] for hit in hits) for name in ("cosine", "bm25_share", "idf_matched")},
        "share": group.mass - total,
        "lead": group.mass - rival,
        "sources": math.log(group.distinct),
        "place": -float(sum(hit.score > first for hit in hits)),
        "passages": math.log(len({span.hit.passage.passage_id for span in group.spans})),
    }


@dataclass(frozen=True, slots=True)
class Calibration:
    """``weights`` by feature name and ``bias`` of the logistic combination, and the one ``threshold`` for answering."""

    weights: Mapping[str, float]
    bias: float
    threshold: float

    @classmethod
    def of(cls, reader: Reader) -> "Calibration":
        """The calibration fitted for this reader; ModelError when there is none."""
        table = json.loads(resources.files("rag").joinpath(FILE).read_text("utf-8"))
        try:
            # Who asks with what ships needs no home folder.
            if reader.identity not in table and (own := own_file()).is_file():
                table = json.loads(own.read_text("utf-8"))
            entry = table.get(reader.identity)
            if entry is not None:
                weights = {str(name): float(weight) for name, weight in entry["weights"].items()}
                bias, threshold = float(entry["bias"]), float(entry["threshold"])
                if not all(map(math.isfinite, (*weights.values(), bias, threshold))):
                    raise ValueError("a weight that is no number")
                return cls(weights, bias, threshold)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ModelError(f"{own_file()}: no calibration can be read from it; remove it and fit anew") from None
        raise ModelError(
            f"no confidence was fitted for the reader {reader.name!r}, and none is shown without: fit it once with "
            f"`python -m eval.calibration SQUAD.json --reader {reader.name} --write`, or leave --reader out"
        )

    def confidence(self, groups: Sequence[Group], which: int) -> float:
        """The probability in [0, 1] that the wording of ``groups[which]`` answers the question."""
        return round(self.probability(features(groups, which)), 4)

    def probability(self, known: Mapping[str, float]) -> float:
        """The logistic combination of these features, unrounded."""
        try:
            z = self.bias + sum(weight * known[name] for name, weight in self.weights.items())
        except KeyError as error:
            raise ModelError(
                f"{own_file()}: a confidence was fitted on {error}, which is no signal: fit it anew"
            ) from None
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))


def own_file() -> Path:
    """Where the calibrations of readers that do not ship are kept."""
    return user_folder("data") / "calibration.json"


def reason(hits: Sequence[Hit]) -> str:
    """Why a question was refused: ``not_found`` when no passage comes near by meaning or by words, else ``weak``."""
    near = max(max(hit.parts["idf_matched"], hit.parts["cosine"]) for hit in hits)
    return "not_found" if near < NEAR else "weak"
