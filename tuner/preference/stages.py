"""The stages `candidates`, `score` and `pair`: several answers to each instruction, their scores, and pairs of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuner.curation.stages import drawn
from tuner.generation.shards import ShardSpec
from tuner.preference.metrics import Answered, Paired, Scored
from tuner.preference.settings import Preference
from tuner.stage import Part, Parts, Stage, Work


@dataclass(frozen=True)
class Draw:
    """Which candidates an artifact holds.

    Attributes:
        shard: Of which shard of rows.
        key: The key of the model in the recipe; empty for the student with an adapter.
        adapter: The adapter's name; empty if there is none.
    """

    shard: ShardSpec
    key: str = ""
    adapter: str = ""


def _settings(work: Work) -> Preference:
    assert work.recipe.preference is not None
    return work.recipe.preference


def _answered(parts: Parts) -> Iterator[Part]:
    """A part for each model and shard. It hangs on that shard alone, so that more rows leave it valid."""
    recipe = parts.recipe
    if recipe.preference is None:
        return
    candidates = recipe.preference.candidates
    several = len(recipe.answering) + (candidates.adapter is not None) > 1
    shards = list(zip(drawn(parts), parts.of("examine"), strict=True))
    for number, key in enumerate(recipe.answering, 1):
        model = {
            "generator": parts.models[key.removeprefix("models.")],
            **recipe.answering_models(key).rendering("generator"),
        }
        for (rows, shard), examined in shards:
            label = f"{shard.label} model {number}" if several else shard.label
            reads = {"rows": rows, "examined": examined}
            yield CANDIDATES.part({**model, **_drawing(parts, shard)}, reads, label, subject=Draw(shard, key))
    if name := candidates.adapter:
        student = {"student": parts.models["student"], **recipe.models.rendering("student")}
        for (rows, shard), examined in shards:
            label = f"{shard.label} adapter {name}" if several else shard.label
            reads = {"rows": rows, "examined": examined, "adapter": parts.one("train", name)}
            settings = {**student, "quantization": recipe.training[name].quantization, **_drawing(parts, shard)}
            yield CANDIDATES.part(settings, reads, label, subject=Draw(shard, adapter=name))


def _drawing(parts: Parts, shard: ShardSpec) -> dict[str, object]:
    """The settings that decide the candidates of a shard, whatever draws them."""
    assert parts.recipe.preference is not None
    masking = list(parts.recipe.curation_of(shard.source).safety.masking)
    return {
        **parts.recipe.preference.candidates.drawn_by(),
        "masking": masking,
        "seed": shard.seed,
        "shard_size": shard.rows,
    }


def _answer(work: Work) -> Answered:
    from tuner.models.adapted import Adapter
    from tuner.preference.candidates import draw
    from tuner.preference.prompts import read
    from tuner.settings import settings

    which: Draw = work.part.subject
    recipe = work.recipe
    adapter = None
    if which.adapter:
        trained = work.manifest("adapter")
        folder = settings().folder("cache/adapters") / trained.fingerprint
        folder = work.store.fetch_folder(trained, "adapter", folder)
        adapter = which.adapter, Adapter(folder, recipe.training[which.adapter].quantization)
    return draw(
        read(work.file("rows", which.shard.file), work.file("examined", "checks.parquet")),
        _settings(work).candidates,
        recipe.models if which.adapter else recipe.answering_models(which.key),
        which.shard,
        recipe.curation_of(which.shard.source).safety.masking,
        work.folder,
        work.part.label,
        adapter,
    )


CANDIDATES = Stage(
    "candidates",
    1,
    Answered,
    _answered,
    _answer,
    "Draws several answers to each instruction, with `preference.candidates`.",
    gpu=True,
    exact=False,
    per="shard",
    sharded=True,
    at_once=4,  # as `generate` does
)


def _scored(parts: Parts) -> Iterator[Part]:
    recipe = parts.recipe
    if recipe.preference is None:
        return
    scorer = recipe.preference.scorer
    shared: dict[str, object] = {key: parts.models[f"preference.scorer.{key}"] for key in scorer.models}
    if scorer.judge:
        shared["date"] = recipe.models.date.isoformat()
    by_shard: dict[str, list[Part]] = {}
    for part in parts.of("candidates"):
        by_shard.setdefault(part.subject.shard.label, []).append(part)
    for (rows, shard), examined in zip(drawn(parts), parts.of("examine"), strict=True):
        rules = {"rules": list(scorer.rules), "curation": _checked(parts, shard)} if scorer.rules else {}
        sizes = {"candidates": recipe.preference.candidates.number, "shard_size": shard.rows}
        reads = {"rows": rows, "examined": examined, "candidates": by_shard[shard.label]}
        yield SCORE.part({**shared, **rules, **sizes}, reads, shard.label, subject=shard)


def _checked(parts: Parts, shard: ShardSpec) -> dict[str, object]:
    """The settings of the checks that are rules, and what decides their marks and lists."""
    curation = parts.recipe.curation_of(shard.source)
    identity = curation.identity()
    return {name: identity[name] for name in ("form", "repetition", "safety", "language", "ignore")}


def _score(work: Work) -> Scored:
    from tuner.preference.candidates import FILE, gathered
    from tuner.preference.prompts import read
    from tuner.preference.score import score

    shard: ShardSpec = work.part.subject
    return score(
        read(work.file("rows", shard.file), work.file("examined", "checks.parquet")),
        gathered(work.files("candidates", FILE)),
        _settings(work).scorer,
        work.recipe.curation_of(shard.source),
        work.recipe.models.date,
        work.folder,
        shard.label,
    )


SCORE = Stage(
    "score",
    1,
    Scored,
    _scored,
    _score,
    "Scores the answers by `preference.scorer`: a reward model, a judge or rules.",
    gpu=True,
    exact=False,
    per="shard",
    sharded=True,
)


def _paired(parts: Parts) -> Iterator[Part]:
    preference = parts.recipe.preference
    if preference is None:
        return
    settings = preference.model_dump(mode="json", include={"rejected", "margin", "pairs"})
    reads = {"split": parts.one("split"), "candidates": parts.of("candidates"), "scores": parts.of("score")}
    yield PAIR.part(settings, reads)


def _pair(work: Work) -> Paired:
    from tuner.preference.candidates import FILE
    from tuner.preference.pair import Shard, pair
    from tuner.preference.score import FILE as SCORES
    from tuner.splitting.sides import SIDES

    split = work.manifest("split")
    held = {file.name for file in split.files}
    sides = {side: work.store.fetch(split, f"{side}.parquet") for side in SIDES if f"{side}.parquet" in held}
    drawn_of: dict[str, list[int]] = {}
    for place, part in enumerate(work.part.reads["candidates"]):
        drawn_of.setdefault(part.subject.shard.label, []).append(place)
    drawn_files, scored = work.files("candidates", FILE), work.manifests("scores")
    shards = [
        Shard([drawn_files[place] for place in drawn_of[part.label]], work.store.fetch(manifest, SCORES))
        for part, manifest in zip(work.part.reads["scores"], scored, strict=True)
    ]
    return pair(sides, shards, _settings(work), [Scored.read(manifest) for manifest in scored], work.folder)


PAIR = Stage(
    "pair",
    1,
    Paired,
    _paired,
    _pair,
    "Makes preference pairs of the best answer and a worse one, on the sides of the split.",
)
