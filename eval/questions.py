"""Question sets: what is asked, what is a right answer, and where it stands.

Three formats are read by ``load_set``:

- an own set, JSON lines (``.jsonl``): one question a line with ``id``, ``question``, ``answers``, ``documents``,
  ``kind``, ``answerable`` and, if every listed span is wanted, ``"multi": true``; asked of an index that stands
  elsewhere;
- SQuAD 1.1 or 2.0 (``.json``): https://rajpurkar.github.io/SQuAD-explorer/; each paragraph becomes a document;
- a BEIR folder (``corpus.jsonl``, ``queries.jsonl``, ``qrels/test.tsv``), or the path of another of its
  ``qrels/*.tsv``: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset.

A leading byte order mark, CRLF and blank lines are accepted, unknown fields ignored. Everything else that is not as it
should be is an ``InputError`` of one sentence with file, line and field.
"""

import hashlib
import random
import re
import urllib.parse
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval.records import Record, complaint, lines, read_json, records
from index.errors import InputError
from index.passage import Document


@dataclass(frozen=True, slots=True)
class Question:
    """One question and what counts as a right answer.

    ``answers`` are the accepted strings: alternatives, or with ``multi`` all wanted; () where the corpus holds none or
    (BEIR) where nobody wrote one down. ``documents`` are the doc_ids that hold an answer, ``gold`` the judgements a
    ranking is scored by (doc_id -> relevance, above 0 is relevant); an unanswerable SQuAD question keeps the paragraph
    it was asked of in ``gold``, not in ``documents``. ``places`` runs along ``answers``: the document and where in it
    the answer begins, in code points, -1 if unknown; () when the format has none. ``line`` is the line of the file
    (1-based), 0 when a line says nothing.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    kind: str = ""
    answerable: bool = True
    gold: Mapping[str, int] = field(default_factory=dict)
    multi: bool = False
    places: tuple[tuple[str, int], ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions in the file's order. ``corpus`` is None when they are asked of an index that stands elsewhere.

    ``sha256`` is that of the file; for a BEIR folder that of the three files' hashes, in the order corpus, queries,
    qrels. ``files`` are what was read, so that nothing is written over them.
    """

    name: str
    path: Path
    questions: tuple[Question, ...]
    corpus: tuple[Document, ...] | None
    sha256: str
    files: tuple[Path, ...] = ()


def load_set(path: Path) -> QuestionSet:
    """Read a question set, its format told by its name (see the module's text). Raises InputError."""
    if path.is_dir():
        return _load_beir(path / "qrels" / "test.tsv")
    loaders = {".jsonl": _load_own, ".json": _load_squad, ".tsv": _load_beir}
    loader = loaders.get(path.suffix.lower())
    if loader is None or not path.exists():
        problem = "there is no such file or folder" if loader else "the name tells no format"
        known = "a question set (.jsonl), a SQuAD file (.json), a BEIR folder or one of its qrels (.tsv)"
        raise InputError(f"{path}: {problem}; give {known}.")
    return loader(path)


