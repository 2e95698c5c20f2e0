"""Texts are printed literally and untruncated, on a terminal and in a pipe."""

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from cli import terminal
from cli.terminal import out, print_table

NAME = "quickstart-with-a-name-that-is-as-long-as-names-may-be-" + "x" * 45
CAUSE = "train lora: [Errno 28] No space left on device: '/somewhere/else' " * 4
ROWS = [(NAME, "failed", CAUSE.strip()), ("short", "completed", "")]


def test_in_a_pipe_every_row_is_one_untruncated_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("run", "state", "cause"), ROWS)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "state", "cause"]
    assert re.split(" {2,}", first) == [NAME, "failed", CAUSE.strip()]
    assert second.split() == ["short", "completed"]


@pytest.mark.parametrize("width", [20, 80, 200, 1000])
def test_on_a_terminal_no_name_is_truncated_and_the_last_column_wraps(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=width, soft_wrap=True)
    monkeypatch.setattr(terminal, "out", console)
    print_table(("run", "state", "cause"), ROWS)
    lines = file.getvalue().splitlines()
    assert lines[1].startswith(f"{NAME}  failed")
    begin = lines[0].index("cause")
    wrapped = [line[begin:].strip() for line in lines[1:-1]]
    assert " ".join(" ".join(wrapped).split()) == CAUSE.strip()
    assert max(map(len, lines)) <= max(width, begin + terminal.LAST_COLUMN_WIDTH)


def test_a_table_without_rows_has_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("run", "state"), [])
    assert capsys.readouterr().out.split() == ["run", "state"]


PATHS = ["/tmp/[x]/store", "/tmp/[/x]/store", "/tmp/[bold]/store", "/tmp/:cat:/store"]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_printed_literally(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    out.print(f"report    {path}", highlight=False)
    table = Table(path, box=None, pad_edge=False)
    table.add_row(path)
    out.print(table)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [f"report    {path}", path, path]
