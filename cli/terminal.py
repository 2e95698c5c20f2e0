"""What every command of `tuner` prints with."""

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

# What is printed holds names and paths of people: `[x]` and `:cat:` in them are no markup.
out = Console(soft_wrap=True, markup=False, emoji=False)

FOLDED = 40
"""Columns of a terminal that a table leaves to its last column, however narrow the terminal is."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


_verbose = False


def be_verbose() -> None:
    """Has Prefect's logs shown, and errors with their stack trace."""
    global _verbose
    _verbose = True
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"  # read when Prefect is imported


def is_verbose() -> bool:
    """Whether more is wanted on the terminal than progress and one line for an error."""
    return _verbose


def print_json(data: Any) -> None:
    """Prints data as JSON, the same on a terminal and in a pipe."""
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows below the names of their columns. Nothing is cut: not a name on a terminal, in a pipe no text at all.

    Args:
        columns: Their names.
        rows: Texts without line breaks. On a terminal the last column folds into the width that is left; in a pipe
            every row is one line.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    last = max(cell_len(row[-1]) for row in (columns, *rows))
    whole = sum(max(map(cell_len, cells)) + 2 for cells in zip(columns, *rows, strict=True)) - 2
    least = whole - max(0, last - FOLDED)
    table.width = max(least, min(whole, out.width)) if out.is_terminal else whole
    out.print(table)
