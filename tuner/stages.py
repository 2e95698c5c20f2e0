"""From an artifact's name to the artifact: fetches what a stage reads, runs it, commits what it made."""

from typing import TYPE_CHECKING

from tuner import specs
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError, StageError
from tuner.recipe import Recipe

if TYPE_CHECKING:
    from tuner.curation.texts import Shard


def make(recipe: Recipe, stage: str, label: str, store: Store) -> Manifest:
    """Makes one artifact of a recipe, or adopts it if it is there. What it is made from has to be there.

    Args:
        recipe: The recipe.
        stage: One of `tuner.specs.STAGES`.
        label: Which of the stage's artifacts: `shard 3`, an adapter's name, or empty.
        store: Where inputs come from and the artifact goes.

    Raises:
        DamagedArtifactError: If a file to be read is damaged.
        InputError: If the recipe asks for what cannot be, or the store cannot be used.
        StageError: If the stage cannot do its work.
    """
    wanted = specs.of_recipe(recipe)
    spec = next(spec for spec in wanted.of(stage) if spec.label == label)
    match stage:
        case "generate":
            from tuner.generation.stage import generate

            shard = wanted.shards.index(spec)
            return store.build(spec, lambda folder: generate(recipe, shard, folder))
        case "examine":
            return _examine(recipe, wanted, spec, store)
        case "match":
            return _match(recipe, wanted, spec, store)
        case "curate":
            return _curate(recipe, wanted, store)
        case "split":
            return _split(recipe, wanted, store)
        case "train":
            return _train(recipe, wanted, label, store)
        case "evaluate":
            return _evaluate(recipe, wanted, store)
        case "report":
            return _report(recipe, wanted, store)
        case _:
            raise ValueError(f"{stage} is no stage")


def present(store: Store, spec: Spec) -> Manifest:
    """The manifest of an artifact that an earlier stage has to have made.

    Raises:
        StageError: If it is not there.
    """
    manifest = store.find(spec.stage, spec.fingerprint)
    if manifest is None:
        raise StageError(f"{spec.stage} {spec.label}".strip() + " is missing in the store; run the stages before first")
    if problem := store.problem(manifest):
        raise DamagedArtifactError(spec.stage, spec.fingerprint, problem)
    return manifest


def _examine(recipe: Recipe, wanted: specs.Specs, spec: Spec, store: Store) -> Manifest:
    from tuner.curation.examine import examine

    shard = wanted.shards[wanted.examined.index(spec)]
    rows = store.fetch(present(store, shard), "rows.parquet")
    return store.build(spec, lambda folder: examine(rows, recipe.curation, folder))


def _match(recipe: Recipe, wanted: specs.Specs, spec: Spec, store: Store) -> Manifest:
    from tuner.curation.match import match

    number = spec.identity.get("round", 0)
    shards = _shards(recipe, wanted, store, rounds=number + 1)
    rows = (number + 1) * recipe.generation.rows
    return store.build(
        spec, lambda folder: match(shards, recipe.curation.duplicates, spec.identity["part"], rows, folder)
    )


def _shards(recipe: Recipe, wanted: specs.Specs, store: Store, rounds: int) -> "list[Shard]":
    from tuner.curation.texts import Shard
    from tuner.generation.stage import shards

    found = []
    for shard, drawn, examined in zip(shards(recipe), wanted.shards, wanted.examined, strict=True):
        if shard.round < rounds:
            manifest = present(store, examined)
            checks, signatures = (store.fetch(manifest, f"{name}.parquet") for name in ("checks", "signatures"))
            rows = store.fetch(present(store, drawn), "rows.parquet")
            found.append(Shard(rows, checks, signatures, shard.round))
    return found


def _curate(recipe: Recipe, wanted: specs.Specs, store: Store) -> Manifest:
    from tuner.curation.stage import curate

    shards = _shards(recipe, wanted, store, recipe.generation.rounds)
    matched = [present(store, spec) for spec in wanted.matched]
    edges = [store.fetch(manifest, "edges.parquet") for manifest in matched]
    unfinished = sum(manifest.metrics["unfinished_buckets"] for manifest in matched)
    return store.build(wanted.curate, lambda folder: curate(shards, edges, unfinished, recipe.curation, folder))


def _split(recipe: Recipe, wanted: specs.Specs, store: Store) -> Manifest:
    from tuner.splitting.stage import Former, split

    curated = present(store, wanted.curate)
    kept = store.fetch_all(curated, "kept")
    former = None
    if recipe.split.former:
        earlier = store.find("split", recipe.split.former)
        if earlier is None:
            raise InputError(f"split.former: there is no split {recipe.split.former[:12]}... in {store.url}")
        former = Former(store.fetch(earlier, "train.parquet"), store.fetch(earlier, "validation.parquet"))
    return store.build(wanted.split, lambda folder: split(kept, recipe.split, former, curated.metrics, folder))


def _train(recipe: Recipe, wanted: specs.Specs, name: str, store: Store) -> Manifest:
    from tuner.generation.stage import release
    from tuner.training.stage import train

    release()
    spec = wanted.training[name]
    divided = present(store, wanted.split)
    data = store.fetch(divided, "train.parquet")
    return store.build(spec, lambda folder: train(name, recipe, data, divided.metrics, spec.fingerprint, folder))


def _evaluate(recipe: Recipe, wanted: specs.Specs, store: Store) -> Manifest:
    from tuner.evaluation.stage import evaluate
    from tuner.settings import settings

    validation = store.fetch(present(store, wanted.split), "validation.parquet")
    home = settings().folder("cache/adapters")
    adapters = {
        name: store.fetch_folder(present(store, spec), "adapter", home / spec.fingerprint)
        for name, spec in wanted.training.items()
    }
    return store.build(wanted.evaluate, lambda folder: evaluate(recipe, validation, adapters, folder))


def _report(recipe: Recipe, wanted: specs.Specs, store: Store) -> Manifest:
    from tuner.report.stage import Inputs, report

    curate, evaluate = present(store, wanted.curate), present(store, wanted.evaluate)
    training = {name: present(store, spec) for name, spec in wanted.training.items()}
    inputs = Inputs(
        recipe=recipe,
        parts=[present(store, spec) for spec in (*wanted.shards, *wanted.examined, *wanted.matched)],
        curate=curate,
        split=present(store, wanted.split),
        training=training,
        evaluate=evaluate,
        rows=store.fetch_all(curate, "rows"),
        curves={name: store.fetch(manifest, "curve.parquet") for name, manifest in training.items()},
        losses=store.fetch(evaluate, "losses.parquet"),
        samples=store.fetch(evaluate, "samples.parquet"),
    )
    return store.build(wanted.report, lambda folder: report(inputs, folder))
