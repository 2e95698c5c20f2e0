"""Draws instructions under each opening, and counts what is wrong with them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.curation.columns.batch import Batch, Flags
from tuner.curation.detectors import asking, form, language
from tuner.doctor import fragments
from tuner.doctor.openings import Opening
from tuner.generation.engines import Engine
from tuner.generation.shards import ShardSpec
from tuner.rows import SCHEMA
from tuner.shares import Share

FIRST_WORDS = 3
"""Words by which beginnings are told apart."""

COLUMNS = ("opening", "usable", "fragments", "assistant", "foreign", "doubled", "distinct", "ended", "tokens")
"""What `Examined.cells` holds."""

LEGEND = (
    "In brackets the 95 % interval. Each instruction counts once: a fragment (empty, cut off, of marks only, begun or "
    "ended within a sentence), else an assistant's words, else in a foreign language, else doubled, else usable. "
    "distinct: different first three words."
)

_SHOWN = 100
"""Characters of an example."""


@dataclass(frozen=True)
class Examined:
    """What was drawn under an opening. An instruction counts once, for the first thing that is wrong with it.

    Attributes:
        opening: The opening.
        usable: Instructions with which nothing is wrong.
        fragments: See `fragments.KINDS`.
        assistant: What an assistant would say: an answer, an offer, an apology.
        foreign: In a language that is not wanted.
        doubled: Equal to an earlier one, but for case and white space.
        beginnings: Different first words of all that have any.
        ended: Instructions that the model ended.
        tokens: Their mean number of tokens.
        examples: A usable one and one that is not, each with what is wrong with it; on one line.
    """

    opening: Opening
    usable: Share
    fragments: Share
    assistant: Share
    foreign: Share
    doubled: Share
    beginnings: Share
    ended: Share
    tokens: float
    examples: Sequence[tuple[str, str]]

    def cells(self) -> tuple[str, ...]:
        """The findings as texts, in the order of `COLUMNS`."""
        shares = self.assistant, self.foreign, self.doubled, self.beginnings, self.ended
        plain = (f"{share.value:.0%}" for share in shares)
        return self.opening.name, str(self.usable), str(self.fragments), *plain, f"{self.tokens:.0f}"


def draw(engine: Engine, opening: Opening, rows: int, seed: int) -> pl.DataFrame:
    """Draws instructions, the first of that seed.

    Args:
        engine: With the model loaded.
        opening: The opening.
        rows: How many.
        seed: As the seed of a recipe.

    Returns:
        The rows, with the columns of `tuner.rows.SCHEMA`.

    Raises:
        InputError: If nothing can be drawn by this opening.
    """
    shard = ShardSpec(0, seed, 0, rows)
    drawn = opening.source.sample(engine, opening.chat, shard, answered=False)
    frame = pl.from_arrow(pa.Table.from_pylist(drawn, schema=SCHEMA))
    assert isinstance(frame, pl.DataFrame)
    return frame


def examine(drawn: Mapping[Opening, pl.DataFrame], wanted: Sequence[str] | None) -> tuple[list[Examined], list[str]]:
    """Counts what is wrong with the instructions of each opening.

    Args:
        drawn: The rows of each.
        wanted: ISO 639 codes of the wanted languages, empty if all are; None for the one of most instructions.

    Returns:
        The findings, in order; and the languages that were taken as wanted, empty for all.
    """
    batches = {each: fragments.alone(rows["instruction"], rows["instruction_finish"]) for each, rows in drawn.items()}
    taken = _majority(batches.values()) if wanted is None else list(wanted)
    return [_examined(each, batches[each], drawn[each], taken) for each in drawn], taken


def _examined(opening: Opening, batch: Batch, rows: pl.DataFrame, wanted: Sequence[str]) -> Examined:
    found = {fragments.KINDS[kind]: flags for kind, flags in fragments.kinds(batch).items()}
    wrong = fragment = np.logical_or.reduce([*found.values()])
    for name, flags in {
        "as an assistant": _as_assistant(batch),
        "in another language": _is_foreign(batch, wanted),
        "doubled": ~batch.normal_instruction.is_first_distinct().to_numpy(),
    }.items():
        found[name] = flags & ~wrong
        wrong = wrong | flags

    def share(flags: Flags) -> Share:
        return Share(int(flags.sum()), len(batch))

    words = batch.normal_instruction.str.split(" ").list.head(FIRST_WORDS).list.join(" ")
    begun = words.filter(words != "")
    return Examined(
        opening=opening,
        usable=share(~wrong),
        fragments=share(fragment),
        assistant=share(found["as an assistant"]),
        foreign=share(found["in another language"]),
        doubled=share(found["doubled"]),
        beginnings=Share(begun.n_unique(), len(begun) or 1),
        ended=share((batch.instruction_finish != "length").to_numpy()),
        tokens=float(np.mean(rows["instruction_tokens"].to_numpy())),
        examples=list(_examples(batch.instruction, {"usable": ~wrong, **found})),
    )


def _as_assistant(batch: Batch) -> Flags:
    """Which instructions are an assistant's words."""
    english = language.is_english(batch)
    return (
        asking.is_answer(batch.instruction)
        | (english & asking.is_assistant(batch.instruction, batch.normal_instruction))
        | form.instruction_pattern(batch.normal_instruction, english)
    )


def _is_foreign(batch: Batch, wanted: Sequence[str]) -> Flags:
    if not wanted:
        return np.zeros(len(batch), np.bool_)
    sure = _sure(batch)
    return (sure.is_not_null() & ~sure.is_in(list(wanted))).fill_null(False).to_numpy()


def _sure(batch: Batch) -> pl.Series:
    """The language of each instruction, null where that is uncertain."""
    found = language.of_texts(batch.normal_instruction)
    sure = pl.when(pl.col("language_confidence") >= language.CERTAIN).then(pl.col("language"))
    return found.select(sure.alias("language")).to_series()


def _majority(batches: Iterable[Batch]) -> list[str]:
    counts = Counter(code for batch in batches for code in _sure(batch).drop_nulls().to_list())
    return [code for code, _ in counts.most_common(1)]


def _examples(texts: pl.Series, found: Mapping[str, Flags]) -> Iterator[tuple[str, str]]:
    """The first usable text, and the first of what is most often wrong."""
    wrong = {name: int(flags.sum()) for name, flags in found.items() if name != "usable"}
    for name in ("usable", max(wrong, key=lambda name: wrong[name])):
        for text in texts.filter(pl.Series(found[name])).head(1):
            line = " ".join(text.split())
            yield name, line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
