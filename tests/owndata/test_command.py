"""`tuner curate`: what it prints, and one line and exit code 2 for wrong input."""

import resource
import subprocess
import sys

import pytest

from tests.deployments.processes import PATIENCE

from .talk import exchange, lines

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]


def tuner(*arguments, cwd):
    return subprocess.run([*TUNER, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)


def test_it_prints_counts_by_reason_and_the_output_paths(tmp_path):
    lines(tmp_path / "mine.jsonl", [*map(exchange, range(6)), exchange(2), "{no"])
    done = tuner("curate", "mine.jsonl", "--set", "curation.quality.top_k=4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in (
        "read 8 of 8 rows",
        "duplicate  ",
        "below_target  ",
        "kept ",
        "1 more set aside",
        "curated/mine/kept",
    ):
        assert words in done.stdout
    assert (tmp_path / "curated" / "mine" / "kept" / "00000.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["other.jsonl"], "its columns are text; known: messages"),
        (["empty.jsonl"], "empty.jsonl: holds no rows"),
        (["broken.parquet"], "broken.parquet: not a readable Parquet file"),
        (["mine.jsonl", "--recipe", "nowhere.yaml"], "nowhere.yaml: no such recipe"),
        (["mine.jsonl", "--set", "curation.form.sanitise=true"], "did you mean 'sanitize'"),
        (["mine.jsonl", "--to", "full"], "full: is not empty; name another folder with --to"),
        (["mine.jsonl", "--to", "mine.jsonl"], "mine.jsonl: Not a directory"),
        (["mine.jsonl", "--to", "mine.jsonl/below"], "mine.jsonl/below: cannot be made"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, words, tmp_path):
    lines(tmp_path / "mine.jsonl", [exchange(0)])
    lines(tmp_path / "other.jsonl", [{"text": "x"}])
    lines(tmp_path / "empty.jsonl", [])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = tuner("curate", *arguments, cwd=tmp_path)
    errors = done.stderr.strip().splitlines()
    assert (done.returncode, len(errors)) == (2, 1), done.stderr
    assert words in errors[0]
    assert not (tmp_path / "curated" / "mine").exists()


def test_help_is_fast(tmp_path):
    for command in ("curate", "export"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert tuner(command, "--help", cwd=tmp_path).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
