"""An export contains both sides unchanged, every other row with its reasons, and nothing else."""

import json
from pathlib import Path

import polars as pl
import pytest
from huggingface_hub import DatasetCard
from pyarrow import parquet

from tuner import hashing
from tuner.curation.reasons import REASONS
from tuner.errors import DamagedArtifactError, InputError
from tuner.export.dataset import RECORD, fill
from tuner.recipe import Recipe
from tuner.registry import planned

from .conftest import SECRET


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A cache of `datasets` below `tmp_path`, which works offline."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    return str(tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_the_files_of_an_export(store, finished, folder):
    about = fill(store, finished(), folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["README.md", "data/train.parquet", "data/validation.parquet", RECORD, "rejected/rejected.parquet"]
    assert json.loads((folder / RECORD).read_text()) == about
    assert about["run"] == "first"
    assert about["files"] == {name: hashing.of_file(folder / name) for name in files if name != RECORD}
    assert sum(about["rows"].values()) == 40
    assert about["rows"]["rejected"] == 6


def test_the_sides_have_the_bytes_of_the_run(store, finished, folder):
    record = finished()
    fill(store, record, folder)
    wanted = planned(Recipe.model_validate(record["recipe"]))
    split = store.find("split", wanted.one("split").fingerprint)
    for side in ("train", "validation"):
        assert (folder / "data" / f"{side}.parquet").read_bytes() == store.fetch(split, f"{side}.parquet").read_bytes()


def test_every_other_row_has_its_reasons(store, finished, folder):
    fill(store, finished(), folder)
    rejected = pl.read_parquet(folder / "rejected" / "rejected.parquet")
    reasons = dict(rejected.select("row_id", "reasons").iter_rows())
    assert set(reasons) == {f"42-{shard}-{index}" for shard in (0, 1) for index in (3, 5, 7)}
    assert "short_response" in reasons["42-0-5"]
    assert (reasons["42-0-3"], reasons["42-0-7"]) == (["duplicate"], ["personal_data"])
    assert rejected.filter(row_id="42-1-3")["duplicate_of"].to_list() == ["42-1-2"]


def test_texts_rejected_as_toxic_or_personal_are_withheld(store, finished, folder):
    fill(store, finished(), folder)
    rejected = pl.read_parquet(folder / "rejected" / "rejected.parquet")
    for row in rejected.to_dicts():
        withheld = "personal_data" in row["reasons"]
        assert [row[name] is None for name in ("instruction", "response", "messages")] == [withheld] * 3
    assert "response_prompt" not in rejected.columns
    assert not [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_rows_on_neither_side_are_among_the_rejected(store, finished, folder):
    earlier = planned(Recipe.model_validate(finished()["recipe"])).one("split").fingerprint
    again = finished("split", "second", (f"split.former={earlier}", "seed=43"))
    about = fill(store, again, folder)
    assert sum(about["rows"].values()) == 40
    others = pl.read_parquet(folder / "rejected" / "rejected.parquet")
    left_out = others.filter(pl.col("reasons").list.contains("near_other_side"))
    assert len(left_out) == about["rows"]["rejected"] - 6 > 0
    assert f"{len(left_out)} more stand on neither" in (folder / "README.md").read_text()
    assert left_out["instruction"].null_count() == 0


def test_an_export_loads_offline(store, finished, folder, hub_cache):
    import datasets

    about = fill(store, finished(), folder)
    loaded = datasets.load_dataset(str(folder), cache_dir=hub_cache)
    assert {name: len(rows) for name, rows in loaded.items()} == {
        name: about["rows"][name] for name in ("train", "validation")
    }
    assert loaded["train"][0]["prompt"][0]["role"] == "user"
    others = datasets.load_dataset(str(folder), "rejected", split="rejected", cache_dir=hub_cache)
    assert len(others) == about["rows"]["rejected"]
    file = str(folder / "data" / "train.parquet")
    plain = datasets.load_dataset("parquet", data_files=file, split="train", cache_dir=hub_cache)
    assert plain["row_id"] == loaded["train"]["row_id"]


def test_a_tuning_side_is_exported_as_a_split_of_its_own(store, finished, folder, hub_cache):
    import datasets

    record = finished("split", "tuned", ("split.tuning=0.3",))
    about = fill(store, record, folder)
    assert list(about["rows"]) == ["train", "tuning", "validation", "rejected"]
    assert sum(about["rows"].values()) == 40
    split = store.find("split", planned(Recipe.model_validate(record["recipe"])).one("split").fingerprint)
    exported = (folder / "data" / "tuning.parquet").read_bytes()
    assert exported == store.fetch(split, "tuning.parquet").read_bytes()
    loaded = datasets.load_dataset(str(folder), cache_dir=hub_cache)
    assert {name: len(rows) for name, rows in loaded.items()} == {
        name: about["rows"][name] for name in ("train", "tuning", "validation")
    }
    text = (folder / "README.md").read_text()
    assert f"{about['rows']['tuning']} are to choose settings by" in text
    for side, other in (("held-out", "training"), ("tuning", "training"), ("held-out", "tuning")):
        table = text.split(f"| {side} rows whose instruction | rows |\n| --- | ---: |\n")
        assert any(part.startswith(f"| equals one in {other} | 0 |\n| is near to one in {other} (") for part in table)
    assert "  tuning: 0.3" in text


def test_without_rejected_rows_there_is_no_file_for_them(store, finished, folder, hub_cache):
    import datasets

    about = fill(store, finished("split", "all", (f"curation.ignore=[{', '.join(REASONS)}]",)), folder)
    assert list(about["rows"]) == ["train", "validation"]
    assert not (folder / "rejected").exists()
    assert "others" not in (folder / "README.md").read_text()
    assert list(datasets.load_dataset(str(folder), cache_dir=hub_cache)) == ["train", "validation"]


def test_the_hub_can_read_the_header_of_the_card(store, finished, folder):
    about = fill(store, finished(), folder)
    data = DatasetCard.load(folder / "README.md").data.to_dict()
    assert data["license"] == "apache-2.0"
    assert data["task_categories"] == ["text-generation"]
    assert {"synthetic", "magpie"} <= set(data["tags"])
    assert data["size_categories"] == ["n<1K"]
    assert data["language"] == ["en"]
    paths = [each["path"] for config in data["configs"] for each in config["data_files"]]
    assert all((folder / path).exists() for path in paths)
    text = (folder / "README.md").read_text()
    assert f"{about['rows']['train']} rows train, {about['rows']['validation']} are held out" in text
    assert "| equals one in training | 0 |" in text


@pytest.mark.parametrize("until", ["examine", "curate"])
def test_a_run_without_a_split_has_nothing_to_export(until, store, finished, folder):
    with pytest.raises(InputError, match=f"first: has no split yet .*until {until}") as refused:
        fill(store, finished(until), folder)
    assert "\n" not in str(refused.value)


def test_a_damaged_file_is_not_exported(store, finished, folder):
    record = finished()
    wanted = planned(Recipe.model_validate(record["recipe"]))
    path = Path(store.fetch(store.find("split", wanted.one("split").fingerprint), "train.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DamagedArtifactError):
        fill(store, record, folder)


def test_a_shard_without_rejected_rows_gives_no_empty_row_group(store, finished, folder):
    ignored = ", ".join(reason for reason in REASONS if reason != "below_target")
    about = fill(
        store, finished("split", "some", ("curation.quality.top_k=39", f"curation.ignore=[{ignored}]")), folder
    )
    assert about["rows"]["rejected"] == 1
    # `datasets` does not read a row group without rows.
    assert parquet.read_metadata(folder / "rejected" / "rejected.parquet").num_row_groups == 1
