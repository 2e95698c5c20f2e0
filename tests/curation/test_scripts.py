"""Near duplicates, clusters of the split, its proof and decontamination find in Chinese, Japanese and Thai what they
find in English."""

import json
from typing import NamedTuple

import polars as pl
import pytest

from tests.splitting import rows as kept
from tests.splitting.test_split_stage import split_rows
from tuner.curation.settings import Curation
from tuner.owndata.curate import run
from tuner.splitting.check import check


class Texts(NamedTuple):
    """A question, the same with a word or two changed, another one, and an answer to each."""

    asked: str
    near: str
    other: str
    answer: str
    near_answer: str
    other_answer: str


SCRIPTS = {
    "en": Texts(
        "Explain step by step how one bakes a loaf of rye bread at home, and name every tool that is needed for it.",
        "Explain step by step how one bakes a loaf of rye bread at home, and list every tool that is needed for it.",
        "Why do ships made of steel not sink, although a nail of steel goes straight to the bottom of the harbour?",
        "Mix rye flour, water, salt and sourdough, let it rest in a warm place over night and bake it in a hot oven.",
        "Mix rye flour, water, salt and sourdough, let it rest in a warm spot over night and bake it in a hot oven.",
        "A hull is hollow, so it pushes away more water than it weighs, while a nail pushes away less than its weight.",
    ),
    "zh": Texts(
        "请一步一步地说明怎样在家里烤一个黑麦面包,并列出所需要的全部工具和材料。",
        "请一步一步地说明怎样在家里烤一个黑麦面包,并写出所需要的全部工具和材料。",
        "为什么钢铁做的大船不会沉到海底,而一枚小小的铁钉却马上沉下去?",
        "把黑麦粉、水、盐和酵头揉在一起,放在温暖的地方过夜,第二天送进烧热的烤炉里烤一个小时。",
        "把黑麦粉、水、盐和酵头揉在一起,放在暖和的地方过夜,第二天送进烧热的烤炉里烤一个小时。",
        "船身是空的,它排开的水比自己重,所以能浮起来;铁钉排开的水太少,浮力托不住它。",
    ),
    "ja": Texts(
        "家でライ麦パンを焼く方法を順番に説明し、必要な道具と材料をすべて挙げてください。",
        "家でライ麦パンを焼く方法を順番に説明し、必要な道具と材料をすべて書いてください。",
        "鋼鉄でできた船はなぜ沈まないのに、小さな釘はすぐ海の底へ沈んでしまうのですか。",
        "ライ麦粉と水と塩と発酵種を混ぜ、暖かい場所で一晩寝かせてから、熱いかまどで一時間焼きます。",
        "ライ麦粉と水と塩と発酵種を混ぜ、暖かい部屋で一晩寝かせてから、熱いかまどで一時間焼きます。",
        "船の中は空なので、自分の重さより多くの水を押しのけて浮かびます。釘が押しのける水は少なすぎます。",
    ),
    "th": Texts(
        "ช่วยอธิบายทีละขั้นตอนว่าจะอบขนมปังข้าวไรย์ที่บ้านได้อย่างไร และบอกเครื่องมือที่ต้องใช้ทั้งหมด",
        "ช่วยอธิบายทีละขั้นตอนว่าจะอบขนมปังข้าวไรย์ที่บ้านได้อย่างไร และเขียนเครื่องมือที่ต้องใช้ทั้งหมด",
        "ทำไมเรือที่สร้างจากเหล็กกล้าจึงไม่จมน้ำ ทั้งที่ตะปูตัวเล็กจมลงก้นทะเลทันที",
        "ผสมแป้งข้าวไรย์ น้ำ เกลือ และหัวเชื้อ พักไว้ในที่อบอุ่นหนึ่งคืน แล้วอบในเตาร้อนหนึ่งชั่วโมง",
        "ผสมแป้งข้าวไรย์ น้ำ เกลือ และหัวเชื้อ พักไว้ในห้องอบอุ่นหนึ่งคืน แล้วอบในเตาร้อนหนึ่งชั่วโมง",
        "ตัวเรือกลวงจึงแทนที่น้ำได้หนักกว่าตัวมันเอง ส่วนตะปูแทนที่น้ำได้น้อยเกินไปจึงลอยไม่ได้",
    ),
}
everywhere = pytest.mark.parametrize("texts", SCRIPTS.values(), ids=SCRIPTS)


def curated(rows, folder, **settings):
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps({"prompt": a, "response": b}) + "\n" for a, b in rows), encoding="utf-8")
    metrics = run(file, Curation.model_validate({"profile": "own-data", **settings}), folder / "out")
    read = pl.concat(pl.read_parquet(path) for path in (folder / "out" / "rows").iterdir())
    return metrics, [tuple(reasons) for reasons in read["reasons"]]


@everywhere
def test_of_near_duplicates_one_is_kept(texts, tmp_path):
    rows = [(texts.asked, texts.answer), (texts.near, texts.near_answer), (texts.other, texts.other_answer)]
    metrics, reasons = curated(rows, tmp_path)
    assert sorted(reasons[:2]) == [(), ("near_duplicate",)]
    assert reasons[2] == ()
    assert metrics.clusters.number == 1


@everywhere
def test_near_rows_are_one_cluster_of_the_split(texts, tmp_path):
    fillers = kept.rows([f"Filler {'x' * number}" for number in range(1, 30)], "filler")
    for name, clusters in (("near", 1), ("other", 0)):
        folder = tmp_path / name
        folder.mkdir()
        metrics, *_ = split_rows([*kept.rows([texts.asked, getattr(texts, name)]), *fillers], folder)
        assert metrics.clusters == clusters


@everywhere
def test_the_proof_of_the_split_finds_near_rows_on_both_sides(texts, tmp_path):
    train = kept.write(kept.rows([texts.asked, texts.other], "t"), tmp_path / "train.parquet")
    near = kept.write(kept.rows([texts.near], "v"), tmp_path / "near.parquet")
    other = kept.write(kept.rows([texts.other_answer], "v"), tmp_path / "other.parquet")
    found = [check(train, held_out, 0.5, 5).near_overlap for held_out in (near, other)]
    assert found == [1, 0]


@everywhere
def test_rows_that_hold_a_benchmarks_prompt_are_found(texts, tmp_path):
    prompts = tmp_path / "bench.jsonl"
    prompts.write_text(json.dumps({"question": texts.asked}), encoding="utf-8")
    rows = [
        (f"{texts.other} {texts.asked}", texts.answer),
        (texts.near, texts.answer),
        (texts.other, texts.other_answer),
    ]
    against = {"decontamination": {"against": [str(prompts)]}, "duplicates": {"near": None}}
    _, reasons = curated(rows, tmp_path, **against)
    assert "benchmark_overlap" in reasons[0]
    assert {"benchmark_overlap", "near_benchmark"} & {*reasons[1]}
    assert reasons[2] == ()


@everywhere
def test_the_words_of_instructions_are_counted(texts, tmp_path):
    metrics, _ = curated([(texts.asked, texts.answer), (texts.other, texts.other_answer)], tmp_path)
    assert metrics.diversity.distinct_1 is not None and 0.3 < metrics.diversity.distinct_1 < 1
    assert max(map(len, metrics.diversity.openings)) < 20
