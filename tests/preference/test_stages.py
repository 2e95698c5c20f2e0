"""The stages `candidates`, `score` and `pair` with tiny models, from rows to files of pairs."""

import json
import shutil
from pathlib import Path
from typing import TypeVar

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.present import present
from tuner.artifacts.store import Store
from tuner.curation.columns.text import normalise
from tuner.errors import InputError
from tuner.generation import seeds
from tuner.metrics import Metrics
from tuner.preference.metrics import Answered, Paired, Scored
from tuner.preference.pair import SCHEMA
from tuner.registry import planned
from tuner.settings import settings

from .conftest import ROWS, Parse, make, table

pytestmark = pytest.mark.usefixtures("float32")

SIDES = ("train", "validation")
Kind = TypeVar("Kind", bound=Metrics)


def read(made, store: Store) -> tuple[Paired, dict[str, pl.DataFrame], pl.DataFrame]:
    (manifest,) = made["pair"]
    sides = {side: table(store, manifest, f"{side}.parquet") for side in SIDES}
    return Paired.read(manifest), sides, table(store, manifest, "left_out.parquet")


def metrics(made, stage: str, kind: type[Kind]) -> list[Kind]:
    return [kind.read(manifest) for manifest in made[stage]]


def text(message: pl.Series) -> pl.Series:
    return message.list.first().struct.field("content")


@pytest.mark.parametrize("overrides", [[], ["preference.margin=0.02"], ["preference.rejected=min"]])
def test_every_instruction_has_one_pair_on_its_side_or_a_reason(parse: Parse, store: Store, overrides):
    recipe = parse(*overrides)
    wanted_margin = present(recipe.preference).margin
    made = make(recipe, store)
    paired, sides, left_out = read(made, store)
    (split,) = made["split"]
    for side, pairs in sides.items():
        wanted = set(table(store, split, f"{side}.parquet")["row_id"])
        without = left_out.filter(pl.col("side") == side)["row_id"].to_list()
        assert sorted([*pairs["row_id"], *without]) == sorted(wanted)
        assert (pairs["margin"] > 0).all() and (pairs["margin"] >= wanted_margin).all()
        assert (pairs["margin"] == pairs["score_chosen"] - pairs["score_rejected"]).all()
        assert len(pairs) == paired.pairs[side]
        for chosen, rejected in zip(text(pairs["chosen"]), text(pairs["rejected"]), strict=True):
            assert normalise(chosen) != normalise(rejected) and chosen and rejected
    assert sum(paired.pairs.values()) + sum(paired.left_out.values()) == paired.instructions == ROWS
    assert dict(left_out["reason"].value_counts().rows()) == paired.left_out


def test_a_pair_is_its_prompt_and_two_answers_that_can_be_walked_back_to(parse: Parse, store: Store):
    made = make(parse(), store)
    _, sides, _ = read(made, store)
    drawn = table(store, made["candidates"][0], "candidates.parquet")
    scores = table(store, made["score"][0], "scores.parquet")
    split = table(store, made["split"][0], "train.parquet")
    assert sides["train"].columns == SCHEMA.names
    for pair in sides["train"].iter_rows(named=True):
        (row,) = split.filter(pl.col("row_id") == pair["row_id"]).iter_rows(named=True)
        assert pair["prompt"] == row["prompt"]
        for name in ("chosen", "rejected"):
            origin = pair[f"{name}_from"]
            at = (pl.col("row_id") == pair["row_id"]) & (pl.col("candidate") == origin["candidate"])
            (candidate,) = drawn.filter(at).iter_rows(named=True)
            assert pair[name] == [{"role": "assistant", "content": candidate["response"]}]
            assert {key: candidate[key] for key in origin} == origin
            assert candidate["seed"] == seeds.of_candidate(42, pair["row_id"], origin["candidate"])
            assert scores.filter(at)["score"].to_list() == [pair[f"score_{name}"]]
            assert candidate["finish"] == "stop"


def test_equal_pairs_have_equal_bytes_in_batches_of_any_size(parse: Parse, store: Store, tmp_path, monkeypatch):
    first = make(parse(), store, "candidates")
    monkeypatch.setenv("TUNER_BATCH_SIZE", "3")
    settings.cache_clear()
    again = make(parse(), Store(str(tmp_path / "again")), "candidates")
    files = [[(file.name, file.sha256) for file in made["candidates"][0].files] for made in (first, again)]
    assert files[0] == files[1]


