"""``rag eval --check SET``: what is wrong with a question set itself, before anything is asked."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from eval.asked import Library, shown_sentences
from eval.holders import Sentences
from eval.questions import Question, QuestionSet
from eval.samples import mean
from eval.spans import holds
from index.errors import InputError
from index.passage import Document, Passage
from index.sentences import blanked
from rag.normal import normalise, wording
from rag.pipeline import checked

COPIED = 0.45
"""Mean share of a question's content words that may stand in a gold sentence (``eval/sets/README.md``): above it a set
asks in the documents' own words, and flatters a search by words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (``line`` 0 and ``id`` "" when unknown or of the whole set), in which field."""

    line: int
    id: str
    field: str
    problem: str

    def __str__(self) -> str:
        """One line."""
        where = [f"line {self.line}"] if self.line else [f"question {self.id!r}"] if self.id else []
        return f"{', '.join([*where, f'field {self.field!r}'])}: {self.problem}"


def check_set(question_set: QuestionSet, library: Library | None) -> list[Finding]:
    """Everything that is wrong, in the set's order, then what is wrong with the set as a whole.

    Without ``library`` only the wording of the questions is looked at. A file that is malformed has raised InputError
    before, in ``eval.questions.load_set``.
    """
    findings = [finding for question in question_set.questions for finding in _unfit(question)]
    findings += _duplicates(question_set.questions)
    if library is not None:
        gold = _Gold(library, question_set.questions)
        findings += [finding for question in question_set.questions for finding in gold.check(question)]
        findings.sort(key=lambda finding: finding.line)
        if question_set.corpus is None:  # other people's wording is not ours to judge
            findings += _copied(question_set.questions, library)
    return findings


def check_json(question_set: QuestionSet, findings: Iterable[Finding]) -> dict[str, object]:
    """What ``rag eval --check --json`` prints."""
    found = [asdict(finding) for finding in findings]
    count = len(question_set.questions)
    return {
        "set": question_set.name,
        "sha256": question_set.sha256,
        "questions": count,
        "findings": found,
        "passed": not found,
    }


def _unfit(question: Question) -> Iterator[Finding]:
    try:
        checked(question.question)
    except InputError as error:
        yield _at(question, "question", f"cannot be asked: {error}")
    if question.multi and len(set(map(normalise, question.answers))) < len(question.answers):
        yield _at(question, "answers", "name an item twice, so that no list can be right; leave one out")


def _duplicates(questions: Iterable[Question]) -> Iterator[Finding]:
    seen: dict[tuple[str, tuple[str, ...]], Question] = {}
    for question in questions:
        # SQuAD asks the same words of different paragraphs: there they are different questions.
        key = (wording(question.question), tuple(question.gold) if question.places else ())
        before = seen.setdefault(key, question)
        if before is not question and key[0]:
            first = f"on line {before.line}" if before.line else f"as {before.id!r}"
            yield _at(question, "question", f"is asked twice, first {first}; leave one out")


def _copied(questions: Iterable[Question], library: Library) -> Iterator[Finding]:
    asked = [question for question in questions if question.answerable]
    sentences = Sentences(library, {doc_id for question in asked for doc_id in question.documents})
    overlaps = [(found, question) for question in asked if (found := sentences.overlap(question)) is not None]
    share = mean([overlap for overlap, _ in overlaps]) if overlaps else 0.0
    if share > COPIED:
        worst = sorted(overlaps, key=lambda pair: -pair[0])[:3]
        named = ", ".join(f"{question.id} ({overlap:.2f})" for overlap, question in worst)
        problem = (
            f"{share:.2f} of the content words stand in a gold sentence, at most {COPIED} should; reword {named} …"
        )
        yield Finding(0, "", "question", problem)


class _Gold:
    """The documents that the questions name, their passages by document."""

    def __init__(self, library: Library, questions: Iterable[Question]) -> None:
        self._library, self._known = library, set(library.doc_ids)
        named = {doc_id for question in questions for doc_id in question.documents}
        self._of: dict[str, list[Passage]] = {doc_id: [] for doc_id in named}
        for passage in library.passages:
            if passage.doc_id in named:
                self._of[passage.doc_id].append(passage)

    def check(self, question: Question) -> Iterator[Finding]:
        documents: list[Document] = []
        for doc_id in question.documents:
            if doc_id in self._known:
                documents.append(self._library.document(doc_id))
            else:
                yield _at(question, "documents", f"the index holds no document {doc_id!r}; index it, or mend the id")
        if documents and question.places:
            yield from self._placed(question)
            unplaced = [number for number, (_, start) in enumerate(question.places) if start < 0]
            yield from self._worded(question, documents, unplaced)
        elif documents and question.answers:
            yield from self._worded(question, documents, range(len(question.answers)))
            yield from self._named(question, documents)

    def _worded(self, question: Question, documents: list[Document], numbers: Iterable[int]) -> Iterator[Finding]:
        for number in numbers:
            answer = question.answers[number]
            if not any(holds(document.text, [answer]) for document in documents):
                yield _at(
                    question, f"answers[{number}]", f"{answer!r} stands in none of its documents; mend one of them"
                )
            elif not any(holds(blanked(document), [answer]) for document in documents):
                yield _at(question, f"answers[{number}]", f"{answer!r} stands only in masked text; nothing can find it")
            elif not any(holds(text, [answer]) for document in documents for text in self._sentences(document)):
                yield _at(
                    question, f"answers[{number}]", f"{answer!r} stands in no sentence whole; nothing can answer it"
                )

    def _named(self, question: Question, documents: list[Document]) -> Iterator[Finding]:
        for number, document in enumerate(documents):
            if not holds(document.text, question.answers):
                problem = f"{document.doc_id!r} holds none of the answers; leave it out, or add what it says"
                yield _at(question, f"documents[{number}]", problem)

    def _placed(self, question: Question) -> Iterator[Finding]:
        for number, (answer, (doc_id, start)) in enumerate(zip(question.answers, question.places, strict=True)):
            if start < 0 or doc_id not in self._known:
                continue
            end = start + len(answer)
            text = self._library.document(doc_id).text
            if text[start:end] != answer:
                problem = f"{text[start:end]!r} stands at {start} of {doc_id!r}, not {answer!r}; mend the offset"
                yield _at(question, f"answers[{number}]", problem)
            elif not any(a <= start and end <= b for passage in self._of[doc_id] for a, b in passage.sentences):
                yield _at(
                    question, f"answers[{number}]", f"{answer!r} stands in no sentence whole; nothing can answer it"
                )

    def _sentences(self, document: Document) -> Iterator[str]:
        for passage in self._of[document.doc_id]:
            yield from (text for _, text in shown_sentences(self._library, passage))


def _at(question: Question, field: str, problem: str) -> Finding:
    return Finding(question.line, question.id, field, problem)
