"""The stage: results moved, checkpoints gone, metrics as the contract says."""

from pathlib import Path

from tests.tiny import write_rows
from tuner.recipe import Recipe
from tuner.settings import settings
from tuner.training.stage import train

METRICS = (
    "method trainable_parameters total_parameters trainable_ratio steps epochs train_loss tokens seconds "
    "tokens_per_second peak_memory_bytes peak_memory_of adapter_bytes device dtype resumed_from_step"
)


def test_stage_leaves_the_artifact_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "t",
            "models": {"generator": str(tiny), "student": str(tiny)},
            "generation": {"rows": 1},
            "training": {"pt": {"method": "prompt_tuning", "virtual_tokens": 3, "epochs": 1, "batch_size": 6}},
        }
    )
    folder = tmp_path / "attempt"
    metrics = train("pt", recipe, write_rows(tmp_path / "train.parquet"), "f" * 64, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["adapter", "curve.parquet"]
    assert not (settings().folder("checkpoints") / ("f" * 64)).exists()
    assert list(metrics) == METRICS.split()
    assert metrics["trainable_parameters"] == 3 * 64
    assert metrics["steps"] == 2
    assert metrics["adapter_bytes"] >= 3 * 64 * 4
    assert metrics["peak_memory_of"] == "process"
