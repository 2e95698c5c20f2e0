"""Printing to the terminal, for all commands of `tuner`."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# No markup: names and paths of the user may contain `[x]` or `:cat:`.
out = Console(soft_wrap=True, markup=False, emoji=False)

LAST_COLUMN_WIDTH = 40
"""The least width of a table's last column, however narrow the terminal is."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


_verbose = False


def be_verbose() -> None:
    """Turns on Prefect's logs and the stack traces of errors."""
    global _verbose
    _verbose = True
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"  # read when Prefect is imported


def is_verbose() -> bool:
    """Whether logs and stack traces are turned on."""
    return _verbose


def print_json(data: Any) -> None:
    """Prints data as JSON, the same on a terminal and in a pipe."""
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table without truncating any text.

    Args:
        columns: The names of the columns.
        rows: Texts without line breaks. On a terminal the last column wraps; in a pipe every row is one line.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    last = max(cell_len(row[-1]) for row in (columns, *rows))
    full_width = sum(max(map(cell_len, cells)) + 2 for cells in zip(columns, *rows, strict=True)) - 2
    least = full_width - max(0, last - LAST_COLUMN_WIDTH)
    table.width = max(least, min(full_width, out.width)) if out.is_terminal else full_width
    out.print(table)
