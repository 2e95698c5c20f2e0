"""A dataset with planted truth: rows to curate, and beside them what is wrong with each.

Every row is a base row or comes from one: a duplicate of another's, or a base row into which a line was put. What a row
becomes follows from the seed and its place, so a million rows are written shard by shard, by as many processes as there
are, in the memory of one shard each.
"""

import json
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from benchmarks.curation import changes, lines, personal
from benchmarks.curation.rows import Row, Rows

HELD_OUT = 25
"""Every so manieth sentence goes into benchmark prompts and into no row."""
PROMPTS = 2000
PROMPT_SENTENCES = 3

ROLES = ("base", "exact", "near", "paraphrase", "personal", "decoy", "toxic", "innocent", "leak")

TRUTH = pa.schema(
    [
        ("row_id", pa.string()),
        ("role", pa.string()),  # one of ROLES
        ("group", pa.int64()),  # the base row that it comes from: rows of one group are duplicates of each other
        ("detail", pa.string()),  # the variant, the kind of personal data, the number of edits or of the prompt
        ("start", pa.int64()),  # of a planted line's own part within the response, in characters; null if there is none
        ("end", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Shares:
    """The share of the rows that each role gets; the rest are base rows.

    Attributes:
        edits: The lowest and the highest share of words that are edited in a near duplicate.
    """

    exact: float = 0.2
    near: float = 0.1
    paraphrase: float = 0.05
    personal: float = 0.02
    decoy: float = 0.01
    toxic: float = 0.005
    innocent: float = 0.005
    leak: float = 0.005
    edits: tuple[float, float] = (0.05, 0.05)


@dataclass(frozen=True)
class Plan:
    """What becomes of every place in the dataset.

    Attributes:
        sentences: What the rows are made of; some are held out for the prompts.
        rows: How many rows there are.
        shares: Of each role.
        seed: Decides everything.
    """

    sentences: Sequence[str] = field(repr=False)
    rows: int
    shares: Shares = Shares()
    seed: int = 1

    def roles(self) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Of each place its role, by number in ROLES, and the base row that it comes from; both shape (rows,).

        Only base rows to which nothing else is done have duplicates; one may have several.
        """
        rng = np.random.default_rng([self.seed, self.rows])
        counts = {name: round(getattr(self.shares, name) * self.rows) for name in ROLES[1:]}
        plain = self.rows - sum(counts.values())
        role = np.repeat(np.arange(len(ROLES)), [plain, *counts.values()]).astype(np.int8)
        own = (role == ROLES.index("base")) | (role >= ROLES.index("personal"))
        base = np.empty(self.rows, np.int64)
        base[own] = np.arange(np.count_nonzero(own))
        base[~own] = rng.integers(0, plain, np.count_nonzero(~own))
        order = rng.permutation(self.rows)
        return role[order], base[order]

    def prompts(self) -> list[str]:
        """The prompts of a made-up benchmark, of three sentences each that stand in no base row."""
        held_out = list(self.sentences[::HELD_OUT])
        random.Random(f"{self.seed} prompts").shuffle(held_out)
        last = min(PROMPTS * PROMPT_SENTENCES, len(held_out) - PROMPT_SENTENCES + 1)
        return [" ".join(held_out[at : at + PROMPT_SENTENCES]) for at in range(0, last, PROMPT_SENTENCES)]


def write(plan: Plan, folder: Path, shard_rows: int = 10_000, processes: int = 2) -> None:
    """Writes `rows.parquet` (what is curated), `truth.parquet` (with the schema TRUTH) and `prompts.jsonl`.

    Args:
        plan: What to write.
        folder: Where; made if it is not there.
        shard_rows: Rows in a row group.
        processes: How many write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prompts = plan.prompts()
    (folder / "prompts.jsonl").write_text("".join(f"{json.dumps({'prompt': prompt})}\n" for prompt in prompts))
    shards = [(begin, min(begin + shard_rows, plan.rows)) for begin in range(0, plan.rows, shard_rows)]
    context = get_context("forkserver")
    with (
        ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(plan,)) as pool,
        parquet.ParquetWriter(folder / "rows.parquet", ROWS) as rows,
        parquet.ParquetWriter(folder / "truth.parquet", TRUTH) as truth,
    ):
        for some_rows, some_truth in pool.map(_shard, shards):
            rows.write_table(some_rows)
            truth.write_table(some_truth)


ROWS = pa.schema([("row_id", pa.string()), ("instruction", pa.string()), ("response", pa.string())])


class Maker:
    """Makes any row of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._seed = plan.seed
        self._roles, self._bases = plan.roles()
        self._prompts = plan.prompts()
        self._sentences = [sentence for at, sentence in enumerate(plan.sentences) if at % HELD_OUT]
        self._rows = Rows(self._sentences, plan.seed)
        self._edits = plan.shares.edits

    def __call__(self, place: int) -> tuple[Row, dict[str, Any]]:
        """The row at a place, and its line of the truth."""
        rng = random.Random(f"{self._seed} row {place}")
        role, base = ROLES[self._roles[place]], int(self._bases[place])
        row = self._rows(base)
        truth: dict[str, Any] = {"role": role, "group": base, "detail": None, "start": None, "end": None}
        match role:
            case "exact":
                truth["detail"] = rng.choice(list(changes.VARIANTS))
                row = changes.variant(row, truth["detail"], rng)
            case "near":
                words = rng.choice(self._sentences).split() + rng.choice(self._sentences).split()
                row, edits = changes.edited(row, rng.uniform(*self._edits), words, rng)
                truth["detail"] = str(edits)
            case "paraphrase":
                # The answer is another's, so that nothing but the meaning of the instruction tells.
                row = Row(changes.paraphrased(row.instruction), self._rows(len(self._bases) + place).response)
            case "leak":
                number = base % len(self._prompts)  # each once, as long as there are enough
                row = Row(f"{rng.choice(self._sentences)} {self._prompts[number]}", row.response)
                truth["detail"] = str(number)
            case "personal":
                truth["detail"] = rng.choice(list(personal.PLANTS))
                value = personal.PLANTS[truth["detail"]](rng)
                row = _with_line(row, rng.choice(personal.LINES[truth["detail"]]), value, truth, rng)
            case "decoy":
                row = _with_line(row, "{}", personal.decoy(rng), truth, rng)
            case "toxic":
                row = _with_line(row, "{}", rng.choice(lines.TOXIC), truth, rng)
            case "innocent":
                row = _with_line(row, "{}", rng.choice(lines.INNOCENT), truth, rng)
        return row, truth


def _with_line(row: Row, line: str, value: str, truth: dict[str, Any], rng: random.Random) -> Row:
    """Puts a line with a value in it between two sentences of the response, and notes where the value stands."""
    ends = [0, *(at + 1 for at, mark in enumerate(row.response) if mark == " " and row.response[at - 1] in ".!?")]
    at = rng.choice(ends)
    line = line.format(value)
    truth["start"] = at + line.index(value)
    truth["end"] = truth["start"] + len(value)
    return Row(row.instruction, f"{row.response[:at]}{line} {row.response[at:]}")


_makers: list[Maker] = []


def _prepare(plan: Plan) -> None:
    _makers[:] = [Maker(plan)]


def _shard(places: tuple[int, int]) -> tuple[pa.Table, pa.Table]:
    rows, truths = [], []
    for place in range(*places):
        row, truth = _makers[0](place)
        name = f"row-{place:08}"
        rows.append({"row_id": name, "instruction": row.instruction, "response": row.response})
        truths.append({"row_id": name, **truth})
    return pa.Table.from_pylist(rows, ROWS), pa.Table.from_pylist(truths, TRUTH)
