"""The store: complete artifacts never change, unfinished ones are never read, and errors are one line."""

import errno
import multiprocessing
import os
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.conftest import s3_environment
from tests.deployments.processes import PATIENCE
from tuner.artifacts import parquet
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import MANIFEST, Store
from tuner.errors import DamagedArtifactError, InputError, UnreachableError

SPEC = Spec("curate", 1, {"min_quality": 0.5}, {"shards": ["a", "b"]}, "")
TABLE = pa.table({"row_id": ["x", "y"], "quality": [0.5, 1.0]})


def fill(folder: Path) -> dict[str, Any]:
    parquet.write(TABLE, folder / "rows.parquet")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "weights.bin").write_bytes(b"w" * 1000)
    return {"rows": 2}


@pytest.fixture
def store(store_url: str) -> Store:
    return Store(store_url)


def raw(store: Store, path: str) -> str:
    """A path below the store, for its file system."""
    return f"{store.root}/{path}"


def at(manifest: Manifest, *parts: str) -> str:
    return "/".join(("artifacts", manifest.stage, manifest.fingerprint, *parts))


def everything(store: Store) -> list[str]:
    return sorted(store._fs.find(store.root))


def refused(action: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestBuild:
    def test_an_artifact_is_made_once_and_reused_after(self, store: Store) -> None:
        made = store.build(SPEC, fill)
        reused = store.build(SPEC, lambda folder: pytest.fail("made again"))
        assert reused == made == store.find("curate", SPEC.fingerprint)
        assert list(store.manifests("curate")) == [made]

    def test_a_manifest_describes_the_artifact(self, store: Store) -> None:
        made = store.build(SPEC, fill)
        assert (made.stage, made.version, made.fingerprint) == ("curate", 1, SPEC.fingerprint)
        assert made.identity == SPEC.identity
        assert made.inputs == SPEC.inputs
        assert made.metrics == {"rows": 2}
        assert [(file.name, file.rows) for file in made.files] == [("adapter/weights.bin", None), ("rows.parquet", 2)]
        assert made.file("adapter/weights.bin").bytes == 1000
        assert {"started", "ended", "seconds", "host", "versions"} <= set(made.provenance)

    def test_files_read_back_as_written(self, store: Store, tmp_path: Path) -> None:
        made = store.build(SPEC, fill)
        assert store.problem(made) is None
        assert parquet.read(store.fetch(made, "rows.parquet")).equals(TABLE)
        folder = store.fetch_folder(made, "adapter", tmp_path / "copy")
        assert (folder / "weights.bin").read_bytes() == b"w" * 1000
        with pytest.raises(KeyError):
            store.fetch(made, "other")

    def test_a_failed_attempt_leaves_nothing_readable(self, store: Store, tmp_path: Path) -> None:
        def fail(folder: Path) -> dict[str, Any]:
            fill(folder)
            raise RuntimeError("half way")

        with pytest.raises(RuntimeError, match="half way"):
            store.build(SPEC, fail)
        assert store.find("curate", SPEC.fingerprint) is None
        assert list(store.manifests("curate")) == []
        assert everything(store) == []
        assert list((tmp_path / "home" / "scratch").iterdir()) == []
        assert store.build(SPEC, fill).metrics == {"rows": 2}

    def test_an_attempt_without_a_manifest_is_never_read(self, store: Store) -> None:
        store._fs.pipe_file(raw(store, f"artifacts/curate/{SPEC.fingerprint}/dead/rows.parquet"), b"half")
        assert store.find("curate", SPEC.fingerprint) is None
        assert list(store.manifests("curate")) == []
        made = store.build(SPEC, fill)
        assert store.problem(made) is None

    def test_two_threads_of_one_machine_make_it_once(self, store: Store) -> None:
        made: list[Path] = []

        def count(folder: Path) -> dict[str, Any]:
            made.append(folder)
            return fill(folder)

        results: list[Manifest] = []
        threads = [threading.Thread(target=lambda: results.append(store.build(SPEC, count))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 1
        assert len(results) == 4
        assert all(result == results[0] for result in results)


def race(url: str, home: Path, writer: int, ready: Any, answers: Any) -> None:
    """One of several machines: with its own TUNER_HOME, so that no lock is shared."""
    os.environ["TUNER_HOME"] = str(home)
    from tuner.settings import settings

    settings.cache_clear()

    def make(folder: Path) -> dict[str, Any]:
        (folder / "who").write_text(str(writer))
        ready.wait(30)
        return {"writer": writer}

    answers.put(Store(url).build(SPEC, make).model_dump_json())


def test_racing_machines_agree_on_one_manifest(store: Store, store_url: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(2), context.Queue()
    writers = [
        context.Process(target=race, args=(store_url, tmp_path / f"home{i}", i, ready, answers)) for i in range(2)
    ]
    for writer in writers:
        writer.start()
    results = [Manifest.model_validate_json(answers.get(timeout=PATIENCE)) for _ in writers]
    for writer in writers:
        writer.join(30)
    assert results[0] == results[1] == store.find("curate", SPEC.fingerprint)
    winner = results[0]
    assert store.problem(winner) is None
    assert store.fetch(winner, "who").read_text() == str(winner.metrics["writer"])
    # Nothing is left of the superseded attempt.
    assert everything(store) == [raw(store, at(winner, winner.attempt, "who")), raw(store, at(winner, MANIFEST))]


class TestDamage:
    @pytest.fixture
    def made(self, store: Store) -> Manifest:
        return store.build(SPEC, fill)

    def path(self, store: Store, made: Manifest, name: str) -> str:
        return raw(store, at(made, made.attempt, name))

    def damaged(self, action: Callable[[], Any]) -> DamagedArtifactError:
        with pytest.raises(DamagedArtifactError) as caught:
            action()
        assert "\n" not in str(caught.value)
        assert f"curate/{SPEC.fingerprint[:12]}" in str(caught.value)
        return caught.value

    def test_a_truncated_file_is_named(self, store: Store, made: Manifest) -> None:
        store._fs.pipe_file(self.path(store, made, "adapter/weights.bin"), b"w" * 999)
        assert store.problem(made) == "adapter/weights.bin has 999 bytes instead of 1,000"
        error = self.damaged(lambda: store.fetch(made, "adapter/weights.bin"))
        assert error.problem == "adapter/weights.bin does not match its sha256"

    def test_an_altered_file_is_named(self, store: Store, made: Manifest) -> None:
        store._fs.pipe_file(self.path(store, made, "adapter/weights.bin"), b"w" * 999 + b"v")
        error = self.damaged(lambda: store.fetch(made, "adapter/weights.bin"))
        assert error.problem == "adapter/weights.bin does not match its sha256"

    def test_a_removed_file_is_named(self, store: Store, made: Manifest) -> None:
        store._fs.rm_file(self.path(store, made, "rows.parquet"))
        assert store.problem(made) == "rows.parquet is missing"
        assert self.damaged(lambda: store.fetch(made, "rows.parquet")).problem == "rows.parquet is missing"

    def test_a_folder_with_a_damaged_file_is_not_fetched(self, store: Store, made: Manifest, tmp_path: Path) -> None:
        store._fs.rm_file(self.path(store, made, "adapter/weights.bin"))
        self.damaged(lambda: store.fetch_folder(made, "adapter", tmp_path / "copy"))

    def test_a_damaged_artifact_that_is_invalidated_is_made_again(self, store: Store, made: Manifest) -> None:
        store._fs.rm_file(self.path(store, made, "rows.parquet"))
        error = self.damaged(lambda: store.fetch(made, "rows.parquet"))
        store.invalidate(error)
        store.invalidate(error)
        assert store.find("curate", SPEC.fingerprint) is None
        again = store.build(SPEC, fill)
        assert again.attempt != made.attempt
        assert parquet.read(store.fetch(again, "rows.parquet")).equals(TABLE)

    @pytest.mark.parametrize("text", [b"", b"{", b'{"stage": "curate"}', b"\xff\xfe"])
    def test_an_unreadable_manifest_is_named_and_skipped(self, store: Store, made: Manifest, text: bytes) -> None:
        store._fs.pipe_file(raw(store, at(made, MANIFEST)), text)
        assert self.damaged(lambda: store.find("curate", SPEC.fingerprint)).problem == "manifest.json is not readable"
        assert list(store.manifests("curate")) == []

    def test_a_damaged_local_copy_is_fetched_again(self, s3_url: str) -> None:
        store = Store(s3_url)
        made = store.build(SPEC, fill)
        copy = store.fetch(made, "adapter/weights.bin")
        copy.write_bytes(b"other")
        assert store.fetch(made, "adapter/weights.bin").read_bytes() == b"w" * 1000


NAMES = ["[x]", "a[", "*", "?", "{a,b}", "[/b]", ":cat:", "a b", "é", "%41", "#", "[0-9]*"]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_not_a_pattern(name: str, store_url: str) -> None:
    store, other = Store(f"{store_url}/{name}"), Store(f"{store_url}/x")
    made, theirs = store.build(SPEC, fill), other.build(SPEC, fill)
    assert store.find("curate", SPEC.fingerprint) == made
    assert store.problem(made) is None
    assert [file.name for file in made.files] == ["adapter/weights.bin", "rows.parquet"]
    assert store.fetch(made, "adapter/weights.bin").read_bytes() == b"w" * 1000
    assert list(store.manifests("curate")) == [made]
    store.write_run(name.replace("/", ""), {})
    store.remove(store.listing())
    assert store.listing() == {}
    assert other.find("curate", SPEC.fingerprint) == theirs
    assert other.problem(theirs) is None


class TestRuns:
    def test_a_run_is_replaced_atomically(self, store: Store) -> None:
        assert store.read_run("first") is None
        assert store.run_names() == []
        store.write_run("first", {"state": "running", "notes": ["x"] * 100})
        store.write_run("first", {"state": "completed"})
        store.write_run("another", {})
        assert store.read_run("first") == {"state": "completed"}
        assert store.run_names() == ["another", "first"]
        assert len(everything(store)) == 2

    @pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000])
    def test_a_run_that_cannot_be_read_is_named(self, store: Store, text: bytes) -> None:
        store.write_run("first", {})
        store._fs.pipe_file(raw(store, "runs/first/run.json"), text)
        line = refused(lambda: store.read_run("first"))
        assert line == f"{store.url}/runs/first/run.json is not readable; remove it to start again"

    def test_readers_never_see_half_a_run(self, tmp_path: Path) -> None:
        store = Store(str(tmp_path / "store"))
        records = [{"state": state, "filler": [state] * 20_000} for state in ("running", "completed")]
        store.write_run("first", records[0])
        done = threading.Event()

        def write() -> None:
            for index in range(20):
                store.write_run("first", records[index % 2])
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        while not done.is_set():
            assert store.read_run("first") in records
        thread.join()


class TestFolder:
    @pytest.mark.parametrize("url", ["gs://bucket/x", "http://host/x", "memory://x"])
    def test_another_scheme_is_refused(self, url: str) -> None:
        line = refused(lambda: Store(url))
        assert line.startswith(f"TUNER_STORE: {url}: a store is a folder or s3://bucket/prefix")

    def test_a_relative_folder_is_made_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert Store("./here").url == str(tmp_path / "here")
        assert Store(f"file://{tmp_path}/here").url == str(tmp_path / "here")

    @pytest.mark.parametrize("spelling", ["{}/a//b", "{}//a/./b/", "{}/./a/b//", "/{}/a/b", "file://{}//a/b/."])
    def test_spellings_of_a_folder_are_the_same_store(self, spelling: str, tmp_path: Path) -> None:
        made = Store(f"{tmp_path}/a/b").build(SPEC, fill)
        store = Store(spelling.format(tmp_path))
        assert store.find("curate", SPEC.fingerprint) == made
        assert store.problem(made) is None
        assert list(store.manifests("curate")) == [made]

    def test_a_store_below_a_file_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        store = Store(str(tmp_path / "file" / "store"))
        assert store.find("curate", SPEC.fingerprint) is None
        for action in (lambda: store.write_run("first", {}), lambda: store.build(SPEC, fill)):
            line = refused(action)
            assert line.startswith(f"store {store.url}: cannot be used (")
            assert line.endswith("set TUNER_STORE to a folder you can write")

    def test_equal_tables_give_equal_bytes(self, tmp_path: Path) -> None:
        table = pa.table({"id": [str(i) for i in range(500)], "text": [f"{i % 7}" for i in range(500)]})
        in_pieces = pa.concat_tables([table.slice(0, 123), table.slice(123)])
        described = table.replace_schema_metadata({"clock": "now"})
        for name, same in {"whole": table, "pieces": in_pieces, "described": described}.items():
            parquet.write(same, tmp_path / name)
        whole = (tmp_path / "whole").read_bytes()
        assert (tmp_path / "pieces").read_bytes() == whole
        assert (tmp_path / "described").read_bytes() == whole


@pytest.fixture
def small_disk(tmpfs: Callable[[str], Path | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk of 1 MB where mounting is allowed, else a file system that fails as if it were full."""
    if mounted := tmpfs("1m"):
        return mounted
    from fsspec.implementations.local import LocalFileSystem

    def put_half(self: LocalFileSystem, source: str, target: str, **options: Any) -> None:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(Path(source).read_bytes()[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(LocalFileSystem, "put_file", put_half)
    return tmp_path / "disk"


def test_a_full_disk_is_reported_and_leaves_no_partial_files(small_disk: Path) -> None:
    store = Store(str(small_disk / "store"))

    def make(folder: Path) -> dict[str, Any]:
        (folder / "a.bin").write_bytes(b"a" * 300_000)
        (folder / "b.bin").write_bytes(b"b" * 3_000_000)
        return {}

    line = refused(lambda: store.build(SPEC, make))
    assert line.startswith(f"store {store.url}: the disk is full; free space and run the same command again")
    assert store.find("curate", SPEC.fingerprint) is None
    assert everything(store) == []


class TestS3:
    def error_lines(self, url: str, reads: bool = True) -> list[str]:
        """The error messages of reading and writing the store."""
        store = Store(url)
        actions: list[Callable[[], Any]] = [lambda: store.write_run("first", {}), lambda: store.build(SPEC, fill)]
        if reads:
            actions += [lambda: store.find("curate", "0"), store.run_names, lambda: list(store.manifests("curate"))]
        return [refused(action) for action in actions]

    def test_a_bucket_that_is_not_there(self, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        s3_environment(monkeypatch, s3_endpoint)
        url = f"s3://no-{uuid.uuid4().hex}/prefix"
        for line in self.error_lines(url, reads=False):
            assert line == f"store {url}: there is no such bucket; create it first"

    def test_an_endpoint_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        s3_environment(monkeypatch, f"http://127.0.0.1:{port}")
        store = Store("s3://bucket/prefix")
        with pytest.raises(UnreachableError) as caught:
            store.find("curate", "0")
        assert str(caught.value).startswith("store s3://bucket/prefix: not reachable (")
        assert str(caught.value).endswith("); try again, or check AWS_ENDPOINT_URL")

    def test_an_endpoint_that_is_no_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3_environment(monkeypatch, "nonsense")
        for line in self.error_lines("s3://bucket/prefix"):
            assert line == (
                "store s3://bucket/prefix: not reachable (Invalid endpoint: nonsense); check AWS_ENDPOINT_URL"
            )

    def test_credentials_that_are_refused(self, refusing_s3: str) -> None:
        for line in self.error_lines("s3://bucket/prefix"):
            assert line.startswith("store s3://bucket/prefix: access refused (")
            assert line.endswith("check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")

    def test_credentials_that_are_missing(
        self, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        s3_environment(monkeypatch, s3_endpoint)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        line = refused(lambda: Store("s3://bucket/prefix").write_run("first", {}))
        assert line.startswith("store s3://bucket/prefix: access refused (Unable to locate credentials)")

    def test_spellings_of_a_prefix_are_the_same_store(self, s3_url: str) -> None:
        made = Store(f"{s3_url}/a/b").build(SPEC, fill)
        for spelling in (f"{s3_url}//a//b", f"{s3_url}/a/./b//", s3_url.replace("/prefix", "//prefix/a/b")):
            store = Store(spelling)
            assert store.find("curate", SPEC.fingerprint) == made
            assert store.problem(made) is None

    def test_a_store_keeps_to_its_prefix(self, s3_url: str) -> None:
        one, other = Store(s3_url), Store(f"{s3_url}-other/deep/")
        made = one.build(SPEC, fill)
        assert other.find("curate", SPEC.fingerprint) is None
        assert one.uri(made, "rows.parquet") == f"{s3_url}/{at(made, made.attempt, 'rows.parquet')}"
