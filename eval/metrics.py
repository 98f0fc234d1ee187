"""Every metric by name, from the file that defines it: rankings, spans, confidence, samples. Sources stand there."""

from eval.confidence import (
    aurc,
    auroc,
    auroc_error,
    brier,
    brier_skill,
    coverage_at_precision,
    ece,
    ece_by_chance,
    risk_coverage,
)
from eval.ranking import average_precision, ndcg, recall, reciprocal_rank
from eval.samples import bootstrap_error, mean, paired_bootstrap, percentile, standard_error
from eval.spans import (
    answer_scores,
    citation_precision,
    citation_recall,
    cited_right,
    exact_match,
    f1,
    holds,
    list_exact,
    list_f1,
    plain,
    sentence_hit,
)
from rag.normal import normalise

__all__ = [
    "answer_scores",
    "aurc",
    "auroc",
    "auroc_error",
    "average_precision",
    "bootstrap_error",
    "brier",
    "brier_skill",
    "citation_precision",
    "citation_recall",
    "cited_right",
    "coverage_at_precision",
    "ece",
    "ece_by_chance",
    "exact_match",
    "f1",
    "holds",
    "list_exact",
    "list_f1",
    "mean",
    "ndcg",
    "normalise",
    "paired_bootstrap",
    "percentile",
    "plain",
    "recall",
    "reciprocal_rank",
    "risk_coverage",
    "sentence_hit",
    "standard_error",
]
