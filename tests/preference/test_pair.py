"""Files of pairs from files of candidates and scores, whatever these hold."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise
from tuner.errors import InputError
from tuner.preference import candidates, score
from tuner.preference.pair import Shard, pair
from tuner.preference.pairing import Candidate, unusable
from tuner.preference.settings import Preference
from tuner.rows import MESSAGES

SIDES = ("train", "tuning", "validation")

SPLIT = pa.schema([("row_id", pa.string()), ("prompt", MESSAGES)])

ANSWERS = st.tuples(
    st.sampled_from(["sand", "Sand ", "mud", "silt", "clay", ""]),
    st.sampled_from(["stop", "stop", "stop", "length"]),
    st.one_of(st.none(), st.floats(-3, 3)),
)
INSTRUCTIONS = st.lists(
    st.tuples(
        st.sampled_from(SIDES),
        st.sampled_from(["What is in rivers?", "what is  in rivers?", "Why?", "Who?", "How?", "When?"]),
        st.lists(ANSWERS, min_size=3, max_size=6),
    ),
    min_size=1,
    max_size=12,
)
SETTINGS = st.fixed_dictionaries(
    {
        "scorer": st.just({"rules": ["form"]}),
        "rejected": st.sampled_from(["near", "min"]),
        "margin": st.sampled_from([0.0, 0.5, 2.0]),
        "pairs": st.sampled_from([None, 1, 3]),
    }
)


def write(folder: Path, instructions: list[Any]) -> tuple[dict[str, Path], list[Shard]]:
    """The files of a split and of its candidates, those of every other instruction in a second shard."""
    rows = [
        {"row_id": f"{place}", "side": side, "prompt": [{"role": "user", "content": text}]}
        for place, (side, text, _) in enumerate(instructions)
    ]
    for side in SIDES:
        held = [{key: row[key] for key in SPLIT.names} for row in rows if row["side"] == side]
        parquet.write(pa.Table.from_pylist(held, schema=SPLIT), folder / f"{side}.parquet")
    shards = []
    for number in (0, 1):
        drawn: list[dict[str, Any]] = []
        scored: list[dict[str, Any]] = []
        for place, (_, _, answers) in list(enumerate(instructions))[number::2]:
            faults = unusable([Candidate(text, finish) for text, finish, _ in answers])
            for at, ((text, finish, value), fault) in enumerate(zip(answers, faults, strict=True)):
                blank = {"seed": at, "model": "m", "adapter": "", "temperature": 1.0, "thoughts": "", "tokens": 1}
                key = {"row_id": f"{place}", "candidate": at}
                drawn.append({**key, **blank, "response": text, "finish": finish})
                scored.append({**key, "unusable": fault, "score": None if fault else value, "beaten": None})
        files = folder / f"candidates-{number}.parquet", folder / f"scores-{number}.parquet"
        parquet.write(pa.Table.from_pylist(drawn, schema=candidates.SCHEMA), files[0])
        parquet.write(pa.Table.from_pylist(scored, schema=score.SCHEMA), files[1])
        shards.append(Shard([files[0]], files[1]))
    return {side: folder / f"{side}.parquet" for side in SIDES}, shards


@given(INSTRUCTIONS, SETTINGS)
def test_pairs_hold_whatever_was_drawn(instructions: list[Any], given_settings: dict[str, Any]) -> None:
    settings = Preference.model_validate(given_settings)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        made.mkdir()
        sides, shards = write(Path(name), instructions)
        try:
            metrics = pair(sides, shards, settings, [], made)
        except InputError as error:
            assert str(error).startswith("preference: 0 pairs to train on, of ") and "\n" not in str(error)
            return
        pairs = {side: parquet.read(made / f"{side}.parquet").to_pylist() for side in SIDES}
        left_out = parquet.read(made / "left_out.parquet").to_pylist()
    every = [each for rows in pairs.values() for each in rows]
    assert metrics.pairs == {side: len(rows) for side, rows in pairs.items()} and pairs["train"]
    # Every row is in one pair at most, and has one or a reason.
    assert sorted([row["row_id"] for row in [*every, *left_out]]) == sorted(map(str, range(len(instructions))))
    # Nothing crosses sides, and no instruction has two pairs.
    for side, rows in pairs.items():
        assert all(instructions[int(row["row_id"])][0] == side for row in rows)
    asked = [normalise(row["prompt"][0]["content"]) for row in every]
    assert len(asked) == len(set(asked))
    assert len(every) <= (settings.pairs or len(every))
    for row in every:
        said = [row[name][0]["content"] for name in ("chosen", "rejected")]
        assert normalise(said[0]) != normalise(said[1]) and all(said)
        assert row["margin"] == row["score_chosen"] - row["score_rejected"] > 0
        assert row["margin"] >= settings.margin
        answers = instructions[int(row["row_id"])][2]
        for name in ("chosen", "rejected"):
            text, finish, value = answers[row[f"{name}_from"]["candidate"]]
            assert (text, finish, value) == (row[name][0]["content"], "stop", row[f"score_{name}"])


def test_more_pairs_than_wanted_are_left_out_by_the_ids_alone(tmp_path: Path) -> None:
    answers = [("sand", "stop", 1.0), ("mud", "stop", 0.0)]
    instructions = [("train", f"What is river {place}?", answers) for place in range(40)]

    def kept(count: int, pairs: int) -> list[str]:
        folder = tmp_path / f"{count}-{pairs}"
        folder.mkdir()
        settings = Preference.model_validate({"scorer": {"rules": ["form"]}, "pairs": pairs})
        pair(*write(folder, instructions[:count]), settings, [], folder)
        return parquet.read(folder / "train.parquet")["row_id"].to_pylist()

    few, more = kept(40, 10), kept(40, 20)
    assert set(few) < set(more) and len(few) == 10
    assert few == sorted(few, key=int), "in the order of the rows"
    assert few != [f"{place}" for place in range(10)], "not the first ones"


@pytest.mark.parametrize(("margin", "said"), [(1.5, "3 at 1, 4 at 0.5. Lower it"), (2, "3 at 1, 4 at 0.5. Lower it")])
def test_what_there_would_be_at_lower_margins(tmp_path: Path, margin: float, said: str) -> None:
    answers = [[("sand", "stop", top), ("mud", "stop", 0.0)] for top in (0.5, 1.0, 1.0, 1.0)]
    sides, shards = write(tmp_path, [("train", f"River {place}?", each) for place, each in enumerate(answers)])
    settings = Preference.model_validate({"scorer": {"rules": ["form"]}, "margin": margin})
    with pytest.raises(InputError) as error:
        pair(sides, shards, settings, [], tmp_path)
    line = f"preference: 0 pairs to train on, of 4 instructions: 4 low_margin; preference.margin is {margin:g}, and "
    assert str(error.value) == f"{line}there would be {said}"
