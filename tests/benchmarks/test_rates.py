"""The sweep of learning rates: its points, what decides them, how they are kept, and the table."""

import inspect
import json
import math
from pathlib import Path

import pytest

from benchmarks import rates
from benchmarks.points import Points, code_version
from benchmarks.sweeps import excess, table
from benchmarks.sweeps import rates as around
from tests.owndata.talk import answered, asked
from tests.tiny import write_rows
from tuner.artifacts import parquet
from tuner.errors import InputError
from tuner.models.settings import Models
from tuner.training.methods import METHODS
from tuner.training.process import TrainingDivergedError

LORA = METHODS["lora"]


def test_seven_rates_stand_around_the_default_in_steps_of_half_a_power_of_ten():
    assert around(2e-4, 7) == [6.32e-06, 2e-05, 6.32e-05, 2e-4, 6.32e-4, 2e-3, 6.32e-3]


def test_the_default_is_always_among_the_rates_and_never_rounded():
    for points in range(1, 9):
        swept = around(1.2345e-4, points)
        assert len(swept) == points
        assert swept[points // 2] == 1.2345e-4
        assert swept == sorted(swept)


@pytest.mark.parametrize("method", METHODS)
def test_a_point_is_a_method_with_its_defaults_at_a_rate(method):
    default, point = rates.settings_at(method), rates.settings_at(method, 0.5)
    assert default.learning_rate == METHODS[method].model_validate({"method": method}).learning_rate
    assert point.model_dump() == {**default.model_dump(), "learning_rate": 0.5}
    assert (point.epochs, point.batch_size, point.max_length) == (2, 8, 96)


def test_a_point_is_decided_by_method_settings_rate_rows_and_code():
    point = rates.identity(rates.settings_at("lora", 1e-3), "rows", "1")
    others = [
        rates.identity(rates.settings_at("prompt_tuning", 1e-3), "rows", "1"),
        rates.identity(rates.settings_at("lora", 1e-2), "rows", "1"),
        rates.identity(rates.settings_at("lora", 1e-3).model_copy(update={"r": 4}), "rows", "1"),
        rates.identity(rates.settings_at("lora", 1e-3), "other rows", "1"),
        rates.identity(rates.settings_at("lora", 1e-3), "rows", "2"),
        rates.identity(None, "rows", "1"),
    ]
    assert all(other != point for other in others)
    assert rates.identity(None, "rows", "1") == rates.identity(None, "rows", "2")


def test_the_version_of_a_method_is_that_of_the_code_in_its_file_and_its_parents(tmp_path: Path, monkeypatch):
    class Child(LORA):
        """Another method, in this file."""

    assert code_version(LORA) != code_version(METHODS["prompt_tuning"])
    assert code_version(Child) != code_version(LORA)
    real = inspect.getfile
    changes = {
        "same": ("", "", "# a comment"),
        "documented": ("Low-rank adaptation", "Something", ""),
        "faster": ("default=1e-3", "default=2e-3", ""),
        "other": ('bias="none"', 'bias="all"', ""),
    }
    versions = {}
    for name, (before, after, comment) in changes.items():

        def copied(kind, name=name, before=before, after=after, comment=comment):
            file = tmp_path / f"{name}-{Path(real(kind)).name}"
            file.write_text(f"{comment}\n{Path(real(kind)).read_text().replace(before, after)}")
            return str(file)

        monkeypatch.setattr("benchmarks.points.inspect.getfile", copied)
        versions[name] = code_version(LORA)
        monkeypatch.undo()
    assert versions["same"] == versions["documented"] == versions["faster"] == code_version(LORA) != versions["other"]


def test_a_point_is_measured_once_even_if_it_diverged(tmp_path: Path):
    measured = []

    def measure(loss):
        return lambda scratch: measured.append(scratch) or loss

    points = Points(tmp_path)
    assert points.loss({"rate": 1}, measure(1.5)) == 1.5
    assert points.loss({"rate": 2}, measure(None)) is None
    for again in (points, Points(tmp_path)):
        assert again.loss({"rate": 1.0}, measure(9.0)) == 1.5
        assert again.loss({"rate": 2}, measure(9.0)) is None
    assert len(set(measured)) == len(measured) == 2
    assert all(scratch.parent == tmp_path for scratch in measured)


def test_a_point_whose_measurement_is_interrupted_is_measured_again_in_the_same_folder(tmp_path: Path):
    folders = []

    def interrupted(scratch):
        folders.append(scratch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Points(tmp_path).loss({"rate": 1}, interrupted)
    assert Points(tmp_path).loss({"rate": 1}, lambda scratch: folders.append(scratch) or 2.0) == 2.0
    assert folders[0] == folders[1]


def test_a_line_that_was_cut_off_costs_its_point_alone(tmp_path: Path):
    points = Points(tmp_path)
    for rate in (1, 2):
        points.loss({"rate": rate}, lambda scratch, rate=rate: float(rate))
    text = points.file.read_text()
    points.file.write_text(text[:-9])
    again = Points(tmp_path)
    assert again.loss({"rate": 2}, lambda scratch: 7.0) == 7.0
    assert [json.loads(line)["loss"] for line in points.file.read_text().splitlines()[::2]] == [1.0, 7.0]
    known = Points(tmp_path)
    assert [known.loss({"rate": rate}, lambda scratch: math.nan) for rate in (1, 2)] == [1.0, 7.0]


def test_a_sweep_measures_only_what_is_missing(tmp_path: Path):
    asked = []

    def score(settings, scratch):
        asked.append((settings.name(), settings.learning_rate))
        return settings.learning_rate

    def sweep(names, count):
        asked.clear()
        return dict(rates.sweep(names, count, Points(tmp_path), "rows", score))

    swept = sweep(["lora"], 3)
    assert list(swept["lora"]) == around(LORA.model_fields["learning_rate"].default, 3)
    assert len(asked) == 3
    sweep(["lora", "prompt_tuning"], 3)
    assert [name for name, _ in asked] == ["prompt_tuning"] * 3
    sweep(["lora"], 5)
    assert len(asked) == 2


def test_the_default_is_compared_with_the_best():
    assert excess({1: 2.0, 2: 2.1, 3: 4.0}, 2) == pytest.approx(5)
    assert excess({1: None, 2: 2.0}, 2) == 0
    assert excess({1: 2.0, 2: None}, 2) == math.inf
    assert excess({1: None, 2: None}, 2) == math.inf


def test_the_table_shows_losses_the_best_and_what_diverged():
    swept = {
        "one": {1e-4: 1.2, 3.16e-4: 1.1, 1e-3: 1.105, 3.16e-3: 1.6, 1e-2: None},
        "two": {1e-3: 1.3, 3.16e-3: 1.2, 1e-2: None, 3.16e-2: None, 1e-1: None},
        "none": {1.0: None, 3.16: None, 10.0: None, 31.6: None, 100.0: None},
    }
    lines = table(swept, untrained=1.5).splitlines()
    titles = "method | default | x 0.1 | x 0.32 | x 1 | x 3.2 | x 10 | best rate | the default's loss | above the best"
    assert lines[0] == f"| {titles} |"
    assert lines[2:5] == [
        "| `one` | 0.001 | 1.2000 | **1.1000** | 1.1050 | 1.6000† | diverged | 0.000316 | 1.1050 | 0.5 % |",
        "| `two` | 0.01 | 1.3000 | **1.2000** | diverged | diverged | diverged | 0.00316 | diverged | **diverged** |",
        "| `none` | 10 | diverged | diverged | diverged | diverged | diverged | none | diverged | **diverged** |",
    ]
    assert lines[-1].endswith(
        "1.5000 without an adapter († above it). 1 of 3 defaults are within 1 % of the best of their sweep."
    )


def test_an_unknown_method_is_refused():
    assert rates.chosen(None) == list(METHODS)
    assert rates.chosen("lora") == ["lora"]
    with pytest.raises(InputError, match="--methods: no method magic; there are lora"):
        rates.chosen("lora,magic")


@pytest.fixture
def small(tiny: Path, monkeypatch: pytest.MonkeyPatch, float32: None) -> None:
    """The tiny student instead of the default one."""
    monkeypatch.setattr(rates, "MODEL", str(tiny))
    monkeypatch.setattr(rates, "MODELS", Models(generator=str(tiny), student=str(tiny)))


def test_a_point_is_trained_and_scored_on_a_student_that_stays_as_it_is(small, tmp_path: Path):
    data, student = write_rows(tmp_path / "train.parquet", 8), rates.Student(write_rows(tmp_path / "held.parquet", 4))
    untrained = student.loss()
    trained = rates.measure(rates.settings_at("lora", 3e-2), data, student, tmp_path / "scratch")
    assert trained is not None and trained < untrained
    assert student.loss() == untrained
    assert not (tmp_path / "scratch").exists()


def test_a_training_that_diverges_has_no_loss(small, tmp_path: Path, monkeypatch):
    def diverge(job, timeout):
        job.checkpoints.mkdir()
        raise TrainingDivergedError("the loss became nan")

    monkeypatch.setattr(rates.process, "train", diverge)
    student = rates.Student(write_rows(tmp_path / "held.parquet", 4))
    assert rates.measure(rates.settings_at("lora"), tmp_path / "none", student, tmp_path / "scratch") is None
    assert not (tmp_path / "scratch").exists()


def test_rows_of_a_file_are_curated_split_and_chosen(small, tmp_path: Path):
    file = tmp_path / "rows.jsonl"
    rows = [{"instruction": asked(number), "response": answered(number)} for number in range(60)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    train, held_out = rates.write_rows(file, 20, 10, tmp_path / "one", 512)
    sides = [parquet.read(path)["row_id"].to_pylist() for path in (train, held_out)]
    assert [len(set(side)) for side in sides] == [20, 10]
    assert not {*sides[0]} & {*sides[1]}
    again = rates.write_rows(file, 20, 10, tmp_path / "two", 512)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in (train, held_out)]
    with pytest.raises(InputError, match=r"rows.jsonl: \d+ of its rows are on the side .* and 200 are wanted"):
        rates.write_rows(file, 200, 100, tmp_path / "three", 512)