def test_candidates_are_drawn_at_every_temperature(parse: Parse, store: Store):
    made = make(parse("preference.candidates.temperatures=[0.5, 1.5]", "preference.candidates.n=3"), store, "score")
    drawn = table(store, made["candidates"][0], "candidates.parquet")
    assert drawn.filter(pl.col("row_id") == drawn["row_id"][0])["temperature"].to_list() == [0.5] * 3 + [1.5] * 3
    (answered,), (scored,) = metrics(made, "candidates", Answered), metrics(made, "score", Scored)
    assert answered.candidates == 6 * ROWS == scored.candidates
    assert answered.tokens == drawn["tokens"].sum()
    assert scored.scored == scored.candidates - sum(scored.unusable.values())


def test_several_models_answer_and_each_has_artifacts_of_its_own(parse: Parse, store: Store, models):
    both = json.dumps([str(models["words"]), str(models["judge"])])
    recipe = parse(f"preference.candidates.models={both}", "preference.candidates.temperatures=[1.0]")
    assert [part.label for part in planned(recipe).of("candidates")] == [
        "file shard 1 model 1",
        "file shard 1 model 2",
    ]
    made = make(recipe, store, "score")
    scores = table(store, made["score"][0], "scores.parquet")
    assert scores["candidate"].to_list() == [0, 1] * ROWS


def test_a_judge_compares_in_both_orders_and_only_those_it_found_worse_are_rejected(parse: Parse, store: Store, models):
    recipe = parse(judge=str(models["judge"]))
    made = make(recipe, store)
    paired, sides, _ = read(made, store)
    compared = table(store, made["score"][0], "comparisons.parquet")
    counted = present(paired.comparisons)
    assert counted.compared == len(compared) and counted.is_weak
    agreed = compared.filter(pl.col("ahead_first") * pl.col("ahead_second") > 0)
    assert counted.agreed == len(agreed) == compared["better"].count() > 0
    for pair in pl.concat(sides.values()).iter_rows(named=True):
        places = sorted(pair[f"{name}_from"]["candidate"] for name in ("chosen", "rejected"))
        at = (pl.col("row_id") == pair["row_id"]) & (pl.col("one") == places[0]) & (pl.col("other") == places[1])
        assert compared.filter(at)["better"].to_list() == [pair["chosen_from"]["candidate"]]
        assert 0 <= pair["score_rejected"] < pair["score_chosen"] <= 1


def test_rules_score_without_a_model(parse: Parse, store: Store):
    made = make(parse("curation.form={response_words: [10, 60]}", rules=["form", "repetition"]), store)
    (scored,) = metrics(made, "score", Scored)
    assert scored.device == "" and scored.followed["form"][1] == scored.scored
    paired, sides, left_out = read(made, store)
    assert set(pl.concat(sides.values())["score_chosen"]) <= {0.5, 1.0}
    assert set(left_out["reason"]) <= {"tie", "few_candidates"} and paired.comparisons is None


def test_at_most_so_many_pairs(parse: Parse, store: Store):
    paired, _, left_out = read(make(parse("preference.pairs=9"), store), store)
    assert sum(paired.pairs.values()) == 9
    assert paired.left_out["beyond_pairs"] == ROWS - 9 == len(left_out)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_equal_instructions_have_one_pair(parse: Parse, store: Store, mine: Path, tmp_path: Path):
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    # The same question with another answer: rows, not an instruction, are duplicates here.
    rows += [{**row, "response": f"{row['response']} and {at} more"} for at, row in enumerate(rows[:4])]
    twice = write(tmp_path / "twice.jsonl", rows)
    made = make(parse("curation.duplicates.keep=9", path=twice), store)
    paired, sides, _ = read(made, store)
    asked = [normalise(each) for each in text(pl.concat(sides.values())["prompt"])]
    assert len(asked) == len(set(asked))
    assert sum(paired.pairs.values()) + sum(paired.left_out.values()) == paired.instructions


