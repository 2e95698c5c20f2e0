"""Contents are named by their sha256, as every other tool names them."""

import os
import subprocess

from tuner import hashing


def test_a_file_and_its_text_have_the_digest_that_coreutils_say(tmp_path):
    text = "line\r\nzweite Zeile: äöü 🦆"
    (tmp_path / "file").write_bytes(text.encode())
    said = subprocess.run(["sha256sum", tmp_path / "file"], capture_output=True, text=True, check=True).stdout
    assert hashing.of_file(tmp_path / "file") == hashing.of_text(text) == said.split()[0]


def test_paths_that_are_no_text_have_digests_of_their_own():
    first, second = (hashing.of_text(os.fsdecode(raw)) for raw in (b"/caf\xe9", b"/caf\xe8"))
    assert first != second
