"""Others may write into a store: no name in it leads outside, and no manifest passes for another artifact's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.artifacts.conftest import Trained
from tuner import garbage, loading, runs
from tuner.artifacts import aliases
from tuner.artifacts.files import checked
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import MANIFEST, Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.runs import Run

NAME = "adapter/adapter_model.safetensors"
OUTSIDE = [
    "../x",
    "../../../../victim",
    "adapter/../../x",
    "/etc/passwd",
    "adapter//x",
    "./x",
    "x/",
    "",
    "a\nb",
    "a\0b",
]

Change = Callable[[dict[str, Any]], Any]


def place(manifest: Manifest) -> str:
    return f"artifacts/{manifest.stage}/{manifest.fingerprint}"


def forge(store: Store, manifest: Manifest, change: Change) -> None:
    path = f"{place(manifest)}/{MANIFEST}"
    data = json.loads(store.read(path) or b"")
    change(data)
    store.replace(path, json.dumps(data).encode())


def problem(store: Store, manifest: Manifest) -> str:
    """The problem in the one-line error of `find`; the listing of manifests skips the artifact."""
    with pytest.raises(DamagedArtifactError) as caught:
        store.find(manifest.stage, manifest.fingerprint)
    assert "\n" not in str(caught.value)
    assert (caught.value.stage, caught.value.fingerprint) == (manifest.stage, manifest.fingerprint)
    assert manifest.fingerprint not in {each.fingerprint for each in store.manifests(manifest.stage)}
    return caught.value.problem


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_that_would_lie_outside_is_refused(name: str, store: Store, trained: Trained) -> None:
    made = trained("a")
    forge(store, made, lambda data: data["files"][0].update(name=name))
    assert problem(store, made) == "manifest.json names a file outside the artifact"
    store.invalidate(DamagedArtifactError(made.stage, made.fingerprint, ""))
    assert store.problem(trained("a")) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(attempt="../../x"),
        lambda data: data.update(attempt=".."),
        lambda data: data["files"][0].update(sha256="../../../x"),
        lambda data: data["files"][0].update(sha256="/etc/passwd"),
        lambda data: data.update(stage="../train"),
        lambda data: data.update(fingerprint="../x"),
    ],
)
def test_other_names_that_become_paths_are_checked(change: Change, store: Store, trained: Trained) -> None:
    made = trained("a")
    forge(store, made, change)
    assert problem(store, made) == "manifest.json is not readable"


def test_a_manifest_counts_only_in_its_own_folder(store: Store, trained: Trained) -> None:
    a, b = trained("a"), trained("b")
    texts = [store.read(f"{place(each)}/{MANIFEST}") or b"" for each in (a, b)]
    for manifest, text in zip((a, b), reversed(texts), strict=True):
        store.replace(f"{place(manifest)}/{MANIFEST}", text)
        assert problem(store, manifest) == "manifest.json belongs to another artifact"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["identity"].update(name="b"),
        lambda data: data.update(version=2),
        lambda data: data.update(inputs={"data": "x"}),
        lambda data: data["identity"].update(rate=float("nan")),
    ],
)
def test_a_fingerprint_must_follow_from_the_rest_of_the_manifest(
    change: Change, store: Store, trained: Trained
) -> None:
    made = trained("a")
    forge(store, made, change)
    assert problem(store, made) == "manifest.json belongs to another artifact"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "runs/../../x", "a//b"])
def test_no_path_leads_out_of_the_store(path: str, store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("theirs")
    uses: list[Callable[[], Any]] = [
        lambda: store.read(path),
        lambda: store.listing(path),
        lambda: store.replace(path, b""),
        lambda: store.create(path, b""),
        lambda: store.upload(tmp_path / "x", path),
        lambda: store.download(path, tmp_path / "y"),
        lambda: store.remove([path]),
        lambda: store.find("train", path),
        lambda: store.read_run(path),
    ]
    for use in uses:
        with pytest.raises(InputError, match=r"^store .* is not a path below a folder$"):
            use()
    assert (tmp_path / "x").read_text() == "theirs"
    assert not (tmp_path / "y").exists()


@given(st.lists(st.sampled_from(["a", "..", ".", "", "é", "a b", "[x]", "\n"]), min_size=1, max_size=5).map("/".join))
def test_a_checked_path_stays_below(path: str) -> None:
    try:
        assert Path("/store").joinpath(checked(path)).relative_to("/store").as_posix() == path
        assert ".." not in path.split("/")
    except ValueError:
        assert {"..", ".", "", "\n"} & set(path.split("/"))


class TestLinks:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return Store(str(tmp_path / "store"))

    @pytest.fixture
    def victim(self, tmp_path: Path) -> Path:
        folder = tmp_path / "victim"
        folder.mkdir()
        return folder

    def test_a_file_replaced_by_a_link_is_missing(self, store: Store, trained: Trained, victim: Path) -> None:
        made = trained("a")
        path = Path(store.root, place(made), made.attempt, NAME)
        path.rename(victim / "weights")  # with the very bytes that the manifest names
        path.symlink_to(victim / "weights")
        assert store.problem(made) == f"{NAME} is missing"
        with pytest.raises(DamagedArtifactError, match="is a symbolic link"):
            store.fetch(made, NAME)
        store.invalidate(DamagedArtifactError("train", made.fingerprint, ""))
        assert store.problem(trained("a")) is None
        assert (victim / "weights").exists()

    @pytest.mark.parametrize("linked", ["artifacts", "artifacts/train", "artifacts/train/FINGERPRINT"])
    def test_a_folder_that_is_a_link_is_named(self, linked: str, store: Store, trained: Trained, victim: Path) -> None:
        made = trained("a")
        path = Path(store.root, linked.replace("FINGERPRINT", made.fingerprint))
        path.rename(victim / "there")
        path.symlink_to(victim / "there")
        for use in (lambda: store.find("train", made.fingerprint), lambda: trained("a")):
            with pytest.raises(
                InputError, match=r"manifest.json is a symbolic link, or lies behind one; replace the link by"
            ):
                use()

    def test_nothing_is_written_or_removed_behind_a_link(self, store: Store, victim: Path) -> None:
        (victim / "run.json").write_text("theirs")
        Path(store.root, "runs").mkdir(parents=True)
        Path(store.root, "runs", "first").symlink_to(victim)
        for use in (lambda: store.write_run("first", {}), lambda: store.remove(["runs/first/run.json"])):
            with pytest.raises(InputError, match="is a symbolic link"):
                use()
        assert (victim / "run.json").read_text() == "theirs"
        assert store.run_names() == []

    def test_the_store_itself_may_be_a_link(self, trained: Trained, store: Store, tmp_path: Path) -> None:
        made = trained("a")
        (tmp_path / "other").symlink_to(store.root)
        other = Store(str(tmp_path / "other"))
        assert other.find("train", made.fingerprint) == made
        assert other.problem(made) is None
        assert other.fetch(made, NAME).exists()

    def test_only_regular_files_are_listed(self, store: Store) -> None:
        import os

        store.write_run("first", {})
        os.mkfifo(Path(store.root, "runs", "pipe"))
        assert list(store.listing("runs")) == ["runs/first/run.json"]


def test_foreign_files_are_skipped(store: Store, trained: Trained) -> None:
    made = trained("a")
    for path in (".DS_Store", "artifacts/.DS_Store", "artifacts/train/.DS_Store", "runs/x", "aliases/x", "aliases/y/z"):
        store.replace(path, b"theirs")
    assert list(store.manifests("train")) == [made]
    assert (store.run_names(), aliases.names(store)) == ([], [])
    assert garbage.collect(store) == []


class TestRecords:
    @pytest.fixture
    def run(self, store: Store) -> Run:
        text = "{name: s, models: {generator: a/b, student: a/b}, generation: {rows: 9}, training: {l: {method: lora}}}"
        return Run.start(store, loading.parse(text), "first", "report")

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "another"},
            {"name": "../x"},
            {"state": "<script>"},
            {"started": "<script>"},
            {"recipe": None},
            {"artifacts": None},
            {"artifacts": [{"stage": "../../victim", "label": "", "fingerprint": "0" * 64}]},
            {"artifacts": [{"stage": "train", "label": "", "fingerprint": "../../victim"}]},
            {"artifacts": [{"stage": "train"}]},
        ],
    )
    def test_a_record_must_be_valid_and_of_its_run(self, change: dict[str, Any], store: Store, run: Run) -> None:
        store.write_run("first", {**run.record, **change})
        line = f"{store.url}/runs/first/run.json is not the record of this run; remove it to start again"
        for use in (
            lambda: runs.find(store, "first"),
            lambda: Run.start(store, loading.load("quickstart"), "first", ""),
        ):
            with pytest.raises(InputError) as caught:
                use()
            assert str(caught.value) == line

    @pytest.mark.parametrize("data", [[], "x", 3, None])
    def test_a_record_is_a_mapping(self, data: Any, store: Store) -> None:
        store.replace("runs/first/run.json", json.dumps(data).encode())
        with pytest.raises(InputError, match=r"not the record of this run|no such run"):
            runs.find(store, "first")

    def test_garbage_is_not_collected_with_an_invalid_record(self, store: Store, run: Run) -> None:
        entries = [{"stage": "../../victim", "label": "", "fingerprint": "../x"}]
        store.write_run("first", {**run.record, "artifacts": entries})
        with pytest.raises(InputError, match=r"has an invalid entry: artifacts\.0\.stage"):
            garbage.collect(store)

    @pytest.mark.parametrize(
        "change", [{"fingerprint": "../../victim"}, {"fingerprint": "0" * 63}, {"run": "../x"}, {"adapter": "a/b"}]
    )
    def test_a_move_of_an_alias_must_name_an_adapter(
        self, change: dict[str, str], store: Store, trained: Trained
    ) -> None:
        made = trained("a")
        aliases.point(store, "champion", run="one", adapter="lora", fingerprint=made.fingerprint, why="")
        path = "aliases/champion/000001.json"
        store.replace(path, json.dumps({**json.loads(store.read(path) or b""), **change}).encode())
        with pytest.raises(InputError, match=r"000001.json is not readable; remove it and set the alias again"):
            aliases.current(store, "champion")