def test_no_pair_above_the_margin_says_how_many_there_would_be(parse: Parse, store: Store):
    with pytest.raises(InputError) as error:
        make(parse("preference.margin=9"), store)
    line = str(error.value)
    assert line.startswith(f"preference: 0 pairs to train on, of {ROWS} instructions: ") and "\n" not in line
    assert f"{ROWS} low_margin; preference.margin is 9, and there would be 1 at 0.0" in line
    # What it says of a margin holds.
    margin = line.rsplit(" at ", 1)[1].removesuffix(". Lower it")
    paired, _, _ = read(make(parse(f"preference.margin={margin}"), store), store)
    assert sum(paired.pairs.values()) == ROWS


def test_a_reward_model_that_is_no_classifier_is_refused_in_one_line(parse: Parse, store: Store, models):
    with pytest.raises(InputError, match=r"words is no reward model: its configuration says LlamaForCausalLM, not"):
        make(parse(reward=str(models["words"])), store)


def test_an_instruction_that_leaves_no_room_for_an_answer_is_skipped(
    parse: Parse, store: Store, mine: Path, tmp_path: Path
):
    rows = [json.loads(line) for line in mine.read_text().splitlines()]
    rows[0]["instruction"] = f"{'river stone ' * 400}?"
    recipe = parse("curation.form.instruction_words=[3, 2000]", path=write(tmp_path / "long.jsonl", rows))
    made = make(recipe, store)
    (answered,) = metrics(made, "candidates", Answered)
    assert answered.finishes["skipped"] == 4
    _, _, left_out = read(made, store)
    assert left_out["reason"].to_list() == ["few_candidates"]


def test_files_hold_the_columns_that_training_reads(parse: Parse, store: Store):
    (manifest,) = make(parse(), store)["pair"]
    schema = pq.read_schema(store.fetch(manifest, "validation.parquet"))
    message = "list<element: struct<role: string, content: string>>"
    assert {name: str(schema.field(name).type) for name in ("row_id", "prompt", "chosen", "rejected", "margin")} == {
        "row_id": "string",
        **dict.fromkeys(("prompt", "chosen", "rejected"), message),
        "margin": "double",
    }
    assert {file.name for file in manifest.files} == {"train.parquet", "validation.parquet", "left_out.parquet"}


def test_a_template_without_system_prompts_is_refused_where_one_is_wanted(parse: Parse, store: Store, models, tmp_path):
    silent = shutil.copytree(models["words"], tmp_path / "silent")
    template = silent / "chat_template.jinja"
    said = "{% for m in messages %}"
    template.write_text(template.read_text().replace(said, "{% for m in messages if m['role'] != 'system' %}"))
    recipe = parse(f"preference.candidates={{models: ['{silent}'], response_system: Be brief.}}")
    with pytest.raises(InputError, match=r"preference\.candidates\.response_system: .* renders no system prompt"):
        make(recipe, store)


def test_a_conversation_is_answered_at_its_end_under_its_own_system_prompt(
    parse: Parse, store: Store, mine: Path, tmp_path: Path
):
    rows = []
    for line in mine.read_text().splitlines():
        row = json.loads(line)
        said = [
            {"role": "system", "content": "gentle teacher"},
            {"role": "user", "content": row["instruction"]},
            {"role": "assistant", "content": row["response"]},
            {"role": "user", "content": "bright morning or quiet evening ?"},
            {"role": "assistant", "content": f"{row['response']} evening ."},
        ]
        rows.append({"messages": said})
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = parse("preference.candidates.response_system=honest doctor", path=path)
    made = make(recipe, store)
    _, sides, _ = read(made, store)
    pair = sides["train"].row(0, named=True)
    assert [message["role"] for message in pair["prompt"]] == ["system", "user", "assistant", "user"]
    assert pair["prompt"][0]["content"] == "gentle teacher"
    assert pair["prompt"][3]["content"] == "bright morning or quiet evening ?"
    alike = make(parse("preference.candidates.response_system=early doctor", path=path), store, "candidates")
    drawn = [table(store, each["candidates"][0], "candidates.parquet")["response"].to_list() for each in (made, alike)]
    assert drawn[0] == drawn[1], "a row's own system prompt is kept"
