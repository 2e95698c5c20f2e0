"""Rows of a person's own go the whole way, alone and beside drawn ones; each is traced to where it came from."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Tuner
from tests.owndata.talk import exchange

pytestmark = pytest.mark.e2e


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Forty conversations of the person's own, some of two exchanges, and one row that is none."""
    path = tmp_path / "mine.jsonl"
    rows: list[dict[str, Any]] = [{"id": f"a{number}", **exchange(number)} for number in range(30)]
    for number in range(30, 40):
        one, other = exchange(number), exchange(number + 100)
        turns = [turn for each in (one, other) for turn in (each["instruction"], each["response"])]
        roles = ("user", "assistant", "user", "assistant")
        messages = [{"role": role, "content": words} for role, words in zip(roles, turns, strict=True)]
        rows.append({"id": f"a{number}", "messages": messages})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:30]) + json.dumps({"id": "x", "instruction": "?"}))
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[30:]))
    return path


def test_own_rows_are_tuned_on_without_a_generator(
    one_adapter: Path, mine: Path, tmp_path: Path, tuner: Tuner, prefect_url: str
) -> None:
    recipe = tmp_path / "own.yaml"
    text = one_adapter.read_text()
    text = re.sub(r"models:.*\n", f"models: {{student: {re.findall(r'student: ([^}]+)', text)[0]}}}\n", text)
    own = f"generation: {{source: file, path: [{mine}, {mine.parent / 'talks.jsonl'}]}}\n"
    recipe.write_text(re.sub(r"generation:\n(?:  .*\n)+", own, re.sub(r"curation:\n(?:  .*\n)+", "", text)))

    done = tuner("run", str(recipe), PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    name = re.findall(r"^run {2,}(\S+)", done.stdout, re.M)[0]
    assert re.search(
        r"^read {2,}file: 40 rows of instruction, response or messages; 1 rows set aside: ", done.stdout, re.M
    )
    shown = json.loads(tuner("show", name, "--json").stdout)
    trained = shown["adapters"]["lora"]["training_rows"]
    assert trained and all(row.startswith("file:a") for row in trained)
    row = json.loads(tuner("show", name, "--row", trained[0], "--json").stdout)["row"]
    assert (row["source"], row["side"]) == ("file", "train") and row["origin"] == trained[0].removeprefix("file:")
    exported = tuner("export", name, "--to", str(tmp_path / "data"))
    assert exported.returncode == 0, exported.stderr
    card = (tmp_path / "data" / "README.md").read_text()
    assert "rows that existed" in card and "synthetic" not in card.split("---")[1]

    again = tuner("run", str(recipe), PREFECT_API_URL=prefect_url)
    assert again.returncode == 0
    mine.write_text(mine.read_text().replace("a7", "b7"))
    plan = json.loads(tuner("plan", str(recipe), "--json").stdout)
    assert plan["stages"][0]["stage"] == "read" and plan["stages"][0]["status"] == "missing"


def test_own_rows_stand_beside_drawn_ones(one_adapter: Path, mine: Path, tuner: Tuner, prefect_url: str) -> None:
    limits = "instruction: {max_tokens: 250}, response: {max_tokens: 250}"
    sources = f"{{magpie: {{source: magpie, rows: 16, {limits}}}, mine: {{source: file, path: {mine}}}}}"
    setting = f"generation={{shard_rows: 8, sources: {sources}}}"
    done = tuner("run", str(one_adapter), "--set", setting, PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    name = re.findall(r"^run {2,}(\S+)", done.stdout, re.M)[0]
    rows = json.loads(tuner("show", name, "--json").stdout)["adapters"]["lora"]["training_rows"]
    assert {row.partition(":")[0] if ":" in row else "magpie" for row in rows} == {"magpie", "mine"}
