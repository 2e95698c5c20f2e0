"""The hub as the target of an export: its uploads, and its errors."""

import shutil
from pathlib import Path

import pytest

from tuner.errors import InputError
from tuner.export.dataset import RECORD
from tuner.export.hub import Hub
from tuner.export.places import export

PLACE = "hf://datasets/owner/name"


class Repository:
    """Replaces the hub's client: one repository in a folder."""

    folder: Path
    calls: list[tuple]

    def __init__(self, endpoint=None):
        self.endpoint = endpoint

    def create_repo(self, repo_id, *, repo_type, private, exist_ok):
        self.calls.append(("create", repo_id, repo_type, private, exist_ok))

    def list_repo_files(self, repo_id, *, repo_type):
        return [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]

    def upload_folder(self, *, repo_id, folder_path, repo_type, commit_message):
        self.calls.append(("upload", repo_id, repo_type, commit_message))
        shutil.copytree(folder_path, self.folder, dirs_exist_ok=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    monkeypatch.setattr("tuner.export.hub.HfApi", Repository)
    monkeypatch.setattr(Repository, "folder", tmp_path / "repository", raising=False)
    monkeypatch.setattr(Repository, "calls", [], raising=False)
    Repository.folder.mkdir()
    (Repository.folder / ".gitattributes").touch()
    return Repository


def test_without_a_token_the_error_explains_how_to_log_in(store, finished, monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match="log in with `hf auth login`, or set HF_TOKEN") as refused:
        export(store, finished(), PLACE)
    assert "\n" not in str(refused.value)


def test_an_export_is_one_commit_into_a_private_dataset(store, finished, repository):
    assert export(store, finished(), PLACE)["to"] == PLACE
    assert repository.calls == [
        ("create", "owner/name", "dataset", True, True),
        ("upload", "owner/name", "dataset", "Export of first"),
    ]
    assert (repository.folder / "data" / "train.parquet").exists()


@pytest.mark.parametrize("existing", ["README.md", RECORD])
def test_a_dataset_that_is_not_empty_is_not_changed(existing, store, finished, repository):
    (repository.folder / existing).write_text('{"run": "first"}')
    with pytest.raises(InputError, match="name: is not empty; name another place, or remove what is there"):
        export(store, finished(), f"{PLACE}/")
    assert [call[0] for call in repository.calls] == ["create"]


def test_a_refused_token_is_explained(refusing_s3, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    with pytest.raises(InputError, match=r"refused the token for it \(403\); log in with `hf auth login`"):
        Hub(PLACE, refusing_s3).claim()


def test_an_unreachable_hub_is_explained(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    with pytest.raises(InputError, match=r"the hub is not reachable .*check HF_ENDPOINT"):
        Hub(PLACE, "http://127.0.0.1:9").claim()
