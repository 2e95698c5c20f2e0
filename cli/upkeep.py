"""The commands that maintain a store: adapters, aliases and garbage collection."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.terminal import JsonOption, out, print_json, print_table
from tuner import adapters as store_adapters
from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.store import Store
from tuner.report.wording import Estimate, duration, signed, size, span
from tuner.settings import settings

app = typer.Typer()


@app.command()
def adapters(as_json: JsonOption = False) -> None:
    """List the adapters in the store with their losses and aliases, and the outcome of each run."""
    store = Store(settings().store)
    listed = store_adapters.list_adapters(store)
    if as_json:
        print_json([asdict(each) for each in listed])
        return
    rows = []
    for each in listed:
        difference = Estimate(each.difference, each.low, each.high)
        loss = "" if each.difference is None else f"{signed(difference)} ({span(difference) or 'no interval'})"
        held_out = "" if each.rows is None else f"{each.rows:,} of {str(each.split)[:8]}"
        cost = (duration(each.seconds), size(each.bytes))
        alias_names = ", ".join(each.aliases)
        rows.append((each.run, each.adapter, each.method, loss, held_out, *cost, each.fingerprint[:12], alias_names))
    columns = (
        "run",
        "adapter",
        "method",
        "loss minus base's",
        "held-out rows",
        "trained in",
        "size",
        "fingerprint",
        "aliases",
    )
    print_table(columns, rows)
    for each in listed:
        for alias, why in each.aliases.items():
            out.print(f"{alias}: {each.uri} ({why})", highlight=False, markup=False)
    for run in store.run_names():
        if outcome := runs.summarize(store, runs.find(store, run)).outcome:
            out.print(f"{run}: {outcome}", highlight=False, markup=False)


@app.command()
def promote(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="Its name in the run's recipe.")],
    alias: Annotated[str, typer.Option(help="The alias to move or create.")] = aliases.CHAMPION,
) -> None:
    """Point an alias at an adapter of a run."""
    _print_alias(store_adapters.promote(Store(settings().store), run, adapter, alias))


@app.command()
def rollback(alias: Annotated[str, typer.Argument(metavar="ALIAS")] = aliases.CHAMPION) -> None:
    """Point an alias at its previous adapter; each further rollback goes back one more."""
    _print_alias(aliases.rollback(Store(settings().store), alias))


@app.command("collect-garbage")
def collect_garbage(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove unfinished attempts and artifacts that no run and no alias refers to, if older than a day."""
    from tuner import garbage

    items = garbage.collect(Store(settings().store), dry_run)
    if as_json:
        print_json([asdict(item) for item in items])
        return
    if items:
        rows = [
            (row["what"], row["of"], f"{row['number']:,}", f"{row['bytes'] / 1e6:,.1f}")
            for row in garbage.summary(items)
        ]
        print_table(("what", "of", "number", "MB"), rows)
    total = sum(item.bytes for item in items) / 1e6
    out.print(f"{total:,.1f} MB {'would be' if dry_run else 'were'} removed", highlight=False)


def _print_alias(entry: aliases.Entry) -> None:
    adapter = f"{entry.run} {entry.adapter} ({entry.fingerprint[:12]})"
    out.print(f"{entry.alias} points at {adapter} since {entry.at}: {entry.why}", highlight=False, markup=False)
