"""Evaluates base and adapters on the same held-out tokens: losses with intervals, samples and speed."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.evaluation import BASE
from tuner.evaluation.bench import TIMED, Bench
from tuner.evaluation.metrics import Evaluated
from tuner.evaluation.preferring import Preferring
from tuner.evaluation.subjects import loaded_adapter, merged_adapter

if TYPE_CHECKING:
    from tuner.recipe import Recipe


def evaluate(
    recipe: "Recipe", validation: Path, adapters: dict[str, Path], folder: Path, pairs: Path | None = None
) -> Evaluated:
    """Scores the student and every adapter.

    A quantized adapter is scored on the quantized student it was trained on. The base is scored in 4 bit if all
    adapters are, for a fair comparison; `quantization` in the metrics records the format of each.

    Args:
        recipe: The recipe.
        validation: `validation.parquet` of the split.
        adapters: The folder of every adapter, by name.
        folder: Where `losses.parquet` and `samples.parquet` are written.
        pairs: `validation.parquet` of the preference pairs, if there are any.

    Raises:
        StageError: If no held-out row has a completion within `max_length`.
    """
    began = time.perf_counter()
    quantized = {name: recipe.trained[name].quantization for name in adapters}
    # Merged into 4-bit weights an adapter would be rounded to 4 bit too, so it is not served like that.
    merging = {name for name in adapters if recipe.trained[name].merges and quantized[name] is None}
    timings = TIMED * (1 + len(adapters) + len(merging))
    bench = Bench(recipe, validation, "evaluate", 1 + len(adapters), timings)
    preferring = Preferring(bench, pairs, adapters) if pairs else None
    formats = set(quantized.values())
    base_quantization = formats.pop() if len(formats) == 1 else None
    for quantization in sorted({base_quantization, *quantized.values()}, key=str):
        bench.load(quantization)
        if quantization == base_quantization:
            bench.measure(BASE, bench.model)
            if preferring:
                preferring.measure(BASE, bench.model)
        group = {name: path for name, path in adapters.items() if quantized[name] == quantization}
        for name, path in group.items():
            with loaded_adapter(bench.model, path) as model:
                bench.measure(name, model)
                if preferring:
                    preferring.measure(name, model)
        for _ in range(TIMED):
            if quantization == base_quantization:
                bench.time(BASE, bench.model, merged=False)
            for name, path in group.items():
                with loaded_adapter(bench.model, path) as model:
                    bench.time(name, model, merged=False)
                if name in merging:
                    with merged_adapter(bench.model, path) as model:
                        bench.time(name, model, merged=True)
    subjects = [BASE, *adapters]
    bench.write_losses(subjects, folder)
    bench.write_samples(subjects, folder)
    return Evaluated(
        subjects={subject: bench.loss(subject) for subject in subjects},
        differences=tuple(bench.difference(a, b) for index, b in enumerate(subjects) for a in subjects[index + 1 :]),
        speed=tuple(bench.speeds()),
        quantization={BASE: base_quantization, **quantized},
        precision=recipe.evaluation.precision,
        preferences=preferring.preferred() if preferring else {},
        divergences=preferring.divergences if preferring else {},
        lengths=preferring.lengths(subjects) if preferring else {},
        seconds=time.perf_counter() - began,
    )
