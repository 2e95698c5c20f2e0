"""The evaluation stage: base and adapters on the same held-out tokens, with intervals, samples and speed."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.evaluation import BASE
from tuner.evaluation.bench import TIMED, Bench
from tuner.evaluation.metrics import Evaluated
from tuner.evaluation.subjects import merged, wearing

if TYPE_CHECKING:
    from tuner.recipe import Recipe


def evaluate(recipe: "Recipe", validation: Path, adapters: dict[str, Path], folder: Path) -> Evaluated:
    """Scores the student and every adapter.

    A quantized adapter is scored on the quantized student it was trained on. The base is scored in 4 bit if all
    adapters are, so that like is compared with like; `quantization` in the metrics says in what everyone was scored.

    Args:
        recipe: The recipe.
        validation: `validation.parquet` of the split.
        adapters: The folder of every adapter, by name.
        folder: Gets `losses.parquet` and `samples.parquet`.

    Raises:
        StageError: If no held-out row has a completion within `max_length`.
    """
    began = time.perf_counter()
    quantized = {name: recipe.training[name].quantization for name in adapters}
    # Added into 4-bit weights an adapter would be rounded with them: nobody serves it so.
    merging = {name for name in adapters if recipe.training[name].merges and quantized[name] is None}
    timings = TIMED * (1 + len(adapters) + len(merging))
    bench = Bench(recipe, validation, "evaluate", 1 + len(adapters), timings)
    kinds = set(quantized.values())
    of_base = kinds.pop() if len(kinds) == 1 else None
    for quantization in sorted({of_base, *quantized.values()}, key=str):
        bench.load(quantization)
        if quantization == of_base:
            bench.measure(BASE, bench.model)
        mine = {name: path for name, path in adapters.items() if quantized[name] == quantization}
        for name, path in mine.items():
            with wearing(bench.model, path) as model:
                bench.measure(name, model)
        for _ in range(TIMED):
            if quantization == of_base:
                bench.time(BASE, bench.model, merged=False)
            for name, path in mine.items():
                with wearing(bench.model, path) as model:
                    bench.time(name, model, merged=False)
                if name in merging:
                    with merged(bench.model, path) as model:
                        bench.time(name, model, merged=True)
    subjects = [BASE, *adapters]
    bench.write_losses(subjects, folder)
    bench.write_samples(subjects, folder)
    return Evaluated(
        subjects={subject: bench.interval(subject) for subject in subjects},
        differences=tuple(bench.difference(a, b) for index, b in enumerate(subjects) for a in subjects[index + 1 :]),
        speed=tuple(bench.speeds()),
        quantization={BASE: of_base, **quantized},
        precision=recipe.evaluation.precision,
        seconds=time.perf_counter() - began,
    )
