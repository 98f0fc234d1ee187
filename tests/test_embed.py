"""Encoders: the embedded model by both of its ways, and models from a folder."""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index import embed, minilm
from index.embed import EMBEDDED, Encoder, load_encoder
from index.errors import ModelError

ODD = [
    "",
    " \t\n ",
    "\0",
    "a\0b",
    "🎉🇫🇷👩‍👩‍👧‍👦",
    "e\u0301te\u0301 İstanbul ﬁne Straße",
    "مرحبا بالعالم \u202eabc",
    "东京都 서울",
    "\ud800 lone",
    "[SEP] [CLS] [PAD]",
    "x" * 500,
    "don't re-use $38 billion; GB$200$ 5%",
    "word " * 600,
    "\ufeff\u200b\u00ad",
]


def sentences(count: int, seed: int, most: int) -> list[str]:
    """Sentences of vocabulary words, names and numbers, of 1 to ``most`` words, every tenth with an oddity in it."""
    rng = random.Random(seed)
    words = [word for word in minilm.tokenizer().get_vocab() if word.isalpha() and len(word) > 1]
    words.sort()
    made = []
    for number in range(count):
        parts = [
            rng.choice((rng.choice(words), rng.choice(words).title(), f"{rng.randint(0, 10**6):,}"))
            for _ in range(rng.randint(1, most))
        ]
        if number % 10 == 0:
            parts.insert(rng.randrange(len(parts) + 1), ODD[number // 10 % len(ODD)])
        made.append(" ".join(parts) + ".")
    return made


def cosines(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Cosine of each text's bulk vector with the one it has as a query."""
    assert len(texts) > embed.SMALL_JOB
    bulk = encoder.encode_passages(texts)
    return (bulk * np.stack([encoder.encode_query(text) for text in texts])).sum(axis=1)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def test_both_ways_give_the_same_vectors(encoder: Encoder) -> None:
    done: list[int] = []
    texts = [*ODD, *sentences(51, seed=1, most=15)]
    bulk = encoder.encode_passages(texts, done.append)
    assert sum(done) == len(texts)
    assert bulk.shape == (len(texts), encoder.dim)
    assert bulk.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(bulk, axis=1), 1, atol=1e-5)
    singly = np.stack([encoder.encode_query(text) for text in texts])
    assert (bulk * singly).sum(axis=1).min() >= 0.9999
    together = load_encoder().encode_passages(texts[:30])
    np.testing.assert_allclose(together, singly[:30], atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_ways_give_the_same_vectors_on_a_thousand(encoder: Encoder) -> None:
    assert cosines(encoder, sentences(1000, seed=2, most=60)).min() >= 0.9999


def test_a_folder_is_loaded_with_its_own_prompts(encoder: Encoder, tmp_path: Path) -> None:
    folder = tmp_path / "prompted"
    shutil.copytree(minilm.model_folder(), folder)
    plain = load_encoder(str(folder))
    assert (plain.dim, plain.name) == (384, str(folder))
    assert plain.encode_query("a question") @ encoder.encode_query("a question") >= 0.9999

    prompts = {"query": "query: ", "document": "passage: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}), "utf-8")
    prompted = load_encoder(str(folder))
    assert prompted.identity != plain.identity
    for given, expected in (
        (prompted.encode_query("a question"), "query: a question"),
        (prompted.encode_passages(["a question"])[0], "passage: a question"),
    ):
        assert given @ encoder.encode_query(expected) >= 0.9999


def test_small_jobs_report_progress_and_nothing_needs_nothing() -> None:
    fresh = load_encoder(EMBEDDED)
    done: list[int] = []
    assert fresh.encode_passages(["one", "two"] * 20, done.append).shape == (40, 384)
    assert done == [32, 8]
    assert fresh.encode_passages([]).shape == (0, 384)


@pytest.mark.parametrize("text", [*ODD, "word " * 50_000])
def test_any_query_has_a_unit_vector(encoder: Encoder, text: str) -> None:
    vector = encoder.encode_query(text)
    assert vector.shape == (384,)
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5


def test_only_the_first_tokens_are_read(encoder: Encoder) -> None:
    long = "cat dog " * 127
    assert np.array_equal(encoder.encode_query(long + "war peace"), encoder.encode_query(long + "sea sky sun"))
    assert not np.array_equal(encoder.encode_query(long), encoder.encode_query("cat dog " * 126))


def test_folders_with_code_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "modeling.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match=r"holds code \(modeling\.py\)"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        ('[{"idx": 0, "type": "os.system"}]', "names the class os.system"),
        ("{", "is not a list of modules"),
        ('{"a": 1}', "is not a list of modules"),
    ],
)
def test_modules_of_others_are_refused(tmp_path: Path, modules: str, says: str) -> None:
    (tmp_path / "modules.json").write_text(modules)
    with pytest.raises(ModelError, match=says):
        load_encoder(str(tmp_path))


def test_what_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("no-such-model", "no-such/model", "no such model?", "~no-such-user/model"):
        with pytest.raises(ModelError, match="nothing is downloaded here"):
            load_encoder(name)
    file = tmp_path / "file.bin"
    file.write_bytes(b"x")
    with pytest.raises(ModelError, match="is a file"):
        load_encoder(str(file))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(str(tmp_path / "empty"))


def test_the_identity_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text("one")
    first = embed._content_hash(tmp_path)
    (tmp_path / "README.md").write_text("two")
    assert embed._content_hash(tmp_path) == first
    (tmp_path / "config.json").write_text("{ }")
    assert embed._content_hash(tmp_path) != first
