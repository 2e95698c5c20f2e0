"""The stage `generate`: draws rows with a model, one artifact per shard."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tuner.generation.metrics import Generated
from tuner.generation.shards import DEFAULT, shards
from tuner.stage import Part, Parts, Stage, Work

if TYPE_CHECKING:
    from tuner.generation.shards import ShardSpec


def _parts(parts: Parts) -> Iterator[Part]:
    from tuner.generation.sources import Drawn, Refine
    from tuner.reading.settings import Texts

    recipe = parts.recipe
    made: dict[str, list[Part]] = {}
    for name, source in recipe.generation.sources.items():
        if not isinstance(source, Drawn):
            continue
        models = recipe.generator_models(name)
        shared = {
            "generator": parts.models[recipe.generator_key(name).removeprefix("models.")],
            **models.rendering("generator"),
            **({} if name == DEFAULT else {"name": name}),
            **source.identity(),
        }
        made[name] = []
        for shard in shards(recipe, name):
            weights = {"weights": list(shard.weights)} if shard.weights else {}
            identity = {"seed": shard.seed, "shard": shard.number, "shard_size": shard.rows, **weights}
            reads: dict[str, Part] = {}
            if isinstance(source, Texts):
                reads = {"texts": parts.one("read", name)}
            elif isinstance(source, Refine):
                drafts = made[source.of] if source.of in made else [parts.one("read", source.of)]
                reads = {"drafts": _of(drafts, shard)}
            made[name].append(GENERATE.part({**shared, **identity}, reads, shard.label, subject=shard))
        yield from made[name]


def _of(drafts: list[Part], shard: "ShardSpec") -> Part:
    """The artifact that holds what a shard is made from."""
    at = (shard.round, shard.number)
    return next(draft for draft in drafts if draft.stage == "read" or (draft.subject.round, draft.subject.number) == at)


def _made_from(work: Work) -> list[dict[str, Any]]:
    from tuner.artifacts import parquet
    from tuner.reading.read import TEXTS, rows_of

    shard: ShardSpec = work.part.subject
    for role, parts in work.part.reads.items():
        (part,) = parts
        manifest = work.manifest(role)
        if role == "texts":
            return parquet.read(work.store.fetch(manifest, TEXTS)).slice(shard.begin, shard.rows).to_pylist()
        if part.stage == "read":
            return rows_of(work.store.fetch_all(manifest, "rows"), shard.begin, shard.rows)
        return parquet.read(work.store.fetch(manifest, "rows.parquet")).to_pylist()
    return []


def _work(work: Work) -> Generated:
    from tuner.generation.generate import generate

    return generate(work.recipe, work.part.subject, work.folder, _made_from(work))


GENERATE = Stage(
    "generate",
    4,
    Generated,
    _parts,
    _work,
    "Draws the missing shards of a recipe's rows with a model.",
    gpu=True,
    exact=False,
    per="shard",
    sharded=True,
    at_once=4,  # a shard's last rows leave slots free
)
