"""Garbage is removed, whatever a run or an alias refers to stays, and concurrent runs lose nothing."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.present import present
from tuner import garbage, loading
from tuner.artifacts import aliases
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import MANIFEST, Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.registry import NAMES, planned
from tuner.runs import Run

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 10, shard_rows: 5}
training: {lora: {method: lora}}
"""

NO_AGE = timedelta(seconds=-60)
"""As the age limit, this makes files that were just written count as old."""


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "AGE", NO_AGE)


def fill(folder: Path) -> dict[str, Any]:
    (folder / "part").mkdir()
    (folder / "part" / "a.bin").write_bytes(b"a" * 10)
    (folder / "b.bin").write_bytes(b"b" * 20)
    return {"method": "lora"}


def build(store: Store, name: str, inputs: dict[str, Any] | None = None, stage: str = "train") -> Manifest:
    return store.build(Spec(stage, 1, {"name": name}, inputs or {}, name), fill)


def run(store: Store, *overrides: str, name: str | None = None, until: str = "report") -> Run:
    """A completed run with all its artifacts."""
    recipe = loading.parse(RECIPE, overrides)
    wanted = planned(recipe)
    begun = Run.start(store, recipe, name, until)
    with begun.recorded():
        for stage in NAMES[: NAMES.index(until) + 1]:
            for spec in wanted.of(stage):
                store.build(spec, fill)
                begun.note(spec, "made")
    return begun


def complete(store: Store) -> set[str]:
    """The fingerprints of all artifacts, none of them damaged."""
    fingerprints = set()
    for path in store.listing("artifacts"):
        _, stage, fingerprint, *rest = path.split("/")
        if rest == [MANIFEST]:
            assert store.problem(present(store.find(stage, fingerprint))) is None
            fingerprints.add(fingerprint)
    return fingerprints


def raw(store: Store, path: str, data: bytes = b"half") -> str:
    store.replace(path, data)
    return path


@pytest.mark.usefixtures("aged")
class TestRemoved:
    def test_an_artifact_that_no_run_refers_to(self, store: Store) -> None:
        run(store)
        kept = complete(store)
        other = build(store, "other")
        (item,) = garbage.collect(store)
        assert (item.kind, item.path, item.bytes) == ("artifact", f"artifacts/train/{other.fingerprint}", 30)
        assert sorted(item.files) == [
            f"artifacts/train/{other.fingerprint}/{other.attempt}/{name}" for name in ("b.bin", "part/a.bin")
        ]
        assert complete(store) == kept
        assert not [path for path in store.listing() if other.fingerprint in path]
        assert garbage.collect(store) == []
        if store.is_local:
            assert not Path(store.root, "artifacts", "train", other.fingerprint).exists()

    def test_all_artifacts_of_a_run_whose_record_was_removed(self, store: Store) -> None:
        kept = run(store)
        before = complete(store)
        gone = run(store, "generation.rows=15", name="gone")
        store.remove([f"runs/{gone.name}/run.json"])
        garbage.collect(store)
        assert complete(store) == before, "shards that both runs used stay"
        assert store.run_names() == [kept.name]

    def test_attempts_that_no_manifest_names(self, store: Store) -> None:
        run(store)
        shard = planned(loading.parse(RECIPE)).of("generate")[0]
        before = store.listing()
        raw(store, f"artifacts/generate/{shard.fingerprint}/lost/rows.parquet")
        raw(store, f"artifacts/curate/{'0' * 64}/dead/rows/00000.parquet")
        raw(store, f"artifacts/curate/{'0' * 64}/dead/rows/00001.parquet")
        removed = garbage.collect(store)
        assert [(each.kind, each.stage, each.bytes) for each in removed] == [
            ("attempt", "curate", 8),
            ("attempt", "generate", 4),
        ]
        assert store.listing() == before

    def test_the_files_of_a_damaged_artifact(self, store: Store) -> None:
        begun = run(store)
        shard = begun.record["artifacts"][0]
        store.invalidate(DamagedArtifactError(shard["stage"], shard["fingerprint"], "damaged"))
        assert [each.kind for each in garbage.collect(store)] == ["attempt"]

    def test_partial_writes_and_no_foreign_files(self, store: Store) -> None:
        made = build(store, "a")
        aliases.point(store, "champion", run="r", adapter="a", fingerprint=made.fingerprint, why="")
        run(store, name="first")
        before = store.listing()
        partial_writes = [
            f"artifacts/train/{made.fingerprint}/{MANIFEST}.0123456789abcdef",
            "runs/first/run.json.0123456789abcdef",
            "runs/never/run.json.0123456789abcdef",
            "aliases/champion/000002.json.0123456789abcdef",
        ]
        for path in partial_writes:
            raw(store, path)
        foreign = [raw(store, path) for path in ("notes.txt", "runs/first/notes.txt", "aliases/champion/why.txt")]
        assert sorted(each.path for each in garbage.collect(store)) == sorted(partial_writes)
        assert set(store.listing()) == {*before, *foreign}

    def test_a_dry_run_reports_the_same_and_removes_nothing(self, store: Store) -> None:
        run(store)
        build(store, "other")
        raw(store, f"artifacts/curate/{'0' * 64}/dead/rows.parquet")
        before = store.listing()
        reported = garbage.collect(store, dry_run=True)
        assert store.listing() == before
        assert garbage.collect(store) == reported
        assert garbage.summary(reported) == [
            {"what": "artifact", "of": "train", "number": 1, "bytes": 30},
            {"what": "attempt", "of": "curate", "number": 1, "bytes": 4},
        ]


