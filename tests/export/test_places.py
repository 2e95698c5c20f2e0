"""An export is written to a folder or a bucket; other files are not overwritten."""

import json
import subprocess
import sys

import fsspec
import pytest
from typer.testing import CliRunner

from cli.commands import app
from tests.deployments.processes import PATIENCE
from tuner.errors import InputError
from tuner.export.dataset import RECORD
from tuner.export.places import Bucket, export
from tuner.settings import settings

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]
FILES = ["README.md", "data/train.parquet", "data/validation.parquet", RECORD, "rejected/rejected.parquet"]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(url):
    system, root = fsspec.url_to_fs(url, use_listings_cache=False)
    return {path[len(root) + 1 :]: system.cat_file(path) for path in system.find(root)}


def test_into_a_folder(store, finished, tmp_path):
    exported = export(store, finished(), str(tmp_path / "out"))
    assert sorted(files(tmp_path / "out")) == FILES
    assert exported["to"] == str(tmp_path / "out")


def test_into_an_empty_folder(store, finished, tmp_path):
    (tmp_path / "out").mkdir()
    export(store, finished(), str(tmp_path / "out"))
    assert sorted(files(tmp_path / "out")) == FILES


@pytest.mark.parametrize("content", ["a file", "its own export", "a hidden file"])
def test_a_folder_that_is_not_empty_is_not_changed(content, store, finished, tmp_path):
    record = finished()
    place = tmp_path / "out"
    if content == "its own export":
        export(store, record, str(place))
        (place / "README.md").write_text("changed by hand")
    else:
        place.mkdir()
        (place / ("file" if content == "a file" else ".keep")).write_text("{")
    before = files(place)
    with pytest.raises(InputError, match=r"out: is not empty; name another place, or remove what is there$"):
        export(store, record, str(place))
    assert files(place) == before


def test_a_run_without_a_split_leaves_no_folder(store, finished, tmp_path):
    with pytest.raises(InputError, match="has no split yet"):
        export(store, finished("curate"), str(tmp_path / "out"))
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("gs://bucket/x", "unknown kind of target; give a folder, s3://"),
        ("s3://", "write it as s3://bucket/prefix"),
        ("hf://owner/name", "write it as hf://datasets/owner/name"),
    ],
)
def test_an_unknown_target_is_refused(to, words, store, finished):
    with pytest.raises(InputError, match=words):
        export(store, finished(), to)


def test_into_a_bucket(store, finished, s3_url, tmp_path):
    record = finished()
    export(store, record, f"{s3_url}/out/")
    exported = objects(f"{s3_url}/out")
    assert sorted(exported) == FILES
    export(store, record, str(tmp_path / "out"))
    assert exported == files(tmp_path / "out")
    with pytest.raises(InputError, match="/out: is not empty; name another place"):
        export(store, record, f"{s3_url}/out")
    assert objects(f"{s3_url}/out") == exported
    assert not [path for path in settings().folder("scratch").iterdir() if "export" in path.name]


def test_an_interrupted_export_is_repeated(store, finished, s3_url, monkeypatch):
    record = finished()
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            export(store, record, f"{s3_url}/out")
    assert sorted(objects(f"{s3_url}/out")) == ["README.md", "data/stale.parquet", RECORD]
    with pytest.raises(InputError, match="/out: is not empty"):
        export(store, finished("split", "other"), f"{s3_url}/out")
    export(store, record, f"{s3_url}/out")
    assert sorted(objects(f"{s3_url}/out")) == FILES


def _cut_off(bucket, folder):
    for name in ("README.md", "data/stale.parquet"):
        bucket._fs.pipe_file(f"{bucket.root}/{name}", b"half")
    raise KeyboardInterrupt


def test_a_bucket_with_other_files_is_not_changed(store, finished, s3_url):
    fsspec.url_to_fs(s3_url)[0].pipe_file(f"{s3_url}/out/file", b"mine")
    with pytest.raises(InputError, match="/out: is not empty"):
        export(store, finished(), f"{s3_url}/out")
    assert objects(f"{s3_url}/out") == {"file": b"mine"}


def test_wrong_credentials_are_explained(store, finished, refusing_s3):
    with pytest.raises(InputError, match=r"access refused .*AWS_ACCESS_KEY_ID"):
        export(store, finished(), "s3://bucket/out")


def test_a_missing_bucket_is_explained(store, finished, s3_url):
    with pytest.raises(InputError, match="there is no such bucket"):
        export(store, finished(), "s3://no-such-bucket-here/out")


def test_the_command(store, finished, tmp_path):
    finished()
    finished("curate", "half", ("seed=7",))

    def tuner(*arguments):
        return subprocess.run([*TUNER, "export", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    done = tuner("first", "--to", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / RECORD).read_text())["rows"]
    assert done.stdout.splitlines() == [
        *(f"{name:12}{rows[name]:>11,} rows" for name in ("train", "validation", "rejected")),
        f"first was exported to {tmp_path / 'out'}",
    ]
    for arguments, words in (
        (("nobody", "--to", "x"), "nobody: no such run"),
        (("half", "--to", str(tmp_path / "half")), "half: has no split yet"),
        (("first", "--to", str(tmp_path)), "is not empty; name another place"),
    ):
        done = tuner(*arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert words in done.stderr


def test_the_command_prints_what_was_masked(store, finished, tmp_path):
    finished("split", "first", ("curation.safety.personal_data=redact",))
    done = CliRunner().invoke(app, ["export", "first", "--to", str(tmp_path / "out")], catch_exceptions=False)
    assert "masked: personal data in 2 rows" in done.output.splitlines()
