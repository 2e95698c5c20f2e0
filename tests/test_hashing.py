"""Hashes are equal to those of `sha256sum`."""

import os
import subprocess

from tuner import hashing


def test_file_and_text_have_the_digest_of_sha256sum(tmp_path):
    text = "line\r\nzweite Zeile: äöü 🦆"
    (tmp_path / "file").write_bytes(text.encode())
    output = subprocess.run(["sha256sum", tmp_path / "file"], capture_output=True, text=True, check=True).stdout
    assert hashing.of_file(tmp_path / "file") == hashing.of_text(text) == output.split()[0]


def test_undecodable_paths_have_different_digests():
    first, second = (hashing.of_text(os.fsdecode(raw)) for raw in (b"/caf\xe9", b"/caf\xe8"))
    assert first != second