def test_files_younger_than_a_day_stay(store: Store) -> None:
    build(store, "other")
    raw(store, f"artifacts/curate/{'0' * 64}/dead/rows.parquet")
    raw(store, "runs/first/run.json.0123456789abcdef")
    assert garbage.collect(store) == []


def test_age_is_that_of_the_newest_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    old, busy = (f"artifacts/curate/{digit * 64}/attempt/rows/" for digit in "01")
    for path in (f"{old}0", f"{old}1", f"{busy}0", f"{busy}1"):
        raw(store, path)
        if not path.endswith(f"{busy}1"):
            os.utime(tmp_path / "store" / path, (0, 0))
    (item,) = garbage.collect(store)
    assert sorted(item.files) == [f"{old}0", f"{old}1"]


def test_an_empty_store_has_no_garbage(store: Store) -> None:
    assert garbage.collect(store) == []


@pytest.mark.usefixtures("aged")
class TestKept:
    def test_every_adapter_in_an_alias_history_and_its_inputs(self, store: Store) -> None:
        rows = build(store, "rows", stage="curate")
        data = build(store, "data", {"rows": rows.fingerprint, "more": ["0" * 64]}, stage="split")
        first, second, third = (build(store, name, {"data": data.fingerprint}) for name in ("one", "two", "three"))
        for each in (first, second):
            aliases.point(store, "champion", run="r", adapter="a", fingerprint=each.fingerprint, why="")
        garbage.collect(store)
        assert complete(store) == {each.fingerprint for each in (rows, data, first, second)}
        assert third.fingerprint not in complete(store)
        assert aliases.rollback(store, "champion").fingerprint == first.fingerprint

    def test_all_artifacts_of_a_recipe_whose_record_lists_none_yet(self, store: Store) -> None:
        recipe = run(store).record["recipe"]
        before = complete(store)
        Run.start(store, loading.Recipe.model_validate(recipe), None, "report")
        assert garbage.collect(store) == []
        assert complete(store) == before

    def test_the_former_split_of_a_recipe_and_its_inputs(self, store: Store) -> None:
        rows = build(store, "rows", stage="curate")
        former = build(store, "former", {"rows": rows.fingerprint}, stage="split")
        run(store, f"split.former={former.fingerprint}", until="curate")
        garbage.collect(store)
        assert {rows.fingerprint, former.fingerprint} <= complete(store)

    def test_the_artifacts_listed_by_a_run_of_an_older_schema(self, store: Store) -> None:
        rows = build(store, "rows", stage="older-stage")
        trained = build(store, "adapter", {"data": rows.fingerprint})
        begun = run(store, name="older", until="generate")
        entries = [{"stage": "train", "label": "x", "fingerprint": trained.fingerprint, "outcome": "made"}]
        store.write_run("older", {**begun.record, "recipe": {"of": "another schema"}, "artifacts": entries})
        garbage.collect(store)
        assert complete(store) == {rows.fingerprint, trained.fingerprint}

    def test_the_artifacts_listed_by_a_completed_run_whose_model_is_missing(self, store: Store, tmp_path: Path) -> None:
        config = tmp_path / "model" / "config.json"
        config.parent.mkdir()
        config.touch()
        run(store, f"models.student={tmp_path / 'model'}", until="train")
        before = complete(store)
        config.unlink()
        assert garbage.collect(store) == []
        assert complete(store) == before

    def test_everything_while_the_references_of_a_run_are_unknown(self, store: Store) -> None:
        begun = run(store, until="generate")
        build(store, "other")
        begun.record["recipe"]["models"]["student"] = "/nowhere"
        begun.end("interrupted")
        before = store.listing()
        line = (
            rf"^run {begun.name}: its references cannot be determined on this machine: "
            "models.student: /nowhere: not a model folder"
        )
        with pytest.raises(InputError, match=line):
            garbage.collect(store)
        assert store.listing() == before

    @pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b'{"recipe": {}, "artifacts": [1]}'])
    def test_everything_while_a_record_cannot_be_read(self, text: bytes, store: Store) -> None:
        build(store, "other")
        raw(store, "runs/damaged/run.json", text)
        before = store.listing()
        with pytest.raises(InputError, match=r"runs/damaged/run\.json is not .*remove it") as caught:
            garbage.collect(store)
        assert "\n" not in str(caught.value)
        assert store.listing() == before

    def test_everything_while_an_alias_cannot_be_read(self, store: Store) -> None:
        build(store, "other")
        raw(store, "aliases/champion/000001.json")
        before = store.listing()
        with pytest.raises(InputError, match=r"aliases/champion/000001\.json is not readable"):
            garbage.collect(store)
        assert store.listing() == before

    def test_everything_while_a_referenced_manifest_cannot_be_read(self, store: Store) -> None:
        made = build(store, "a")
        build(store, "other")
        aliases.point(store, "champion", run="r", adapter="a", fingerprint=made.fingerprint, why="")
        raw(store, f"artifacts/train/{made.fingerprint}/{MANIFEST}")
        before = store.listing()
        with pytest.raises(DamagedArtifactError, match=made.fingerprint[:12]):
            garbage.collect(store)
        assert store.listing() == before


