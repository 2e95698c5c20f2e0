"""What pairs are planned to be made from, and what of the recipe is refused."""

import re
from pathlib import Path

import pytest

from tuner import loading
from tuner.errors import InputError
from tuner.registry import NAMES, planned
from tuner.stage import Parts

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""

PREFERENCE = "preference={scorer: {reward: owner/reward}}"
ASKING = "preference={scorer: {judge: owner/judge}}"
RULED = "preference={scorer: {rules: [form, language]}}"

SHARDS = [f"shard {number}" for number in (1, 2, 3, 4)]


def plan(*overrides: str) -> Parts:
    return planned(loading.parse(RECIPE, overrides))


def prints(parts: Parts, *stages: str) -> dict[str, str]:
    return {f"{part.stage} {part.label}".strip(): part.fingerprint for stage in stages for part in parts.of(stage)}


def changed(first: list[str], then: list[str]) -> list[str]:
    before, after = prints(plan(*first), *NAMES), prints(plan(*first, *then), *NAMES)
    return [label for label, fingerprint in after.items() if before.get(label) != fingerprint]


CANDIDATES, SCORES = ([f"{stage} {shard}" for shard in SHARDS] for stage in ("candidates", "score"))


def test_without_the_section_there_are_no_pairs() -> None:
    assert [len(plan().of(stage)) for stage in ("candidates", "score", "pair")] == [0, 0, 0]


def test_the_section_changes_what_is_measured_and_no_training() -> None:
    assert changed([], [PREFERENCE]) == [*CANDIDATES, *SCORES, "pair", "evaluate", "report"]


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("preference.margin=0.5", ["pair", "evaluate", "report"]),
        ("preference.rejected=min", ["pair", "evaluate", "report"]),
        ("preference.pairs=9", ["pair", "evaluate", "report"]),
        ("preference.scorer.reward=owner/other", [*SCORES, "pair", "evaluate", "report"]),
        ("preference.candidates.n=2", [*CANDIDATES, *SCORES, "pair", "evaluate", "report"]),
        ("preference.candidates.models=[owner/other]", [*CANDIDATES, *SCORES, "pair", "evaluate", "report"]),
        ("split.validation=0.2", ["split", "train lora", "train prompt_tuning", "pair", "evaluate", "report"]),
        ("training.lora.learning_rate=3e-3", ["train lora", "evaluate", "report"]),
    ],
)
def test_a_setting_changes_what_it_decides(override: str, names: list[str]) -> None:
    assert changed([PREFERENCE], [override]) == names


def test_more_instructions_add_shards_and_reuse_the_rest() -> None:
    few, more = plan(PREFERENCE), plan(PREFERENCE, "generation.rows=144")
    for stage in ("candidates", "score"):
        assert [part.fingerprint for part in more.of(stage)[:4]] == [part.fingerprint for part in few.of(stage)]
        assert len(more.of(stage)) == 6
    assert few.one("pair").fingerprint != more.one("pair").fingerprint


def test_a_further_model_adds_candidates_and_reuses_those_of_the_first() -> None:
    one = plan(PREFERENCE, "preference.candidates.models=[owner/chat]")
    two = plan(PREFERENCE, "preference.candidates.models=[owner/chat, owner/other]")
    assert {part.fingerprint for part in one.of("candidates")} < {part.fingerprint for part in two.of("candidates")}
    assert prints(one, "candidates") == prints(plan(PREFERENCE), "candidates"), "the generator, named or not"


def test_an_adapter_draws_after_it_was_trained() -> None:
    parts = plan(PREFERENCE, "preference.candidates.adapter=lora")
    trained = parts.one("train", "lora")
    assert [part.label for part in parts.of("candidates")] == SHARDS
    assert all(part.reads["adapter"] == [trained] for part in parts.of("candidates"))
    assert changed([PREFERENCE, "preference.candidates.adapter=lora"], ["training.lora.r=4"])[:2] == [
        "train lora",
        "candidates shard 1",
    ]
    both = plan(PREFERENCE, "preference.candidates={adapter: lora, models: [owner/chat]}")
    assert len(both.of("candidates")) == 8 and len(both.of("score")) == 4


def test_rules_hang_on_the_checks_that_they_apply_and_models_do_not() -> None:
    assert plan(RULED).of("score")[0].identity["curation"]["form"]["response_words"] == [10, 2000]
    assert "curation" not in plan(ASKING).of("score")[0].identity


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["preference={}"], "preference.scorer: is missing"),
        (["preference={scorer: {}}"], "none is given; set one of reward: MODEL, judge: MODEL or rules"),
        (["preference={scorer: {reward: a/b, judge: c/d}}"], "reward and judge are given; set one of"),
        (["preference={scorer: {rules: [form, spelling]}}"], "spelling"),
        ([PREFERENCE, "preference.candidates.adapter=dora"], "no adapter 'dora'; known are lora, prompt_tuning"),
        ([PREFERENCE, "preference.candidates.adapter=prompt_tuning"], "is a prompt .* cannot be drawn with"),
        ([PREFERENCE, "preference.candidates.temperatures=[1.0]"], "a pair takes two candidates; raise n"),
        ([PREFERENCE, "preference.candidates.temperatures=[1.0, 1.0]"], "one is named twice; raise n"),
        ([PREFERENCE, "preference.margin=-1"], "preference.margin"),
        ([PREFERENCE, "preference.pairs=true"], "must be a number"),
        ([PREFERENCE, "preference.scorer.reward=what is this"], "preference.scorer.reward: 'what is this' is not a"),
        ([PREFERENCE, "preference.candidates.models=[nothing]"], "preference.candidates.models.0: 'nothing' is not a"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.compile(message)) as error:
        plan(*overrides)
    assert "\n" not in str(error.value)


def test_rows_that_exist_already_need_a_model_that_answers(tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text('{"instruction": "Why do rivers flow?", "response": "Because they lie higher where they begin."}')
    text = f"name: mine\nmodels: {{student: owner/base}}\ngeneration: {{source: file, path: {rows}}}\n"
    text += "training: {lora: {method: lora}}\n"
    with pytest.raises(InputError, match=r"preference\.candidates\.models: is missing, since the recipe has no models"):
        loading.parse(text, [PREFERENCE])
    loading.parse(text, [PREFERENCE, "preference.candidates.adapter=lora"])
