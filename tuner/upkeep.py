"""The commands that keep a store in order: which adapter is served, and what nothing refers to any more."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from tuner import adapters as shelf
from tuner.artifacts import aliases
from tuner.artifacts.store import Store
from tuner.settings import settings
from tuner.terminal import JsonOption, out, print_json

app = typer.Typer()


@app.command()
def adapters(as_json: JsonOption = False) -> None:
    """List the adapters in the store, how good each is, and which aliases point at it."""
    found = shelf.every(Store(settings().store))
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "adapter", "method", "held-out loss", "size", "fingerprint", "aliases"):
        table.add_column(column)
    for each in found:
        loss = "" if each.loss is None else f"{each.loss:.3f} ({each.low:.3f} to {each.high:.3f})"
        size = f"{each.bytes / 1e6:.1f} MB"
        named = ", ".join(each.aliases)
        table.add_row(each.run, each.adapter, each.method, loss, size, each.fingerprint[:12], named)
    out.print(table)
    for each in found:
        for alias in each.aliases:
            out.print(f"{alias} lies in {each.uri}", highlight=False, markup=False)


@app.command()
def promote(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="Its name in the run's recipe.")],
    alias: Annotated[str, typer.Option(help="The alias to move, or to make.")] = aliases.CHAMPION,
) -> None:
    """Point an alias at an adapter of a run."""
    _say(shelf.promote(Store(settings().store), run, adapter, alias))


@app.command()
def rollback(alias: Annotated[str, typer.Argument(metavar="ALIAS")] = aliases.CHAMPION) -> None:
    """Point an alias at what it pointed to before; again, and it goes back one further."""
    _say(aliases.rollback(Store(settings().store), alias))


@app.command("collect-garbage")
def collect_garbage(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove unfinished attempts and artifacts that no run and no alias refers to, if older than a day."""
    from tuner.artifacts import garbage

    found = garbage.collect(Store(settings().store), dry_run)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("what", "of", "number", "MB"):
        table.add_column(column)
    for row in garbage.summary(found):
        table.add_row(row["what"], row["of"], f"{row['number']:,}", f"{row['bytes'] / 1e6:,.1f}")
    if found:
        out.print(table)
    size = sum(each.bytes for each in found) / 1e6
    out.print(f"{size:,.1f} MB {'would be' if dry_run else 'were'} removed", highlight=False)


def _say(entry: aliases.Entry) -> None:
    adapter = f"{entry.run} {entry.adapter} ({entry.fingerprint[:12]})"
    out.print(f"{entry.alias} points at {adapter} since {entry.at}: {entry.why}", highlight=False, markup=False)
