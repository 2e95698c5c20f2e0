"""The comparison as table, JSON and CSV."""

import copy
import csv
import io
import json
import math

import pytest

from tuner.report import comparison, measures
from tuner.report.contents import gather
from tuner.report.verdict import judge

from .conftest import MEASURED


@pytest.fixture
def contents(build):
    return gather(build())


def as_json(contents):
    return json.loads(json.dumps(comparison.as_json(contents, judge(contents)), allow_nan=False))


def test_json_contains_the_measured_numbers(contents):
    data = as_json(contents)
    for name, entry in MEASURED["subjects"].items():
        loss = data["subjects"][name]["held_out_loss"]
        assert (loss["value"], loss["low"], loss["high"]) == (entry["loss"], entry["low"], entry["high"])
    for entry, expected in zip(data["differences"], MEASURED["differences"], strict=True):
        assert (entry["a"], entry["b"]) == (expected["a"], expected["b"])
        assert entry["difference"] == {
            "value": expected["difference"],
            "unit": "nats per token",
            "low": expected["low"],
            "high": expected["high"],
        }
    for entry, expected in zip(data["speed"], MEASURED["speed"], strict=True):
        assert (entry["subject"], entry["merged"], entry["batch_size"]) == (
            expected["subject"],
            expected["merged"],
            expected["batch_size"],
        )
        assert entry["tokens_per_second"] == {
            "value": expected["tokens_per_second"],
            "unit": "tokens/s",
            "low": expected["low"],
            "high": expected["high"],
        }
    for name in ("lora", "prompt_tuning"):
        metrics = contents.training[name]
        subject = data["subjects"][name]
        assert subject["training_seconds"]["value"] == metrics.seconds
        assert subject["device_hours"]["value"] == pytest.approx(metrics.seconds / 3600)
        assert subject["peak_memory"]["value"] == metrics.peak_memory_bytes
        assert subject["trainable_parameters"]["value"] == metrics.trainable_parameters


def test_json_names_every_artifact(contents):
    artifacts = as_json(contents)["artifacts"]
    assert [a["label"] for a in artifacts[:2]] == ["generate", "generate"]
    assert [a["stage"] for a in artifacts[4:]] == ["curate", "split", "train", "train", "evaluate"]
    assert len({a["fingerprint"] for a in artifacts}) == len(artifacts) == 9


def test_a_number_that_is_not_finite_is_null_with_a_reason(build):
    measured = copy.deepcopy(MEASURED)
    measured["subjects"]["lora"].update(loss=math.nan, low=math.nan, high=math.nan)
    measured["speed"][0]["tokens_per_second"] = math.inf
    data = as_json(gather(build(measured)))
    assert data["subjects"]["lora"]["held_out_loss"] == {
        "value": None,
        "unit": "nats per token",
        "reason": measures.UNMEASURED,
    }


def test_json_contains_the_metrics_of_curation_and_split(contents):
    data = as_json(contents)
    assert data["curation"] == contents.curation.model_dump(mode="json")
    assert data["split"]["check"] == contents.split.check.model_dump(mode="json")


def test_every_empty_cell_has_a_footnote(contents):
    table = comparison.table(contents)
    cells = [cell for rows in table["groups"].values() for row in rows for cell in row["cells"]]
    assert all((cell["text"] == "—") == (cell["note"] is not None) for cell in cells)
    assert {cell["note"] for cell in cells} - {None} == set(range(1, len(table["notes"]) + 1))


def test_the_base_has_the_parameters_without_an_adapter(contents):
    assert as_json(contents)["subjects"]["base"]["total_parameters"]["value"] == 134_515_008


def test_rows_better_than_base_are_counted_from_the_losses(contents):
    assert contents.better_rows == {"lora": 22, "prompt_tuning": 0}


def test_csv_has_one_row_per_subject_and_the_columns_of_the_first_run(contents):
    rows = {row["subject"]: row for row in csv.DictReader(io.StringIO(comparison.as_csv(contents)))}
    assert list(rows) == ["base", "lora", "prompt_tuning"]
    assert list(rows["base"])[1:8] == [
        "method",
        "trainable_params",
        "total_params",
        "trainable_ratio_percent",
        "peak_memory_gb",
        "training_time_hours",
        "inference_tokens_per_sec",
    ]
    lora = rows["lora"]
    assert float(lora["trainable_ratio_percent"]) == pytest.approx(1.7832, abs=1e-4)
    assert float(lora["peak_memory_gb"]) == pytest.approx(1.90956, abs=1e-5)
    assert float(lora["training_time_hours"]) == pytest.approx(91.3 / 3600)
    assert float(lora["inference_tokens_per_sec"]) == 14.12
    assert float(lora["inference_tokens_per_sec_merged"]) == 21.11
    assert (lora["trainable_params"], lora["inference_batch_size"]) == ("2442240", "1")
    assert float(lora["difference_to_base_high"]) == -0.1203
    assert rows["base"]["training_time_hours"] == rows["prompt_tuning"]["inference_tokens_per_sec_merged"] == ""
