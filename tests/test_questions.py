import json
from pathlib import Path
from typing import ClassVar

import pytest

from eval.questions import Question, QuestionSet, check_documents, load_set
from index.errors import InputError
from index.passage import Document

LINE = {
    "id": "q1",
    "question": "How high is the tower?",
    "answers": ["324 metres"],
    "documents": ["tower.txt"],
    "kind": "number",
    "answerable": True,
}


def own(tmp_path: Path, *lines: dict[str, object] | str, end: str = "\n", start: str = "") -> Path:
    path = tmp_path / "own.jsonl"
    text = start + end.join(line if isinstance(line, str) else json.dumps(line) for line in lines) + end
    path.write_bytes(text.encode())
    return path


def squad(tmp_path: Path, *qas: dict[str, object], title: str = "Tall_%26_old", **paragraph: object) -> Path:
    path = tmp_path / "dev.json"
    first = {"context": "The tower is 324 metres high.", "qas": list(qas), **paragraph}
    second = {"context": "It was built of iron.", "qas": []}
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": title, "paragraphs": [second, first]}]}))
    return path


def beir(tmp_path: Path, **files: str) -> Path:
    contents = {
        "corpus.jsonl": '{"_id": "d1", "title": "Tower", "text": ""}\n{"_id": "d2", "title": "", "text": "Iron."}\n',
        "queries.jsonl": '{"_id": "q1", "text": "?", "metadata": {"answers": ["iron"]}}\n{"_id": "q2", "text": "x"}\n',
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td2\t2\nq1\td1\t0\n",
    } | {name.replace("_", ".").replace("qrels.", "qrels/"): text for name, text in files.items()}
    folder = tmp_path / "towers"
    (folder / "qrels").mkdir(parents=True)
    for name, text in contents.items():
        (folder / name).write_text(text)
    return folder


