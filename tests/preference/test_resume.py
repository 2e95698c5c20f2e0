"""A process that is killed while it draws candidates costs the shard at hand, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployments.processes import PATIENCE
from tests.present import present
from tuner import loading
from tuner.artifacts.store import Store
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned

from .conftest import make

pytestmark = pytest.mark.usefixtures("float32")

RECIPE = """
name: killed
seed: 7
models: {{generator: {words}, student: {words}}}
generation: {{rows: 24, shard_rows: 8, instruction: {{max_tokens: 100}}, response: {{max_tokens: 60}}}}
curation:
  form: {{response_words: [1, 2000]}}
  repetition: {{max_word_share: 1.0, max_phrase_repeats: 50}}
  quality: {{minimum: 0.0}}
  language: null
preference: {{candidates: {{n: 8, max_tokens: 250}}, scorer: {{rules: [form, repetition]}}}}
training: {{lora: {{method: lora}}}}
"""

CHILD = """
import sys

from tests.preference.test_resume import draw
from tuner import loading
from tuner.artifacts.store import Store
from tuner.progress import listening

recipe, store = loading.load(sys.argv[1]), Store(sys.argv[2])
with listening(lambda event: print(event.stage, event.label, event.done, flush=True)):
    draw(recipe, store)
"""


def draw(recipe: Recipe, store: Store) -> list[dict]:
    """Makes all candidates, shard after shard; returns their manifests as plain data."""
    try:
        return [
            STAGES["candidates"].make(recipe, part, store).model_dump() for part in planned(recipe).of("candidates")
        ]
    finally:
        release()


def test_the_other_shards_stay_and_what_is_drawn_again_is_equal(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "killed.yaml"
    path.write_text(RECIPE.format(**models))
    recipe, store = loading.load(str(path)), Store(str(tmp_path / "store"))
    make(recipe, store, "examine")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), store.url],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in present(child.stdout):
        stage, _, number, done = line.split()
        if (stage, number) == ("candidates", "2") and int(done) > 3:
            child.kill()
            break
    assert child.wait(PATIENCE) < 0, "killed while it drew the second of three shards"
    first, second, third = planned(recipe).of("candidates")
    before = present(store.find("candidates", first.fingerprint))
    assert store.find("candidates", second.fingerprint) is None is store.find("candidates", third.fingerprint)

    after = draw(recipe, store)
    assert after[0]["attempt"] == before.attempt
    elsewhere = Store(str(tmp_path / "elsewhere"))
    make(recipe, elsewhere, "examine")
    assert [each["files"] for each in after] == [each["files"] for each in draw(recipe, elsewhere)]
    make(recipe, store, "score")
