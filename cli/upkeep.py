"""The commands that keep a store in order: which adapter is served, and what nothing refers to any more."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.terminal import JsonOption, out, print_json, print_table
from tuner import adapters as shelf
from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.store import Store
from tuner.report.wording import Estimate, duration, signed, size, span
from tuner.settings import settings

app = typer.Typer()


@app.command()
def adapters(as_json: JsonOption = False) -> None:
    """List the adapters in the store, how good each is, which aliases point at it, and what came of the runs."""
    store = Store(settings().store)
    found = shelf.every(store)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    rows = []
    for each in found:
        difference = Estimate(each.difference, each.low, each.high)
        better = "" if each.difference is None else f"{signed(difference)} ({span(difference) or 'no interval'})"
        on = "" if each.rows is None else f"{each.rows:,} of {str(each.split)[:8]}"
        cost = (duration(each.seconds), size(each.bytes))
        named = ", ".join(each.aliases)
        rows.append((each.run, each.adapter, each.method, better, on, *cost, each.fingerprint[:12], named))
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
    for each in found:
        for alias, why in each.aliases.items():
            out.print(f"{alias} lies in {each.uri}: {why}", highlight=False, markup=False)
    for run in store.run_names():
        if outcome := runs.told(store, runs.find(store, run)).outcome:
            out.print(f"{run}: {outcome}", highlight=False, markup=False)


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
    from tuner import garbage

    found = garbage.collect(Store(settings().store), dry_run)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if found:
        rows = [
            (row["what"], row["of"], f"{row['number']:,}", f"{row['bytes'] / 1e6:,.1f}")
            for row in garbage.summary(found)
        ]
        print_table(("what", "of", "number", "MB"), rows)
    whole = sum(each.bytes for each in found) / 1e6
    out.print(f"{whole:,.1f} MB {'would be' if dry_run else 'were'} removed", highlight=False)


def _say(entry: aliases.Entry) -> None:
    adapter = f"{entry.run} {entry.adapter} ({entry.fingerprint[:12]})"
    out.print(f"{entry.alias} points at {adapter} since {entry.at}: {entry.why}", highlight=False, markup=False)
