"""The child process: its results, how it resumes and ends, and the errors that the parent raises."""

import io
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from tests.deployments.processes import PATIENCE, until
from tests.training.conftest import MakeJob
from tests.trainings import trainings
from tests.warm import Warm
from tuner.artifacts import parquet
from tuner.errors import InputError
from tuner.models.settings import Models
from tuner.progress import Event, listening
from tuner.training import process, worker
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

LIMIT = PATIENCE
PYTHON = sys.executable
WEIGHTS = "adapter/adapter_model.safetensors"


@pytest.fixture(autouse=True)
def imported(request: pytest.FixtureRequest, warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports a training's modules in advance."""
    monkeypatch.setattr(sys, "executable", warm.python)


def train_killed_at(job: Job, step: int) -> None:
    """Trains until a step is reported, then kills the child as the kernel would."""

    def kill(event: Event) -> None:
        if event.done == step:
            for training in trainings(job.checkpoints):
                training.kill()

    with listening(kill), pytest.raises(process.TrainingKilledError) as caught:
        process.train(job, LIMIT)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("method", "options"),
    [("lora", {"dropout": 0.2, "learning_rate": 5e-3}), ("prompt_tuning", {"virtual_tokens": 5})],
)
def test_killed_and_resumed_equals_uninterrupted(make_job: MakeJob, method: str, options: dict[str, object]) -> None:
    options |= {"epochs": 30, "gradient_accumulation": 2}  # 10 rows: 3 batches, 2 steps an epoch, 60 in all
    whole = make_job(f"whole-{method}", method, rows=10, **options)
    events: list[Event] = []
    with listening(events.append):
        metrics = process.train(whole, LIMIT)
    broken = make_job(f"broken-{method}", method, rows=10, **options)
    train_killed_at(broken, 8)  # more steps may complete before the signal arrives
    torn = broken.checkpoints / "checkpoint-99"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{")
    resumed = process.train(broken, LIMIT)

    assert (broken.output / WEIGHTS).read_bytes() == (whole.output / WEIGHTS).read_bytes()
    assert not torn.exists()
    assert metrics.resumed_from_step is None
    assert resumed.resumed_from_step in range(6, 60, 6)
    assert resumed.tokens == metrics.tokens > 0
    for job in (whole, broken):
        curve = parquet.read(job.output / "curve.parquet")
        assert curve["step"].to_pylist() == list(range(1, 61))
        assert curve["seconds"].to_pylist() == sorted(curve["seconds"].to_pylist())
    losses = [parquet.read(job.output / "curve.parquet")["loss"].to_pylist() for job in (whole, broken)]
    assert losses[0] == losses[1]
    assert metrics.train_loss == pytest.approx(sum(losses[0]) / 60)
    steps = [(event.done, event.total) for event in events if event.stage == "train"]
    assert steps == [(step, 60) for step in range(1, 61)]
    files = sorted(path.name for path in (whole.output / "adapter").iterdir())
    assert files == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((whole.output / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == whole.models.student
    assert str(whole.checkpoints) not in json.dumps(config)
    modules = config.get("target_modules") or []
    assert modules == sorted(modules)


def trained(job: Job) -> Trained:
    """Trains in this process, for tests that need no child process; returns the metrics."""
    for folder in (job.checkpoints, job.output):
        folder.mkdir(parents=True)
    worker.train(job, io.StringIO())
    return Trained.model_validate_json((job.output / METRICS).read_text())


def test_the_lines_of_its_card_load_an_adapter_from_its_folder(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job("plain", epochs=1)
    trained(job)
    elsewhere = shutil.copytree(job.output / "adapter", tmp_path / "elsewhere")
    card = (elsewhere / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", lines], cwd=elsewhere, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert f"base_model: {job.models.student}\n" in card


def test_quantized_student_trains_and_counts_its_parameters(make_job: MakeJob) -> None:
    pytest.importorskip("bitsandbytes")
    options = {"r": 4, "targets": ["q_proj", "down_proj"], "epochs": 1, "learning_rate": 1e-2}
    plain = trained(make_job("plain", **options))
    job = make_job("quantized", quantization="nf4", **options)
    metrics = trained(job)
    # Per layer: q_proj 64 -> 64 and down_proj 128 -> 64, each r * (inputs + outputs); two layers.
    assert metrics.trainable_parameters == 2 * 4 * ((64 + 64) + (128 + 64))
    assert metrics.total_parameters == plain.total_parameters
    weights = load_file(job.output / WEIGHTS)
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float32"}
    assert any(weight.abs().sum() > 0 for name, weight in weights.items() if "lora_B" in name)


def test_bad_configuration_is_an_input_error_and_leaves_no_thread(make_job: MakeJob) -> None:
    with pytest.raises(InputError, match="k_prj"):
        process.train(make_job("bad", targets=["q_proj", "k_prj"]), LIMIT)
    assert not [thread for thread in threading.enumerate() if thread.name == "train-bad"]


@pytest.mark.parametrize(
    ("options", "says"), [({"targets": ["lm_head"]}, "lm_head"), ({"max_length": 8}, "max_length")]
)
def test_bad_configuration_is_named(make_job: MakeJob, options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        trained(make_job("bad", **options))


def test_a_diverged_training_is_not_retried(make_job: MakeJob) -> None:
    job = make_job("lost", "prompt_tuning", learning_rate=99, epochs=1)
    student = poisoned(Path(job.models.student), job.output.parent / "poisoned")
    job = job.model_copy(update={"models": Models(generator=str(student), student=str(student))})
    with pytest.raises(process.TrainingDivergedError, match="step 1") as caught:
        process.train(job, LIMIT)
    assert not caught.value.retryable


def poisoned(model: Path, into: Path) -> Path:
    """A copy of a model whose final norm is NaN."""
    import shutil

    from safetensors.torch import save_file

    shutil.copytree(model, into)
    weights = load_file(into / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * float("nan")
    save_file(weights, into / "model.safetensors", metadata={"format": "pt"})
    return into


def test_timeout_stops_the_child(make_job: MakeJob) -> None:
    job = make_job("slow", epochs=1000)
    with pytest.raises(process.TrainingTimeoutError, match="TUNER_TRAIN_TIMEOUT"):
        process.train(job, 1.0)
    assert not trainings(job.checkpoints)


def test_an_exception_in_the_parent_stops_the_child(make_job: MakeJob) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    job = make_job("interrupted", epochs=1000)
    with listening(interrupt), pytest.raises(KeyboardInterrupt):
        process.train(job, LIMIT)
    assert not trainings(job.checkpoints)


def test_the_child_ends_when_its_parent_is_killed(make_job: MakeJob) -> None:
    job = make_job("orphan", epochs=1000)
    path = job.checkpoints / "parent.json"
    job.write(path)
    code = (
        "import sys; from pathlib import Path; from tuner.training import job, process\n"
        f"process.train(job.Job.read(Path(sys.argv[1])), {LIMIT})"
    )
    parent = subprocess.Popen([PYTHON, "-c", code, str(path)])
    (child,) = until(lambda: trainings(job.checkpoints), "the child has started")
    server = child.parent()
    assert server is not None
    parent.kill()
    parent.wait()
    for ended in (child, server):
        until(lambda: not ended.is_running() or ended.status() == psutil.STATUS_ZOMBIE, "the child is gone")  # noqa: B023
    # A child that does not follow its parent fails at reporting its next step.
    assert "BrokenPipeError" not in (job.checkpoints / process.LOG).read_text()
