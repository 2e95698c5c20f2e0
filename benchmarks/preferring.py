"""DPO against TRL's trainer at its best, on the same pairs: `python -m benchmarks.preferring`.

The pairs are the quickstart's rows, each answer against that of another row: speed does not depend on what answers
say. Every variant trains the quickstart's LoRA for an epoch in a process of its own; the variants alternate. Seconds
are those of the training loop and of the reference's likelihoods; ours are computed once for all trainings, so they are
given apart. TRL's best is the faster of its two ways to have the reference: with the adapter off in every step, or
beforehand. It cannot group pairs by length.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.registry import planned
from tuner.settings import settings
from tuner.training.job import METRICS, Job

ROUNDS = 3
PAIRS = 48
VARIANTS = ("ours", "trl", "trl beforehand")


def measure() -> dict[str, float]:
    """Median seconds of every variant and of our reference, and the median ratio of TRL's best to ours."""
    rounds = [{name: _child(name) for name in VARIANTS} for _ in range(ROUNDS)]
    seconds = {name: statistics.median(each[name][0] for each in rounds) for name in VARIANTS}
    best = [min(each["trl"][0], sum(each["trl beforehand"])) / each["ours"][0] for each in rounds]
    reference = statistics.median(each["ours"][1] for each in rounds)
    return {**seconds, "our reference, once": reference, "best of TRL against ours": statistics.median(best)}


def _child(variant: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.preferring", variant]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, check=True)
    loop, reference = json.loads(done.stdout.strip().splitlines()[-1])
    return loop, reference


def _job(folder: Path) -> Job:
    adapter = "{method: lora, objective: dpo, epochs: 1, max_length: 512}"
    scorer = "preference={scorer: {rules: [form]}}"
    recipe = loading.load("quickstart", [f"training.lora={adapter}", scorer])
    store = Store(settings().store)
    split = store.find("split", planned(recipe).one("split").fingerprint)
    if split is None:
        raise SystemExit("run the quickstart first: its rows become pairs")
    rows = parquet.read(store.fetch(split, "train.parquet")).to_pylist()[:PAIRS]
    pairs = [
        {"row_id": row["row_id"], "prompt": row["prompt"], "chosen": row["completion"], "rejected": other["completion"]}
        for row, other in zip(rows, rows[1:] + rows[:1], strict=True)
    ]
    parquet.write(pa.Table.from_pylist(pairs), folder / "train.parquet")
    return Job(
        adapter="lora",
        settings=recipe.training["lora"],
        models=recipe.models,
        seed=recipe.seed,
        data=folder / "train.parquet",
        reference=folder / "reference" / "train.parquet",
        output=folder / "output",
        checkpoints=folder / "checkpoints",
    )


def _ours(job: Job) -> tuple[float, float]:
    from tuner.training import worker
    from tuner.training.reference import refer

    assert job.reference is not None
    folder, length = job.reference.parent, job.settings.max_length
    referred = refer(job.models, None, None, {"train": job.data}, length, False, folder, "benchmark")
    worker.train(job, sys.stderr)
    return json.loads((job.output / METRICS).read_text())["seconds"], referred.seconds


def _trl(job: Job, beforehand: bool) -> tuple[float, float]:
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    from tuner.models import loading as models
    from tuner.models import precision
    from tuner.models.chat import load
    from tuner.training import arguments

    student = load(job.models, "student")
    model: Any = models.load_model(job.models.student, precision.training())
    same = arguments.on_pairs(job)
    given = DPOConfig(
        **{name: getattr(same, name) for name in ("output_dir", "seed", "num_train_epochs", "learning_rate", "bf16")},
        per_device_train_batch_size=job.settings.batch_size,
        gradient_checkpointing=False,
        use_cpu=same.use_cpu,
        max_length=job.settings.max_length,
        beta=0.1,
        precompute_ref_log_probs=beforehand,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    pairs = parquet.read(job.data).select(["prompt", "chosen", "rejected"]).to_pylist()
    began = time.perf_counter()
    trainer = DPOTrainer(
        model=model,
        args=given,
        train_dataset=Dataset.from_list(pairs),
        processing_class=student.tokenizer,
        peft_config=job.settings.peft_config(model, job.models.student),
    )
    prepared = time.perf_counter() - began
    return trainer.train().metrics["train_runtime"], prepared if beforehand else 0.0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        for name, value in measure().items():
            print(f"{name:25}{value:8.2f}")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        job = _job(Path(scratch))
        job.checkpoints.mkdir()
        job.output.mkdir()
        figures = _ours(job) if sys.argv[1] == "ours" else _trl(job, sys.argv[1] == "trl beforehand")
    print(json.dumps(figures))
