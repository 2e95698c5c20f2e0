"""What every command of `tuner` prints with."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console(soft_wrap=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(data: Any) -> None:
    """Prints data as JSON, the same on a terminal and in a pipe."""
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n")
