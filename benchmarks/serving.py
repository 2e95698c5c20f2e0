"""What is left of adapters where a server computes in bfloat16: beside the weights, or merged into them in float32.

    python -m benchmarks.serving RUN

Each adapter of a run is scored on the run's held-out rows in float32, in bfloat16 beside the weights, as vLLM serves a
LoRA, and merged in float32 into weights that are then stored in bfloat16; every loss less the base model's of the same
type. An adapter whose method does not merge is left out.
"""

import sys
from typing import Any

import torch

from tuner import adapters, runs
from tuner.artifacts.store import Store
from tuner.evaluation.bench import Bench
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import loading
from tuner.models.adapted import put_on
from tuner.registry import planned
from tuner.settings import settings
from tuner.splitting.sides import SIDES, VALIDATION, file_of
from tuner.stage import require_artifact


def main() -> None:
    """Prints each difference with its 95 % interval."""
    store = Store(settings().store)
    record = runs.find(store, sys.argv[1])
    recipe = runs.recipe_of(record)
    split = require_artifact(store, planned(recipe).one("split"))
    bench = Bench(recipe, store.fetch(split, file_of(SIDES[VALIDATION])), "serving", 1)
    cache = settings().folder("cache/adapters")
    folders = {
        name: store.fetch_folder(manifest, "adapter", cache / manifest.fingerprint)
        for name, (manifest, _) in adapters.of_run(store, record).items()
        if recipe.training[name].merges and recipe.training[name].quantization is None
    }

    def student(dtype: torch.dtype) -> Any:
        return loading.load_model(recipe.models.student, dtype)

    def print_difference(name: str, how: str, base: str) -> None:
        found = bench.difference(f"{name} {how}", base)
        print(f"{name:16} {how:20} {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]", flush=True)

    for dtype, how in ((torch.float32, "float32"), (torch.bfloat16, "bfloat16")):
        model = student(dtype)
        bench.score(how, model)
        for name, folder in folders.items():
            with loaded_adapter(model, folder) as adapted:
                bench.score(f"{name} {how}", adapted)
            print_difference(name, how, how)
    for name, folder in folders.items():
        merged = put_on(student(torch.float32), folder).merge_and_unload().to(torch.bfloat16)
        bench.score(f"{name} merged, bfloat16", merged)
        print_difference(name, "merged, bfloat16", "bfloat16")


if __name__ == "__main__":
    main()
