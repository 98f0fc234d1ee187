"""Building: every file is accounted for, unchanged text keeps its vectors, and a failure leaves the old index."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import store
from index.build import BuildReport, build, build_documents, is_stale, retrieval_text
from index.build import _encode as encode
from index.build import _keys as keys_of
from index.embed import EMBEDDED, Progress
from index.errors import IndexBusy, InputError, ModelError
from index.minilm import model_folder
from index.passage import Document, Passage
from index.publish import publish, writing
from index.recipe import RECIPE

ONE = "The mill was built in 1862. It cost $3 million.\n"
TWO = "The bridge was closed in March.\n"
Write = Callable[[Path, dict[str, str | bytes]], Path]


def adds_up(report: BuildReport) -> bool:
    return report.scanned == report.indexed + report.unchanged + len(report.skipped) + len(report.failed)


def vector_of(root: Path, words: str) -> bytes:
    """The bytes of the vector of the passage that begins with ``words``."""
    generation = store.open_current(root)
    for row, (document, start, end, *_) in enumerate(generation.arrays["passages"]):
        if generation.document(int(document)).text[start:end].startswith(words):
            return bytes(generation.arrays["vectors"][row])
    raise AssertionError(words)


def test_every_file_is_accounted_for(tmp_path: Path, write: Write) -> None:
    folder = write(
        tmp_path / "in",
        {
            "a.txt": ONE,
            "sub/b.md": TWO,
            "empty.txt": b"",
            "blank.txt": b" \n\t\n",
            "binary.txt": bytes(range(256)) * 8,
            "image.png": b"\x89PNG",
            "paper.pdf": b"%PDF-1.7",
            "wire.jsonl": b'{"id": 1, "text": "Harvest was poor."}\n\n{"id": 2}\nnot json\n',
        },
    )
    os.mkfifo(folder / "pipe.txt")
    report = build([folder], tmp_path / "index")
    assert (report.documents, report.indexed, report.unchanged) == (3, 3, 0)
    assert {r.path: r.reason for r in report.skipped} == {
        "empty.txt": "empty",
        "blank.txt": "empty",
        "binary.txt": "binary, or text in an unknown encoding",
        "image.png": "unknown format '.png' (known: .htm .html .jsonl .markdown .md .txt)",
        "paper.pdf": ".pdf files are not read yet: their parser comes with the sandbox it needs",
        "pipe.txt": "not a regular file",
    }
    assert [r.path for r in report.failed] == ["wire.jsonl#line 3", "wire.jsonl#line 4"]
    assert report.scanned == 11
    assert adds_up(report)
    assert report.generation == "gen-000001"
    generation = store.open_current(tmp_path / "index")
    assert list(generation.rows) == ["a.txt", "sub/b.md", "wire.jsonl#1"]
    assert report.passages == len(generation.arrays["passages"]) == generation.manifest["passages"]
    assert generation.manifest["recipe"] == RECIPE
    assert generation.manifest["model"] == EMBEDDED


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_fails(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE, "b.txt": TWO})
    (folder / "b.txt").chmod(0)
    report = build([folder], tmp_path / "index")
    assert [(r.path, r.reason) for r in report.failed] == [("b.txt", "cannot be read (permission denied)")]
    assert adds_up(report)
    assert not is_stale(store.open_current(tmp_path / "index"))
    (folder / "b.txt").chmod(0o600)
    assert is_stale(store.open_current(tmp_path / "index"))


def test_a_link_to_itself_fails(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE})
    (folder / "loop.txt").symlink_to("loop.txt")
    report = build([folder], tmp_path / "index")
    reason = "cannot be read (too many levels of symbolic links)"
    assert [(r.path, r.reason) for r in report.failed] == [("loop.txt", reason)]
    assert report.documents == 1
    assert adds_up(report)
    assert not is_stale(store.open_current(tmp_path / "index"))
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(InputError, match="cannot be written"):
        build([folder], tmp_path / "round")


def test_added_changed_deleted_and_unchanged(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE, "b.txt": TWO, "c.txt": "It is gone tomorrow.\n"})
    build([folder], tmp_path / "index")
    kept, changed = vector_of(tmp_path / "index", "The mill"), vector_of(tmp_path / "index", "The bridge")
    write(folder, {"b.txt": "The bridge was closed in April.\n", "d.txt": "The ferry is new.\n"})
    (folder / "c.txt").unlink()
    encoded: list[tuple[int, int]] = []
    report = build(
        [folder],
        tmp_path / "index",
        progress=lambda stage, done, total: encoded.append((done, total)) if stage == "encoding" else None,
    )
    assert (report.scanned, report.indexed, report.unchanged, report.documents) == (3, 2, 1, 3)
    assert encoded[-1] == (2, 2)  # only the two new texts
    assert list(store.open_current(tmp_path / "index").rows) == ["a.txt", "b.txt", "d.txt"]
    assert vector_of(tmp_path / "index", "The mill") == kept
    assert vector_of(tmp_path / "index", "The bridge") != changed
    again = build(
        [folder], tmp_path / "index", progress=lambda *step: encoded.append(step[1:]) if step[0] == "encoding" else None
    )
    assert (again.indexed, again.unchanged, again.generation) == (0, 3, "gen-000003")
    assert encoded[-1] == (2, 2)  # no more since


class CountingEncoder:
    """Vectors from the texts' lengths; remembers what it encoded."""

    name, dim = "counting", 4

    def __init__(self, identity: str = "counting@1") -> None:
        self.identity = identity
        self.texts: list[str] = []

    def encode_passages(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        self.texts += texts
        vectors = np.array([[len(text), 1, 0, 0] for text in texts], np.float32).reshape(-1, 4)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def encode_query(self, text: str) -> np.ndarray:
        return np.asarray(self.encode_passages([text])[0])


def generation_of(encoder: CountingEncoder, texts: Sequence[str], root: Path, **other: np.ndarray) -> store.Generation:
    keys = keys_of(texts, encoder)
    arrays = {"keys": keys, "vectors": encode(texts, keys, encoder, None, None), **other}
    settings = {"passages": 0, "model": "m", "encoder": "e", "recipe": "1", "paths": [], "stats": {}}
    with writing(root):
        return publish(root, [], [], arrays, settings)


def test_vectors_of_unchanged_text_are_taken_over(tmp_path: Path) -> None:
    first = CountingEncoder()
    previous = generation_of(first, ["a", "bb", "a", "\ud800"], tmp_path)
    for encoder, texts, missing in (
        (CountingEncoder(), ["bb", "new", "a"], ["new"]),
        (CountingEncoder(), ["\ud800", "a"], []),
        (CountingEncoder("counting@2"), ["bb", "a"], ["bb", "a"]),
    ):
        vectors = encode(texts, keys_of(texts, encoder), encoder, previous, None)
        assert encoder.texts == missing
        assert np.array_equal(vectors, CountingEncoder().encode_passages(texts))


@pytest.mark.parametrize(
    "other",
    [
        {"keys": np.zeros((1, 32), np.uint8)},
        {"keys": np.zeros((2, 31), np.uint8)},
        {"vectors": np.full((2, 4), np.nan, np.float32)},
        {"vectors": np.zeros((2, 5), np.float32)},
        {"vectors": np.zeros((2, 4), np.float64)},
        {"vectors": np.zeros(2, np.float32)},
    ],
)
def test_vectors_that_cannot_be_used_are_made_anew(tmp_path: Path, other: dict[str, np.ndarray]) -> None:
    previous = generation_of(CountingEncoder(), ["a", "bb"], tmp_path, **other)
    encoder = CountingEncoder()
    encode(["a"], keys_of(["a"], encoder), encoder, previous, None)
    assert encoder.texts == ["a"]


def test_what_the_retrievers_see() -> None:
    def seen(doc_id: str, title: str | None, text: str = "It opened.") -> str:
        document = Document(doc_id, text, title)
        return retrieval_text(document, Passage(0, doc_id, 0, len(text), text, ((0, len(text)),)))

    assert seen("a/b.txt", "The mill") == "The mill\nIt opened."
    for title in (None, "b.txt", "b", "It opened."):
        assert seen("a/b.txt", title) == "It opened."


# Failures


def test_nothing_to_index(tmp_path: Path, write: Write) -> None:
    empty = write(tmp_path / "empty", {})
    empty.mkdir()
    rejected = write(tmp_path / "rejected", {"a.png": b"x", "b.txt": b"", "c.jsonl": b"{}"})
    good = write(tmp_path / "good", {"a.txt": ONE})
    root = tmp_path / "index"
    build([good], root)
    for path, says in (
        (empty, "holds no files"),
        (rejected, r"a\.png \(unknown format.*\) and 2 more"),
        (rejected / "b.txt", r"b\.txt \(empty\)$"),
        (tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            build([path], root)
        assert "\n" not in str(caught.value)
        assert store.open_current(root).name == "gen-000001"
    with pytest.raises(InputError, match="No path"):
        build([], root)
    with pytest.raises(ModelError, match="neither a folder nor"):
        build([good], root, "no-such-model")
    assert list(store.open_current(root).rows) == ["a.txt"]
    with pytest.raises(InputError):
        build([tmp_path / "none"], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_nothing_is_left_of_an_index_that_could_not_be_built(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    root = tmp_path / "index"
    with pytest.raises(InputError, match="holds no files"):
        build([tmp_path / "empty"], root)
    assert not root.exists()
    with pytest.raises(ModelError):
        build([tmp_path / "empty"], root, "no/such")
    assert not root.exists()
    root.mkdir()
    with pytest.raises(InputError):
        build([tmp_path / "empty"], root)
    assert root.is_dir()  # somebody made it


def test_a_busy_index(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE})
    with writing(tmp_path / "index"), pytest.raises(IndexBusy):
        build([folder], tmp_path / "index")


def test_an_array_without_a_header_is_built_again(tmp_path: Path, write: Write, resign: Any) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": ONE}), tmp_path / "index"
    build([folder], root)
    keys = root / "gen-000001" / "keys.npy"
    keys.write_bytes(b"\x93NUMPY\1\0\x84\3" + b"(" * 900 + keys.read_bytes()[128:])
    resign(root, lambda manifest: None)
    assert build([folder], root).generation == "gen-000002"
    assert not is_stale(store.open_current(root))


@pytest.mark.parametrize(
    "file", ["CURRENT", "gen-000001/MANIFEST.json", "gen-000001/vectors.npy", "gen-000001/keys.npy"]
)
def test_a_damaged_index_is_built_again(tmp_path: Path, write: Write, file: str) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE})
    root = tmp_path / "index"
    build([folder], root)
    before = vector_of(root, "The mill")
    (root / file).write_bytes(b"damaged")
    report = build([folder], root)
    assert (report.indexed, report.unchanged) == (1, 0)
    assert vector_of(root, "The mill") == before


# PATHs


def test_several_paths(tmp_path: Path, write: Write) -> None:
    write(tmp_path, {"one/a.txt": ONE, "two/a.txt": TWO, "three/one/a.txt": TWO, "b.txt": TWO})
    root = tmp_path / "index"
    build([tmp_path / "one", tmp_path / "two", tmp_path / "b.txt"], root)
    assert list(store.open_current(root).rows) == ["b.txt", "one/a.txt", "two/a.txt"]
    assert not is_stale(store.open_current(root))
    report = build([tmp_path / "one"], root)  # the paths given define the index
    assert (report.documents, report.unchanged) == (1, 0)
    assert list(store.open_current(root).rows) == ["a.txt"]
    with pytest.raises(InputError, match="both get the document id"):
        build([tmp_path / "one", tmp_path / "three" / "one"], root)


def test_two_documents_of_one_id(tmp_path: Path, write: Write) -> None:
    line = '{"id": "b.txt", "text": "The old bridge was built of stone."}'
    folder = write(tmp_path / "corpus", {"a.jsonl": line, "a.jsonl#b.txt": "The new bridge is made of steel."})
    report = build([folder], tmp_path / "index")
    assert (report.scanned, report.documents) == (2, 1)
    (failed,) = report.failed
    assert failed.path == "a.jsonl#b.txt"
    assert "rename one of them" in failed.reason


def test_names_that_are_not_utf_8(tmp_path: Path, write: Write) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with open(os.path.join(os.fsencode(folder), b"\xff\n.txt"), "w") as file:  # noqa: PTH118, PTH123
        file.write(ONE)
    build([folder], tmp_path / "index")
    generation = store.open_current(tmp_path / "index")
    assert list(generation.rows) == ["\\xff\n.txt"]
    assert Path(generation.records[0].path).read_text() == ONE
    assert not is_stale(generation)


def test_a_damaged_index_keeps_its_encoder(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": ONE}), tmp_path / "index"
    model = tmp_path / "model"
    shutil.copytree(model_folder(), model)
    monkeypatch.chdir(tmp_path)
    build([folder], root, "model")
    monkeypatch.chdir("/")
    (root / "gen-000001" / "keys.npy").write_bytes(b"damaged")
    build([folder], root)
    assert store.open_current(root).manifest["model"] == str(model)


def test_an_index_of_other_weights_of_the_embedded_encoder_is_stale(tmp_path: Path, write: Write, resign: Any) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": ONE}), tmp_path / "index"
    build([folder], root)
    assert not is_stale(store.open_current(root))
    resign(root, lambda manifest: manifest.update(encoder="all-MiniLM-L6-v2@0"))
    assert is_stale(store.open_current(root))


def test_stale_when_anything_changed(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE, "b.txt": TWO})
    (tmp_path / "link.txt").symlink_to(folder / "a.txt")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "index"

    def stale() -> bool:
        return is_stale(store.open_current(root))

    build([Path("in"), Path("link.txt")], root)
    assert not stale()
    monkeypatch.chdir("/")
    assert not stale()
    build([folder], root)
    assert not stale()
    facts = (folder / "a.txt").stat()
    write(folder, {"c.txt": TWO})
    assert stale()
    (folder / "c.txt").unlink()
    assert not stale()
    write(folder, {".hidden": "x"})
    assert not stale()
    os.utime(folder / "a.txt", ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert stale()
    write(folder, {"a.txt": ONE.replace("1862", "1901")})
    os.utime(folder / "a.txt", ns=(facts.st_atime_ns, facts.st_mtime_ns))  # as `touch -r` does
    assert (folder / "a.txt").stat()[:9] == facts[:9]  # all but the time of change
    assert stale()
    build([folder], root)
    assert not stale()
    (folder / "b.txt").unlink()
    assert stale()
    build([folder], root)
    assert not stale()
    folder.rename(tmp_path / "moved")
    assert stale()


def test_a_file_that_may_be_read_at_last_makes_the_index_stale(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that ``stat`` tells of it changes but its permissions, and root may read whatever they say."""
    folder, root = write(tmp_path / "in", {"a.txt": ONE, "b.txt": TWO}), tmp_path / "index"
    refused = {folder / "b.txt"}
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK and path not in refused)
    build([folder], root)
    assert not is_stale(store.open_current(root))
    refused.clear()
    assert is_stale(store.open_current(root))
    build([folder], root)
    assert not is_stale(store.open_current(root))
    refused.add(folder / "a.txt")
    assert is_stale(store.open_current(root))


def test_documents_in_memory(tmp_path: Path) -> None:
    generation = build_documents([Document("b", "Second text."), Document("a", "First text.")], tmp_path)
    assert list(generation.rows) == ["a", "b"]
    assert generation.document(0).text == "First text."


def test_an_index_inside_the_folder_is_not_indexed(tmp_path: Path) -> None:
    corpus = tmp_path / "articles"
    corpus.mkdir()
    (corpus / "a.txt").write_text("The mill was red. It stood by the river.", "utf-8")
    for _ in range(2):
        report = build([corpus], corpus / "index")
        assert (report.scanned, report.documents, report.failed, report.skipped) == (1, 1, (), ())
    assert not is_stale(store.open_current(corpus / "index"))
    (tmp_path / "link").symlink_to(corpus)
    assert build([tmp_path / "link"], corpus / "index").scanned == 1
    with pytest.raises(InputError, match="holds no files"):
        build([corpus / "index" / "gen-000003"], corpus / "index")


def test_what_is_built(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = "".join(json.dumps({"id": i, "text": TWO}) + "\n" for i in ("b", "a"))
    write(tmp_path / "in", {"a.txt": f"{ONE}It rained.\nSubscribe to our newsletter\n", "wire.jsonl": wire})
    monkeypatch.chdir(tmp_path)
    steps: list[tuple[str, int, int]] = []
    report = build([Path("in")], Path("in/index"), progress=lambda *step: steps.append(step))
    assert report.seconds > 0
    assert [step for step in steps if step[0] != "encoding"] == [
        ("reading", 1, 2),
        ("reading", 2, 2),
        ("splitting", 1, 3),
        ("splitting", 2, 3),
        ("splitting", 3, 3),
    ]
    assert [step[1:] for step in steps if step[0] == "encoding"][-1] == (3, 3)
    generation = store.open_current(tmp_path / "in" / "index")
    assert list(generation.rows) == ["a.txt", "wire.jsonl#a", "wire.jsonl#b"]
    assert generation.records[0].path == str(tmp_path / "in" / "a.txt")
    document = generation.document(0)
    assert [document.text[start:end] for start, end in document.masked] == ["Subscribe to our newsletter"]
    _, start, end, first, last = generation.arrays["passages"][0]
    held = generation.arrays["sentences"][first:last]
    assert (held[0][0], held[-1][1]) == (start, end)
    assert len(held) == 3
    assert build([Path("in")], Path("in/index")).scanned == 3


def test_a_file_that_changes_while_the_index_is_built_makes_it_stale(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE})

    def change(stage: str, done: int, total: int) -> None:
        if stage == "reading":
            write(folder, {"a.txt": TWO})

    build([folder], tmp_path / "index", progress=change)
    assert is_stale(store.open_current(tmp_path / "index"))


def test_an_index_of_another_recipe_is_stale_and_one_of_another_model_is_not(
    tmp_path: Path, write: Write, resign: Any
) -> None:
    folder, root, model = write(tmp_path / "in", {"a.txt": ONE}), tmp_path / "index", tmp_path / "model"
    shutil.copytree(model_folder(), model)
    build([folder], root, str(model))
    assert not is_stale(store.open_current(root))
    resign(root, lambda manifest: manifest.update(recipe="0"))
    assert is_stale(store.open_current(root))


def test_an_index_of_another_format_is_built_again(tmp_path: Path, write: Write, resign: Any) -> None:
    folder, root = write(tmp_path / "in", {"a.txt": ONE}), tmp_path / "index"
    build([folder], root)
    resign(root, lambda manifest: manifest.update(format=0))
    assert build([folder], root).indexed == 1


def test_a_broken_link_that_is_gone(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.txt": ONE})
    (folder / "loop.txt").symlink_to("loop.txt")
    build([folder], tmp_path / "index")
    (folder / "loop.txt").unlink()
    assert is_stale(store.open_current(tmp_path / "index"))


def test_of_several_rejected_files_one_is_named(tmp_path: Path, write: Write) -> None:
    folder = write(tmp_path / "in", {"a.png": b"x", "b.txt": b""})
    with pytest.raises(InputError, match=r"\) and 1 more$"):
        build([folder], tmp_path / "index")


def test_which_vectors_are_taken_over(tmp_path: Path) -> None:
    assert not np.array_equal(keys_of(["bc"], CountingEncoder("a")), keys_of(["c"], CountingEncoder("ab")))
    previous = generation_of(CountingEncoder(), ["a", "bb"], tmp_path / "one", vectors=np.zeros((1, 4), np.float32))
    encoder = CountingEncoder()
    encode(["bb"], keys_of(["bb"], encoder), encoder, previous, None)
    assert encoder.texts == ["bb"]
    settings = {"passages": 0, "model": "m", "encoder": "e", "recipe": "1", "paths": [], "stats": {}}
    for arrays in ({}, {"keys": np.zeros((0, 32), np.uint8)}, {"vectors": np.zeros((0, 4), np.float32)}):
        with writing(tmp_path / "two"):
            previous = publish(tmp_path / "two", [], [], arrays, settings)
        encode(["bb"], keys_of(["bb"], encoder), encoder, previous, None)
    assert encoder.texts == ["bb"] * 4


def test_documents_in_memory_without_words(tmp_path: Path) -> None:
    documents = [Document("b", " "), Document("a", " ")]
    generation = build_documents(documents, tmp_path)
    assert [record.path for record in generation.records] == ["a", "b"]
    assert generation.arrays["sentences"].shape == (0, 2)
    assert build_documents([], tmp_path).records == []