class Interleaved(Store):
    """A store that calls a test back right after manifests were removed, when a race is most likely."""

    meanwhile: Callable[[], Any] | None = None

    def remove(self, paths: Any) -> None:
        paths = list(paths)
        super().remove(paths)
        if self.meanwhile and any(path.endswith(f"/{MANIFEST}") for path in paths):
            act, self.meanwhile = self.meanwhile, None
            act()


@pytest.mark.usefixtures("aged")
class TestConcurrently:
    def test_a_run_that_begins_gets_its_artifacts_back(self, store_url: str) -> None:
        store = Interleaved(store_url)
        recipe = loading.parse(RECIPE)
        gone = run(store)
        before = store.listing()
        store.remove([f"runs/{gone.name}/run.json"])
        build(store, "other")
        seen: list[set[str]] = []

        def begin() -> None:
            seen.append(complete(store))
            Run.start(Store(store_url), recipe, gone.name, "report")

        store.meanwhile = begin
        removed = garbage.collect(store)
        assert seen == [set()], "all manifests were removed"
        assert [each.stage for each in removed] == ["train"]
        assert set(store.listing()) == set(before)
        complete(store)

    def test_an_alias_that_is_set_keeps_the_inputs_of_its_adapter(self, store_url: str) -> None:
        store = Interleaved(store_url)
        data = build(store, "data", stage="split")
        made = build(store, "a", {"data": data.fingerprint})
        name = "aliases/champion/000001.json"
        # Set a moment ago by a process that still found the adapter complete.
        aliases.point(store, "champion", run="r", adapter="a", fingerprint=made.fingerprint, why="")
        text = present(store.read(name))
        store.remove([name])
        store.meanwhile = lambda: raw(store, name, text)
        assert garbage.collect(store) == []
        assert complete(store) == {data.fingerprint, made.fingerprint}

    def test_an_attempt_that_has_become_the_artifact_stays(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        made = build(store, "a", stage="curate")
        text = store.read(f"artifacts/curate/{made.fingerprint}/{MANIFEST}")
        store.remove([f"artifacts/curate/{made.fingerprint}/{MANIFEST}"])
        find_partial_writes = garbage._partial_writes
        path = f"artifacts/curate/{made.fingerprint}/{MANIFEST}"
        monkeypatch.setattr(
            garbage, "_partial_writes", lambda store: [*find_partial_writes(store)] * store.create(path, text)
        )
        assert garbage.collect(store) == []
        assert complete(store) == {made.fingerprint}


def collect_and_die(url: str, writes: int) -> None:
    """Kills its process at the n-th removal."""
    garbage.AGE = NO_AGE
    garbage.BATCH = 2
    remaining = [writes]
    unlink = Path.unlink

    def counted(self: Path, missing_ok: bool = False) -> None:
        remaining[0] -= 1
        if remaining[0] < 0 and url in str(self):
            os.kill(os.getpid(), signal.SIGKILL)
        unlink(self, missing_ok)

    Path.unlink = counted
    garbage.collect(Store(url))


@pytest.mark.usefixtures("aged")
@pytest.mark.parametrize("writes", [0, 1, 3, 4, 7])
def test_a_killed_collection_can_be_repeated(writes: int, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    run(store)
    kept = complete(store)
    for number in range(4):
        build(store, f"other {number}")
    raw(store, f"artifacts/curate/{'0' * 64}/dead/rows.parquet")
    child = multiprocessing.get_context("spawn").Process(target=collect_and_die, args=(store.url, writes))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert kept <= complete(store)
    garbage.collect(store)
    assert complete(store) == kept
    assert len(store.listing("artifacts")) == 3 * len(kept)


@given(
    made=st.lists(st.lists(st.integers(0, 20), max_size=3), min_size=1, max_size=12),
    pointed=st.sets(st.integers(0, 11), max_size=3),
    listed=st.sets(st.integers(0, 11), max_size=3),
)
@limits(max_examples=25)
def test_exactly_the_reachable_artifacts_stay(
    made: list[list[int]], pointed: set[int], listed: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Artifacts made from some of those before them; some pointed at by an alias, some listed by a run."""
    store = Store(str(tmp_path_factory.mktemp("store")))
    prints: list[str] = []
    inputs: list[list[int]] = []
    for number, chosen in enumerate(made):
        inputs.append([each for each in chosen if each < number])
        from_ = {"from": [prints[each] for each in inputs[-1]]}
        prints.append(store.build(Spec("train", 1, {"number": number}, from_), lambda folder: {}).fingerprint)
    roots = {each for each in pointed | listed if each < len(made)}
    for each in pointed & roots:
        aliases.point(store, "champion", run="r", adapter="a", fingerprint=prints[each], why="")
    artifacts = [{"stage": "train", "label": "", "fingerprint": prints[each]} for each in listed & roots]
    store.write_run("older", {"recipe": {}, "artifacts": artifacts, "state": "failed"})
    reached: set[int] = set()
    while roots:
        reached.add(each := roots.pop())
        roots |= set(inputs[each]) - reached
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(garbage, "AGE", NO_AGE)
        garbage.collect(store)
    assert complete(store) == {prints[each] for each in reached}