class TestOwn:
    def test_every_field(self, tmp_path: Path) -> None:
        refused = {**LINE, "id": "q2", "answers": [], "documents": [], "answerable": False, "unknown": 1}
        found = load_set(own(tmp_path, {**LINE, "multi": True}, refused))
        assert found.name == "own"
        assert found.corpus is None
        assert len(found.sha256) == 64
        assert found.questions[0] == Question(
            "q1",
            "How high is the tower?",
            ("324 metres",),
            ("tower.txt",),
            "number",
            True,
            {"tower.txt": 1},
            multi=True,
            line=1,
        )
        assert (found.questions[1].answerable, found.questions[1].line) == (False, 2)

    def test_bom_crlf_and_blank_lines_change_nothing_but_the_hash(self, tmp_path: Path) -> None:
        plain = load_set(own(tmp_path, LINE, {**LINE, "id": "q2"}))
        odd = load_set(own(tmp_path, LINE, {**LINE, "id": "q2"}, "", end="\r\n", start="\ufeff"))
        assert odd.questions == plain.questions
        assert odd.sha256 != plain.sha256

    def test_a_line_separator_inside_a_string_ends_no_line(self, tmp_path: Path) -> None:
        line = json.dumps({**LINE, "question": "How\u2028high?"}, ensure_ascii=False)
        assert load_set(own(tmp_path, line)).questions[0].question == "How\u2028high?"

    @pytest.mark.parametrize(
        ("second", "complaint"),
        [
            ('{"id": "q2" 3}', "line 2: not JSON (Expecting ',' delimiter, column 13); expected one object a line"),
            ("[1]", "line 2: found a list, not an object; expected one object a line"),
            ("[" * 100_000, "line 2: JSON that cannot be read"),
            ('{"id": "q2", "id": "q3"}', "line 2, field 'id': stands twice in one object"),
            ({**LINE, "id": 7}, "line 2, field 'id': expected a string, found a number"),
            ({**LINE, "id": "q1"}, "line 2, field 'id': 'q1' stands twice, first on line 1"),
            ({**LINE, "id": "q2", "question": " "}, "line 2, field 'question': is blank"),
            ({**LINE, "id": "q2", "question": "\ud800"}, "field 'question': holds half of a surrogate pair"),
            (
                {**LINE, "id": "q2", "answers": "x"},
                "line 2, field 'answers': expected a list of strings, found a string",
            ),
            ({**LINE, "id": "q2", "answers": ["x", 3]}, "field 'answers[1]': expected a string, found a number"),
            ({**LINE, "id": "q2", "answers": []}, "field 'answers': is empty, but the question is answerable"),
            ({**LINE, "id": "q2", "documents": []}, "field 'documents': is empty, but the question is answerable"),
            ({**LINE, "id": "q2", "answerable": False}, "field 'answers': is not empty, but the question is not"),
            ({**LINE, "id": "q2", "answerable": 1}, "field 'answerable': expected true or false, found a number"),
            ({k: v for k, v in LINE.items() if k != "kind"}, "line 2, field 'kind': is missing"),
        ],
    )
    def test_malformed(self, tmp_path: Path, second: dict[str, object] | str, complaint: str) -> None:
        path = own(tmp_path, LINE, second)
        with pytest.raises(InputError) as caught:
            load_set(path)
        message = str(caught.value)
        assert message.startswith(str(path))
        assert complaint in message
        assert message.endswith(".")
        assert "\n" not in message

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "own.jsonl"
        path.write_bytes(json.dumps(LINE).encode() + b"\n\xff\n")
        with pytest.raises(InputError, match="line 2: not UTF-8"):
            load_set(path)

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
    def test_empty(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "own.jsonl"
        path.write_text(content)
        with pytest.raises(InputError, match="the question set is empty"):
            load_set(path)

    @pytest.mark.parametrize("name", ["absent.jsonl", "set.csv", "absent"])
    def test_no_such_file_or_format(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputError, match="give a question set"):
            load_set(tmp_path / name)

    def test_unknown_document(self, tmp_path: Path) -> None:
        found = load_set(own(tmp_path, LINE, {**LINE, "id": "q2", "documents": ["tower.txt", "bridge.txt"]}))
        check_documents(found, ["bridge.txt", "tower.txt"])
        with pytest.raises(InputError, match=r"line 2, field 'documents': the index holds no document 'bridge.txt'"):
            check_documents(found, ["tower.txt"])


class TestSquad:
    QA: ClassVar[dict[str, object]] = {
        "id": "a",
        "question": "How high?",
        "answers": [{"text": "324 metres", "answer_start": 13}],
    }

    def test_paragraphs_become_documents(self, tmp_path: Path) -> None:
        impossible = {"id": 2, "question": "How wide?", "answers": [], "is_impossible": True}
        found = load_set(squad(tmp_path, self.QA, impossible))
        assert found.corpus == (
            Document("Tall_%26_old#0", "It was built of iron.", title="Tall & old"),
            Document("Tall_%26_old#1", "The tower is 324 metres high.", title="Tall & old"),
        )
        first, second = found.questions
        assert (first.answers, first.documents, first.gold) == (
            ("324 metres",),
            ("Tall_%26_old#1",),
            {"Tall_%26_old#1": 1},
        )
        assert first.places == (("Tall_%26_old#1", 13),)
        assert (second.id, second.answerable, second.documents, second.gold) == ("2", False, (), {"Tall_%26_old#1": 1})

    def test_a_paragraph_given_again_is_the_same_document(self, tmp_path: Path) -> None:
        asked = [{"id": name, "question": f"Which {name}?", "answers": []} for name in "abc"]
        contexts = ("Of iron.", "Of clay.", "Of iron.")
        paragraphs = [{"context": text, "qas": [qa]} for text, qa in zip(contexts, asked, strict=True)]
        (tmp_path / "s.json").write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
        found = load_set(tmp_path / "s.json")
        assert [(d.doc_id, d.text) for d in found.corpus or ()] == [("t#0", "Of iron."), ("t#1", "Of clay.")]
        assert [list(question.gold) for question in found.questions] == [["t#0"], ["t#1"], ["t#0"]]

    def test_one_id_asked_of_several_paragraphs_is_one_question(self, tmp_path: Path) -> None:
        path = tmp_path / "dev.json"
        articles = [{"title": name, "paragraphs": [{"context": "324 metres", "qas": [self.QA]}]} for name in "xy"]
        path.write_text(json.dumps({"data": articles}))
        (question,) = load_set(path).questions
        assert question.gold == {"x#0": 1, "y#0": 1}
        assert question.places == (("x#0", 13), ("y#0", 13))

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"question": None}, "field 'data[0].paragraphs[1].qas[1].question': expected a string, found null"),
            ({"answers": [3]}, "qas[1].answers[0]': expected an object, found a number"),
            (
                {"answers": [{"text": "x", "answer_start": "3"}]},
                "qas[1].answers[0].answer_start': expected a whole number",
            ),
            ({"is_impossible": True}, "qas[1].answers': is not empty, but the question is marked impossible"),
            ({"id": "a"}, "qas[1].id': 'a' stands twice"),
            ({"id": True}, "qas[1].id': expected a whole number, found true or false"),
        ],
    )
    def test_malformed(self, tmp_path: Path, change: dict[str, object], complaint: str) -> None:
        with pytest.raises(InputError) as caught:
            load_set(squad(tmp_path, self.QA, {**self.QA, "id": "b", **change}))
        assert complaint in str(caught.value)

    def test_another_question_under_the_same_id(self, tmp_path: Path) -> None:
        path = tmp_path / "dev.json"
        qas = [self.QA, {**self.QA, "question": "How wide?"}]
        articles = [{"title": qa["question"], "paragraphs": [{"context": "324 metres", "qas": [qa]}]} for qa in qas]
        path.write_text(json.dumps({"data": articles}))
        with pytest.raises(InputError, match="'a' stands twice"):
            load_set(path)

    def test_not_json_names_the_line(self, tmp_path: Path) -> None:
        path = tmp_path / "dev.json"
        path.write_text('{"data":\n [}\n')
        with pytest.raises(InputError, match="line 2: not JSON"):
            load_set(path)

    def test_a_field_that_stands_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "dev.json"
        path.write_text('{"data": [{"title": "t", "paragraphs": [], "title": "u"}]}')
        with pytest.raises(InputError, match="field 'title': stands twice in one object"):
            load_set(path)

    def test_no_question(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no question"):
            load_set(squad(tmp_path))


def test_a_set_has_one_name_wherever_it_is_called_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates are found by it."""
    path, folder = squad(tmp_path, TestSquad.QA), beir(tmp_path)
    monkeypatch.chdir(path.parent)
    assert load_set(Path(path.name)).name == load_set(path).name == f"{path.parent.name}/{path.stem}"
    for place, given in ((folder, "."), (folder, "qrels/test.tsv"), (folder / "qrels", "test.tsv")):
        monkeypatch.chdir(place)
        assert load_set(Path(given)).name == folder.name


class TestBeir:
    def test_judged_queries_and_graded_gold(self, tmp_path: Path) -> None:
        found = load_set(beir(tmp_path))
        (question,) = found.questions  # q2 is not judged
        assert found.name == "towers"
        names = ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")
        assert found.files == tuple((tmp_path / "towers" / name).resolve() for name in names)
        assert question.gold == {"d2": 2, "d1": 0}
        assert question.documents == ("d2",)
        assert question.answers == ("iron",)
        assert found.corpus == (Document("d1", "Tower", title="Tower"), Document("d2", "Iron."))

    def test_another_split_with_a_corpus_of_its_own(self, tmp_path: Path) -> None:
        folder = beir(tmp_path, **{"qrels_late_tsv": ""})
        (folder / "qrels" / "late.tsv").write_text("q2\td9\t1\n")
        (folder / "late_corpus.jsonl").write_text('{"_id": "d9", "text": "Late."}\n')
        found = load_set(folder / "qrels" / "late.tsv")
        assert found.name == "towers/late"
        assert [question.gold for question in found.questions] == [{"d9": 1}]

    def test_a_judgement_repeated_is_one(self, tmp_path: Path) -> None:
        assert load_set(beir(tmp_path, qrels_test_tsv="q1\td1\t1\nq1\td1\t1\n")).questions[0].gold == {"d1": 1}

    @pytest.mark.parametrize(
        ("file", "text", "complaint"),
        [
            ("qrels_test_tsv", "q1\td1\n", "test.tsv, line 1: has 2 columns"),
            ("qrels_test_tsv", "q1\td1\thigh\n", "test.tsv, line 1, field 'score': 'high' is no whole number"),
            (
                "qrels_test_tsv",
                "q1\td1\t1\nq1\td7\t1\n",
                "line 2, field 'corpus-id': 'd7' does not stand in corpus.jsonl",
            ),
            ("qrels_test_tsv", "q7\td1\t1\n", "line 1, field 'query-id': 'q7' does not stand in queries.jsonl"),
            ("qrels_test_tsv", "q1\td1\t1\nq1\td1\t2\n", "line 2, field 'score': 'd1' has another score"),
            ("qrels_test_tsv", "", "the split judges no query"),
            ("corpus_jsonl", '{"_id": "d1"}\n', "corpus.jsonl, line 1, field 'text': is missing"),
            (
                "queries_jsonl",
                '{"_id": "q1", "text": "x"}\n' * 2,
                "line 2, field '_id': 'q1' stands twice, first on line 1",
            ),
        ],
    )
    def test_malformed(self, tmp_path: Path, file: str, text: str, complaint: str) -> None:
        with pytest.raises(InputError) as caught:
            load_set(beir(tmp_path, **{file: text}))
        assert complaint in str(caught.value)

    def test_folder_without_the_files(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="a BEIR folder holds"):
            load_set(tmp_path)


def test_sets_are_values(tmp_path: Path) -> None:
    path = own(tmp_path, LINE)
    assert load_set(path) == load_set(path)
    assert isinstance(load_set(path), QuestionSet)


QA = TestSquad.QA


def test_what_a_squad_file_may_leave_out_or_blank(tmp_path: Path) -> None:
    path = tmp_path / "DEV.JSON"
    first = {"id": "a", "question": " ", "answers": [{"text": "iron"}, {"text": ""}], "multi": True}
    paragraph = {"context": "", "qas": [first, {"id": "b", "question": "Which?", "answers": []}]}
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    found = load_set(path)
    assert (found.corpus, found.files) == ((Document("DEV#0", ""),), (path,))
    asked, refused = found.questions
    assert (asked.question, asked.answers, asked.multi, asked.kind) == (" ", ("iron", ""), True, "span")
    assert asked.places == (("DEV#0", -1),) * 2
    assert (refused.multi, refused.kind) == (False, "unanswerable")


def test_one_id_asked_of_several_paragraphs_is_one_question(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    articles = [{"title": name, "paragraphs": [{"context": "324 metres", "qas": [QA]}]} for name in "xy"]
    path.write_text(json.dumps({"data": articles}))
    (question,) = load_set(path).questions
    assert (question.answers, question.documents) == (("324 metres",) * 2, ("x#0", "y#0"))
    del articles[1]["paragraphs"][0]["qas"][0]
    articles[1]["paragraphs"][0]["qas"] = [{**QA, "answers": []}]
    path.write_text(json.dumps({"data": articles}))
    with pytest.raises(InputError, match="'a' stands twice"):
        load_set(path)


def test_beir_metadata_is_free_and_texts_may_be_blank(tmp_path: Path) -> None:
    given = ['{"answers": ["iron", 3], "multi": true}', '{"answers": "iron", "multi": "yes"}', '["iron"]']
    queries = "".join(f'{{"_id": "q{n}", "text": " ", "metadata": {more}}}\n' for n, more in enumerate(given))
    found = load_set(
        beir(
            tmp_path,
            corpus_jsonl='{"_id": "d1", "title": " ", "text": "Iron."}\n',
            queries_jsonl=queries,
            qrels_test_tsv="".join(f"q{n}\td1\t{1 - n}\n" for n in range(3)),
        )
    )
    assert [question.answers for question in found.questions] == [("iron",), (), ()]
    assert [question.multi for question in found.questions] == [True, False, False]
    assert [question.line for question in found.questions] == [1, 2, 3]
    assert [dict(question.gold) for question in found.questions] == [{"d1": 1}, {"d1": 0}, {"d1": -1}]
    assert [question.documents for question in found.questions] == [("d1",), (), ()]


def test_the_hash_of_a_beir_set_is_of_all_three_files(tmp_path: Path) -> None:
    folder = beir(tmp_path)
    hashes = {load_set(folder).sha256}
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        with (folder / name).open("a") as file:
            file.write("\n")
        hashes.add(load_set(folder).sha256)
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("q1\td1\t1\tx\n", "test.tsv, line 1: has 4 columns"),
        ("q1\td1\t1.5\n", "test.tsv, line 1, field 'score': '1.5' is no whole number"),
        ("q1\td1\t1234567890\n", "test.tsv, line 1, field 'score': '1234567890' is no whole number"),
        ("q1\td1\t1\nquery-id\tcorpus-id\tscore\n", "test.tsv, line 2, field 'score': 'score' is no whole number"),
    ],
)
def test_malformed(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        load_set(beir(tmp_path, qrels_test_tsv=text))
    assert complaint in str(caught.value)


@pytest.mark.parametrize(("name", "problem"), [("absent.jsonl", "there is no such file"), ("s.csv", "tells no format")])
def test_why_it_is_no_set(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        load_set(tmp_path / name)


def test_files_read(tmp_path: Path) -> None:
    path = own(tmp_path, LINE)
    assert load_set(path).files == (path,)


def test_a_question_without_a_line_is_named(tmp_path: Path) -> None:
    found = load_set(squad(tmp_path, QA))
    with pytest.raises(InputError, match=r"dev\.json, question 'a': the index holds no document"):
        check_documents(found, [])
