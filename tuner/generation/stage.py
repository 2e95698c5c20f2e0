"""The stage `generate`: Magpie, shard by shard."""

from collections.abc import Iterator

from tuner.generation.metrics import Generated
from tuner.generation.shards import shards
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    sampling = {k: v for k, v in parts.recipe.settings_of("generation").items() if k not in ("rows", "rounds")}
    for shard in shards(parts.recipe):
        own = {"seed": shard.seed, "shard": shard.number, "shard_size": shard.rows}
        settings = {"generator": parts.models["generator"], **own, **sampling}
        yield GENERATE.part(settings, {}, shard.label, subject=shard)


def _work(work: Work) -> Generated:
    from tuner.generation.generate import generate

    return generate(work.recipe, work.part.subject, work.folder)


GENERATE = Stage(
    "generate",
    1,
    Generated,
    _parts,
    _work,
    "Draws shards of a recipe's rows, those that are missing.",
    gpu=True,
    per="shard",
    divided=True,
)
