"""The stage `generate`: Magpie, one artifact per shard."""

from collections.abc import Iterator

from tuner.generation.metrics import Generated
from tuner.generation.shards import shards
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    rendering = parts.recipe.models.rendering("generator")
    sampling = {k: v for k, v in parts.recipe.settings_of("generation").items() if k not in ("rows", "rounds")}
    for shard in shards(parts.recipe):
        identity = {"seed": shard.seed, "shard": shard.number, "shard_size": shard.rows}
        settings = {"generator": parts.models["generator"], **rendering, **identity, **sampling}
        yield GENERATE.part(settings, {}, shard.label, subject=shard)


def _work(work: Work) -> Generated:
    from tuner.generation.generate import generate

    return generate(work.recipe, work.part.subject, work.folder)


GENERATE = Stage(
    "generate",
    3,
    Generated,
    _parts,
    _work,
    "Generates the missing shards of a recipe's rows.",
    gpu=True,
    exact=False,
    per="shard",
    sharded=True,
    at_once=4,  # a shard's last rows leave slots free
)
