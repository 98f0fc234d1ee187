"""What was run, so that two runs can be told to be comparable: set, corpus, models, settings."""

import hashlib
import json
from dataclasses import asdict

from eval.asked import Asked
from eval.questions import QuestionSet

EQUAL = ("set", "corpus")
"""The parts that two runs must share to be compared: the same questions, asked in the same mode, of the same articles.

That models and settings differ is the point of a comparison. So the corpus is told by its files, not by the text that
the loaders made of them: a change to these is one of those to be judged.
"""


def fingerprint(question_set: QuestionSet, pipeline: Asked, mode: str, k: int) -> dict[str, dict[str, object]]:
    """Four flat objects: ``set`` (hash, how many were asked, mode), ``corpus`` (how many documents, hash over ids and
    files; over ids and texts, where a set brings its own), ``models`` (encoder, reader and calibration as they name
    themselves) and ``settings``.
    """
    digest = hashlib.sha256()
    doc_ids = sorted(pipeline.index.doc_ids)
    for doc_id in doc_ids:
        document = pipeline.index.document(doc_id)
        digest.update(json.dumps([doc_id, document.source_sha256 or document.sha256]).encode())
    asked = {"sha256": question_set.sha256, "questions": len(question_set.questions), "mode": mode}
    corpus: dict[str, object] = {"documents": len(doc_ids), "sha256": digest.hexdigest()}
    models, settings = _of(pipeline)
    return {"set": asked, "corpus": corpus, "models": models, "settings": {**settings, "k": k}}


def _of(pipeline: object) -> tuple[dict[str, object], dict[str, object]]:
    from index.fusion import DEPTH, WEIGHT
    from index.search import Index
    from rag import __version__
    from rag.copies import COPIES, FOUND, READ
    from rag.evidence import FLOOR
    from rag.pipeline import Pipeline

    settings: dict[str, object] = {"version": __version__, "read": READ, "depth": DEPTH, "weight": WEIGHT}
    settings |= {"found": FOUND, "copies": COPIES, "floor": FLOOR}
    if not isinstance(pipeline, Pipeline):
        return {"pipeline": type(pipeline).__name__}, settings
    fitted = json.dumps(asdict(pipeline.calibration), sort_keys=True)
    models: dict[str, object] = {
        "reader": pipeline.reader.identity,
        "calibration": hashlib.sha256(fitted.encode()).hexdigest()[:16],
    }
    index: object = pipeline.index
    if isinstance(index, Index):
        manifest = index.generation.manifest
        models = {"encoder": index.encoder.identity, **models}
        settings |= {"recipe": manifest["recipe"], "budget": manifest.get("budget", 0)}
    return models, settings
