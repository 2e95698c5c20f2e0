"""The stage `judge`: what a judge and a reward model say of the rows that pass all checks of single rows."""

from collections.abc import Iterator

from tuner.curation.judging.metrics import Judged
from tuner.curation.stages import drawn
from tuner.generation.shards import ShardSpec
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    curation, date = parts.recipe.curation, parts.recipe.models.date
    if curation.judging is None:
        return
    models = {key: parts.models[f"curation.judging.{key}"] for key in curation.judging.models}
    asked = {**curation.read_by("judge", "examine")["judging"], **models}
    rendering = {"date": date.isoformat()} if curation.judging.judge else {}
    for (part, shard), examined in zip(drawn(parts), parts.of("examine"), strict=True):
        yield JUDGE.part({**asked, **rendering}, {"rows": part, "examined": examined}, shard.label, subject=shard)


def _work(work: Work) -> Judged:
    from tuner.curation.judging.shard import judge_shard

    shard: ShardSpec = work.part.subject
    judging = work.recipe.curation.judging
    assert judging is not None
    rows, checks = work.file("rows", shard.file), work.file("examined", "checks.parquet")
    return judge_shard(rows, checks, judging, work.recipe.models.date, work.folder, shard.label)


JUDGE = Stage(
    "judge",
    1,
    Judged,
    _parts,
    _work,
    "Tags the rows that pass and gives them a reward, by the models of `curation.judging`.",
    gpu=True,
    exact=False,
    per="shard",
    sharded=True,
)
