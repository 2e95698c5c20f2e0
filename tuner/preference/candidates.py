"""Draws the candidates of one shard with one model, and reads those of several models together.

A candidate's random numbers follow from its row and its number among those of its model, so it is the same whatever
else is drawn. All candidates of an instruction have one prompt, which is computed once.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from tuner import progress
from tuner.artifacts import parquet
from tuner.curation.cleaning import REDACT
from tuner.errors import InputError
from tuner.generation import generate, seeds
from tuner.generation.engines import Request
from tuner.generation.shards import ShardSpec
from tuner.models import loading, templates
from tuner.models.adapted import Adapter
from tuner.models.settings import Models
from tuner.preference.metrics import Answered
from tuner.preference.prompts import Prompt
from tuner.preference.settings import Candidates

if TYPE_CHECKING:
    from tuner.models.chat import Chat

FILE = "candidates.parquet"

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("candidate", pa.int32()),
        ("seed", pa.int64()),
        ("model", pa.string()),
        ("adapter", pa.string()),
        ("temperature", pa.float64()),
        ("thoughts", pa.string()),
        ("response", pa.string()),
        ("finish", pa.string()),
        ("tokens", pa.int32()),
    ]
)
"""A row for each candidate; `candidate` is its number among those of its model for the instruction, from 0."""


def draw(
    prompts: Sequence[Prompt],
    settings: Candidates,
    models: Models,
    shard: ShardSpec,
    masking: Sequence[str],
    folder: Path,
    label: str,
    adapter: tuple[str, Adapter] | None = None,
) -> Answered:
    """Draws candidates and writes `candidates.parquet`, instruction after instruction.

    One whose prompt the chat template cannot render, or that would not fit into the model's context, is `skipped`.

    Args:
        prompts: The instructions.
        settings: How they are answered.
        models: The section with the model that draws as its generator; with an adapter it is the student.
        shard: The shard, whose seed decides the random numbers.
        masking: What is masked in the answers, as in the rows: keys of `curation.cleaning.REDACT`.
        folder: Where to write.
        label: The artifact, for progress.
        adapter: The adapter that draws, with its name.

    Raises:
        InputError: If the model cannot be loaded, or its chat template not be used.
        StageError: If the adapter cannot be put on the student.
    """
    samplings = settings.samplings
    with generate.loaded(models, adapter and adapter[1]) as generator:
        chat, engine = generator.chat, generator.engine
        _check(chat, settings)
        answers = [
            {
                "row_id": prompt.row_id,
                "candidate": number,
                "seed": seeds.of_candidate(shard.seed, prompt.row_id, number),
                "model": chat.model,
                "adapter": adapter[0] if adapter else "",
                "temperature": sampling.temperature,
                **_SKIPPED,
            }
            for prompt in prompts
            for number, sampling in enumerate(samplings)
        ]
        rendered = _rendered(chat, prompts, settings)
        requests = deque(
            Request(place, 1, answer["seed"], text, samplings[answer["candidate"]], chat.template.answer_end, text)
            for place, answer in enumerate(answers)
            if (text := rendered[place // len(samplings)]) is not None
        )
        total, before, finished = len(requests), engine.done, 0

        def speed() -> float:
            return (engine.done.tokens - before.tokens) / ((engine.done.seconds - before.seconds) or 1)

        def report(_: int) -> None:
            figures = {"tokens/s": speed()}
            progress.emit(progress.Event("candidates", label, done=finished, total=total, figures=figures))

        for request, completion in engine.complete(requests, report):
            finished += 1
            said = chat.said(completion.text, request.prompt)
            drawn = {"thoughts": said.thoughts, "response": said.answer}
            answers[request.row] |= {**drawn, "finish": completion.finish, "tokens": completion.tokens}
            report(0)
        tokens_per_second, facts = speed(), engine.facts()
    table = _masked(pa.Table.from_pylist(answers, schema=SCHEMA), masking)
    parquet.write(table, folder / FILE)
    tokens = sum(answer["tokens"] for answer in answers)
    finishes = pl.Series([answer["finish"] for answer in answers], dtype=pl.String)
    return Answered(
        instructions=len(prompts),
        candidates=len(answers),
        finishes={name: int((finishes == name).sum()) for name in ("stop", "length", "skipped")},
        tokens=tokens,
        seconds=round(tokens / (tokens_per_second or 1), 3),
        tokens_per_second=round(tokens_per_second, 2),
        engine=facts.engine,
        device=facts.device,
        dtype=facts.dtype,
        reproducible=facts.reproducible,
        served_model=facts.served_model,
    )


def gathered(files: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """The candidates of each instruction, those of one model after those of another.

    Args:
        files: `candidates.parquet` of each model, of one shard.

    Returns:
        Columns of `SCHEMA`, by row_id, in the order of the shard.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        for candidate in parquet.read(file).to_pylist():
            found.setdefault(candidate["row_id"], []).append(candidate)
    return found


_SKIPPED = {"thoughts": "", "response": "", "finish": "skipped", "tokens": 0}


def _check(chat: "Chat", settings: Candidates) -> None:
    if settings.response_system is not None:
        try:
            chat.opening(settings.response_system)
        except InputError:
            raise InputError(
                f"preference.candidates.response_system: the chat template of {chat.model} renders no system prompt; "
                "leave it out"
            ) from None
    if settings.until != "turn" and chat.template.thinking and not chat.template.lead.strip():
        raise InputError(
            f"preference.candidates.until: {chat.model} thinks before it answers, and its thoughts have line breaks; "
            "set it to turn"
        )


def _rendered(chat: "Chat", prompts: Sequence[Prompt], settings: Candidates) -> list[str | None]:
    """The text that is continued for each instruction; None where there is none, or where its answer has no room."""
    longest = loading.positions(loading.configuration(chat.model))
    system = settings.response_system
    texts: list[str | None] = []
    for prompt in prompts:
        begun = [] if system is None or prompt.system else [{"role": "system", "content": system}]
        try:
            text = chat.healed(chat.prompt([*begun, *prompt.messages], prompt.tools))
        except templates.RENDERING:
            texts.append(None)
            continue
        fits = longest is None or len(chat.ids(text)) + settings.max_tokens <= longest
        texts.append(text if fits else None)
    return texts


def _masked(table: pa.Table, masking: Sequence[str]) -> pa.Table:
    for name in ("response", "thoughts") if masking else ():
        texts = pl.Series(table[name].to_pylist(), dtype=pl.String)
        for reason in masking:
            texts = REDACT[reason](texts)
        place = table.schema.get_field_index(name)
        table = table.set_column(place, SCHEMA.field(name), pa.array(texts.to_list(), pa.string()))
    return table