def drawn(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """``count`` of the questions (all, where there are fewer), in an order drawn by ``seed``."""
    order = list(questions)
    random.Random(seed).shuffle(order)  # noqa: S311
    return order[:count]


def check_documents(question_set: QuestionSet, doc_ids: Collection[str]) -> None:
    """Raise InputError at the first question whose ``documents`` name one that ``doc_ids`` lacks."""
    known = set(doc_ids)
    for question in question_set.questions:
        for doc_id in question.documents:
            if doc_id not in known:
                where = f"line {question.line}, field 'documents'" if question.line else f"question {question.id!r}"
                problem = f"the index holds no document {doc_id!r}; index the folder the set is about"
                raise complaint(question_set.path, where, problem)


# -- own sets ----------------------------------------------------------------------------------------------------------


def _load_own(path: Path) -> QuestionSet:
    questions: dict[str, Question] = {}
    for record in records(path):
        question = _own_question(record)
        _only_once(record, "id", question.id, questions.get(question.id))
        questions[question.id] = question
    if not questions:
        raise InputError(f"{path}: the question set is empty; write one question a line.")
    return QuestionSet(path.stem, path, tuple(questions.values()), None, _file_hash(path), (path,))


def _own_question(record: Record) -> Question:
    answerable = record.flag("answerable")
    answers, documents = record.texts("answers"), record.texts("documents")
    for name, values in (("answers", answers), ("documents", documents)):
        if answerable and not values:
            raise record.error(name, "is empty, but the question is answerable; name at least one")
        if values and not answerable:
            raise record.error(name, "is not empty, but the question is not answerable; one of the two is wrong")
    return Question(
        id=record.text("id"),
        question=record.text("question"),
        answers=answers,
        documents=documents,
        kind=record.text("kind"),
        answerable=answerable,
        gold=dict.fromkeys(documents, 1),
        multi=record.flag("multi", default=False),
        line=record.line,
    )


# -- SQuAD -------------------------------------------------------------------------------------------------------------


def _load_squad(path: Path) -> QuestionSet:
    documents: list[Document] = []
    questions: dict[str, Question] = {}
    numbers: Counter[str] = Counter()
    ids: dict[tuple[str, str], str] = {}
    for article in read_json(path, "a SQuAD file").children("data"):
        title = article.text("title", default="")
        for paragraph in article.children("paragraphs"):
            # Titles come as in a URL: the id keeps them as they stand, the shown title is what a person would read.
            head = title or path.stem
            context = paragraph.text("context", blank=True)
            # A paragraph that is given again for another question is the same document.
            if (head, context) not in ids:
                ids[head, context] = f"{head}#{numbers[head]}"
                numbers[head] += 1
                shown = urllib.parse.unquote(title).replace("_", " ") or None
                documents.append(Document(ids[head, context], context, title=shown))
            for qa in paragraph.children("qas"):
                question = _squad_question(qa, ids[head, context])
                questions[question.id] = _merged(qa, questions.get(question.id), question)
    if not questions:
        raise complaint(path, "field 'data'", "holds no question; expected articles with paragraphs and questions")
    name = f"{path.resolve().parent.name}/{path.stem}"
    return QuestionSet(name, path, tuple(questions.values()), tuple(documents), _file_hash(path), (path,))


def _squad_question(qa: Record, doc_id: str) -> Question:
    given = qa.children("answers")
    answerable = bool(given)  # the official script's own rule
    if answerable and qa.flag("is_impossible", default=False):
        raise qa.error("answers", "is not empty, but the question is marked impossible; one of the two is wrong")
    # The official predictions are keyed by string, also where a set (COVID-QA) numbers its questions.
    numbered = isinstance(qa.data.get("id"), int)
    return Question(
        id=str(qa.number("id")) if numbered else qa.text("id"),
        question=qa.text("question", blank=True),
        answers=tuple(answer.text("text", blank=True) for answer in given),
        documents=(doc_id,) if answerable else (),
        kind="span" if answerable else "unanswerable",
        answerable=answerable,
        gold={doc_id: 1},
        multi=qa.flag("multi", default=False),
        places=tuple((doc_id, answer.number("answer_start", default=-1)) for answer in given),
    )


def _merged(qa: Record, before: Question | None, question: Question) -> Question:
    """A set may ask one question of several paragraphs under one id: then each of them is gold."""
    if before is None:
        return question
    same = (before.question, before.answerable) == (question.question, question.answerable)
    if not same or before.gold.keys() & question.gold.keys():
        raise qa.error("id", f"{question.id!r} stands twice")
    return replace(
        before,
        answers=before.answers + question.answers,
        documents=before.documents + question.documents,
        gold={**before.gold, **question.gold},
        places=before.places + question.places,
    )


# -- BEIR --------------------------------------------------------------------------------------------------------------


def _load_beir(qrels: Path) -> QuestionSet:
    folder = qrels.resolve().parent.parent
    own_corpus = folder / f"{qrels.stem}_corpus.jsonl"
    paths = (own_corpus if own_corpus.is_file() else folder / "corpus.jsonl", folder / "queries.jsonl", qrels)
    for path in paths:
        if not path.is_file():
            known = "corpus.jsonl, queries.jsonl and qrels/test.tsv"
            raise InputError(f"{path}: there is no such file; a BEIR folder holds {known}.")
    corpus = {key: _beir_document(key, record) for key, record in _by_id(paths[0]).items()}
    queries = _by_id(paths[1])
    gold = _qrels(qrels, queries, corpus)
    if not gold:
        raise InputError(f"{qrels}: the split judges no query; expected lines of query-id, corpus-id and score.")
    digest = hashlib.sha256("".join(map(_file_hash, paths)).encode()).hexdigest()
    return QuestionSet(
        name=folder.name if qrels.stem == "test" else f"{folder.name}/{qrels.stem}",
        path=folder,
        # As everywhere in BEIR, the queries of a split are those that its qrels judge.
        questions=tuple(_beir_question(record, gold[key]) for key, record in queries.items() if key in gold),
        corpus=tuple(corpus.values()),
        sha256=digest,
        files=paths,
    )


def _by_id(path: Path) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for record in records(path):
        key = record.text("_id")
        _only_once(record, "_id", key, found.get(key))
        found[key] = record
    return found


def _beir_document(doc_id: str, record: Record) -> Document:
    # A document that is all title (half of cacm) would have no passage: its title is its text.
    title = record.text("title", default="", blank=True)
    return Document(doc_id, record.text("text", blank=True) or title, title=title or None)


def _beir_question(record: Record, gold: dict[str, int]) -> Question:
    # The format leaves metadata free: answers are taken where they are a list of strings, else there are none.
    metadata = record.data.get("metadata")
    extra = metadata if isinstance(metadata, dict) else {}
    answers = extra.get("answers")
    return Question(
        id=record.text("_id"),
        question=record.text("text", blank=True),
        answers=tuple(text for text in answers if isinstance(text, str)) if isinstance(answers, list) else (),
        documents=tuple(doc_id for doc_id, relevance in gold.items() if relevance > 0),
        kind="retrieval",
        gold=gold,
        multi=extra.get("multi") is True,
        line=record.line,
    )


def _qrels(path: Path, queries: Collection[str], doc_ids: Collection[str]) -> dict[str, dict[str, int]]:
    gold: dict[str, dict[str, int]] = {}
    for line, text in lines(path):
        columns = text.split("\t")
        if line == 1 and columns[-1] == "score":
            continue
        if len(columns) != 3:
            expected = "query-id, corpus-id and score between tabs"
            raise complaint(path, f"line {line}", f"has {len(columns)} columns; expected {expected}")
        query_id, doc_id, score = columns
        if not re.fullmatch(r"-?\d{1,9}", score):
            raise complaint(path, f"line {line}, field 'score'", f"{score!r} is no whole number")
        for name, value, known in (("query-id", query_id, queries), ("corpus-id", doc_id, doc_ids)):
            if value not in known:
                home = "queries.jsonl" if name == "query-id" else "corpus.jsonl"
                raise complaint(path, f"line {line}, field {name!r}", f"{value!r} does not stand in {home}")
        if gold.setdefault(query_id, {}).setdefault(doc_id, int(score)) != int(score):
            earlier = f"{doc_id!r} has another score for query {query_id!r} on a line before"
            raise complaint(path, f"line {line}, field 'score'", earlier)
    return gold


def _only_once(record: Record, name: str, value: str, before: Record | Question | None) -> None:
    if before is not None:
        raise record.error(name, f"{value!r} stands twice, first on line {before.line}")


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
