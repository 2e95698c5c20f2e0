"""Scores the candidates of one shard by a reward model, a judge or rules."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.judging.judge import Judge
from tuner.curation.judging.reward import Rewarder
from tuner.curation.settings import Curation
from tuner.models import resident
from tuner.preference import pairwise, rules
from tuner.preference.metrics import Comparisons, Scored
from tuner.preference.pairing import Candidate, unusable
from tuner.preference.prompts import Prompt
from tuner.preference.settings import Scorer
from tuner.progress import Event, emit
from tuner.settings import settings

FILE = "scores.parquet"
COMPARED = "comparisons.parquet"

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("candidate", pa.int32()),
        ("unusable", pa.string()),
        ("score", pa.float64()),
        ("beaten", pa.list_(pa.int32())),
    ]
)
"""A row for each candidate of `candidates.gathered`; `candidate` is its place among all of its instruction, and
`beaten` those that a judge found worse, null where there was none."""

COMPARISONS = pa.schema(
    [
        ("row_id", pa.string()),
        ("one", pa.int32()),
        ("other", pa.int32()),
        ("ahead_first", pa.float64()),
        ("ahead_second", pa.float64()),
        ("better", pa.int32()),
    ]
)
"""A row for each comparison; `ahead` is how much likelier the letter of `one` was, in nats, where it was shown first
and second; `better` is null of a tie."""

Answer = tuple[int, int, str]
"""The place of an instruction, the place of a candidate among its, and its text."""


@dataclass
class Result:
    """What a scorer found.

    Attributes:
        scores: By answer, in order; None where there is no score.
        device: The device; empty where no model scored.
        dtype: The number format, likewise.
        followed: See `Scored.followed`.
        comparisons: The judge's; None if there was none.
        parameters: The judge's.
        seconds: How long it took, without loading.
    """

    scores: list[float | None]
    device: str = ""
    dtype: str = ""
    followed: dict[str, tuple[int, int]] = field(default_factory=dict)
    comparisons: list[pairwise.Comparison] | None = None
    parameters: int = 0
    seconds: float = 0.0


def score(
    prompts: Sequence[Prompt],
    candidates: Mapping[str, Sequence[Mapping[str, Any]]],
    scorer: Scorer,
    curation: Curation,
    day: date,
    folder: Path,
    label: str,
) -> Scored:
    """Scores candidates and writes `scores.parquet`, and `comparisons.parquet` if a judge compared them.

    Only whole and different candidates of instructions that have two are scored.

    Args:
        prompts: The instructions of the shard.
        candidates: Those of `candidates.gathered`.
        scorer: What scores.
        curation: The settings of the checks that are rules.
        day: The day that a judge's chat template prints.
        folder: Where to write.
        label: The shard, for progress.

    Raises:
        InputError: If the model cannot be loaded or used.
    """
    groups = [candidates.get(prompt.row_id, ()) for prompt in prompts]
    faults = [unusable([Candidate(each["response"], each["finish"]) for each in group]) for group in groups]
    answers: list[Answer] = [
        (group, place, groups[group][place]["response"])
        for group, found in enumerate(faults)
        if found.count("") > 1
        for place, fault in enumerate(found)
        if not fault
    ]
    result = _SCORERS[scorer.kind](scorer, prompts, answers, curation, day, label)
    scores = {answer[:2]: value for answer, value in zip(answers, result.scores, strict=True)}
    by_group = pairwise.by_group(result.comparisons or ())
    rows = [
        {
            "row_id": prompt.row_id,
            "candidate": place,
            "unusable": fault,
            "score": scores.get((group, place)),
            "beaten": None if result.comparisons is None else pairwise.beaten(by_group.get(group, []), place),
        }
        for group, prompt in enumerate(prompts)
        for place, fault in enumerate(faults[group])
    ]
    parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), folder / FILE)
    if result.comparisons is not None:
        parquet.write(_table(result.comparisons, prompts), folder / COMPARED)
    known = [value for value in scores.values() if value is not None]
    counts = Counter(fault for found in faults for fault in found if fault)
    return Scored(
        instructions=len(prompts),
        candidates=len(rows),
        unusable=dict(sorted(counts.items())),
        scored=len(known),
        mean_score=round(float(np.mean(known)), 4) if known else None,
        followed=result.followed,
        comparisons=_counted(result),
        device=result.device,
        dtype=result.dtype,
        seconds=round(result.seconds, 3),
        rows_per_second=round(len(prompts) / result.seconds, 2) if result.seconds else 0.0,
    )


def _by_reward(
    scorer: Scorer, prompts: Sequence[Prompt], answers: Sequence[Answer], curation: Curation, day: date, label: str
) -> Result:
    with _resident("reward", scorer.reward, Rewarder) as rewarder:
        clock = _Clock(len(answers), label)
        rows = [
            ([*prompts[group].messages, {"role": "assistant", "content": text}], prompts[group].tools)
            for group, _, text in answers
        ]
        rewards = rewarder.score(rows, settings().batch_size, clock.report)
        scores = [None if np.isnan(reward) else float(reward) for reward in rewards]
        return Result(scores, rewarder.device, rewarder.dtype, seconds=clock.seconds)


def _by_judge(
    scorer: Scorer, prompts: Sequence[Prompt], answers: Sequence[Answer], curation: Curation, day: date, label: str
) -> Result:
    groups: list[list[tuple[int, str]]] = [[] for _ in prompts]
    for group, place, text in answers:
        groups[group].append((place, text))
    with _resident("judge", scorer.judge, lambda model: Judge(model, day, "preference.scorer.judge"), day) as judge:
        clock = _Clock(sum(len(group) * (len(group) - 1) for group in groups), label)
        requests = [prompt.text for prompt in prompts]
        found = pairwise.compare(judge, requests, groups, settings().batch_size, clock.report)
        seconds, device, dtype, parameters = clock.seconds, judge.device, judge.dtype, judge.parameters
    by_group = pairwise.by_group(found)
    rates = [
        pairwise.win_rates(by_group.get(group, []), [place for place, _ in texts]) for group, texts in enumerate(groups)
    ]
    scores = [rates[group][place] for group, place, _ in answers]
    return Result(scores, device, dtype, comparisons=found, parameters=parameters, seconds=seconds)


def _by_rules(
    scorer: Scorer, prompts: Sequence[Prompt], answers: Sequence[Answer], curation: Curation, day: date, label: str
) -> Result:
    clock = _Clock(len(answers), label)
    asked = [prompts[group] for group, _, _ in answers]
    scores, followed = rules.apply(scorer.rules, asked, [text for _, _, text in answers], curation)
    clock.report(len(answers))
    return Result(scores, followed=followed, seconds=clock.seconds)


_SCORERS = {"reward": _by_reward, "judge": _by_judge, "rules": _by_rules}


def _resident(role: str, model: str | None, load: Any, *key: Any) -> AbstractContextManager[Any]:
    """The scorer's model, shared with the stage `judge` if that asks the same."""
    assert model is not None
    return resident.using((role, model, *key), lambda: load(model), lambda _: None)


def _table(comparisons: Sequence[pairwise.Comparison], prompts: Sequence[Prompt]) -> pa.Table:
    rows = [
        {
            "row_id": prompts[each.group].row_id,
            "one": each.one,
            "other": each.other,
            "ahead_first": each.ahead and each.ahead[0],
            "ahead_second": each.ahead and each.ahead[1],
            "better": each.better,
        }
        for each in comparisons
    ]
    return pa.Table.from_pylist(rows, schema=COMPARISONS)


def _counted(result: Result) -> Comparisons | None:
    return None if result.comparisons is None else pairwise.counted(result.comparisons, result.parameters)


class _Clock:
    """Measures the seconds since it was made, and reports progress."""

    def __init__(self, total: int, label: str) -> None:
        self._begun, self._total, self._label = time.perf_counter(), total, label

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun

    def report(self, done: int) -> None:
        emit(Event("score", self._label, done=done, total=self._total))
