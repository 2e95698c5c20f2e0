"""The commands that maintain a store: adapters, aliases and garbage collection."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.terminal import JsonOption, out, print_json, print_table
from tuner import adapters as store_adapters
from tuner import lora as loras
from tuner import progress, runs, summaries
from tuner.artifacts import aliases
from tuner.artifacts.store import Store
from tuner.report.wording import Estimate, duration, interval, number, percent, rows_of, signed, size, span
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
        if outcome := summaries.summarize(store, runs.find(store, run)).outcome:
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


@app.command()
def lora(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="Its name in the run's recipe.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one to be made.")],
    rank: Annotated[
        int | None,
        typer.Option(min=1, help=f"The rank of a conversion; by default {loras.RANK}.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write an adapter as a LoRA, which vLLM serves: copied if it is one, else converted to the nearest."""
    from deployments.environment import environment

    environment()
    with progress.listening(_print_progress()):
        written = loras.write(Store(settings().store), run, adapter, folder, rank)
    if as_json:
        print_json(_as_data(written))
        return
    if (converted := written.conversion) is None:
        line = f"{adapter} ({written.method}) is a LoRA of rank {written.rank} and was copied as it is to {folder}"
        out.print(line, highlight=False)
        return
    difference = Estimate(converted.difference.difference, converted.difference.low, converted.difference.high)
    out.print(
        f"{adapter} ({written.method}) was converted to a LoRA of rank {written.rank} in {folder}\n"
        f"kept: {percent(converted.kept)} of the change of the weights (squared norm)\n"
        f"held-out loss: {number(converted.before.loss, 4)} before, {number(converted.after.loss, 4)} after, "
        f"{signed(difference)} {interval(difference)}, on {rows_of(converted.after.rows)}",
        highlight=False,
    )


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


def _print_progress() -> progress.Listener:
    """A listener that prints lines to standard error, which leaves standard output to the result."""
    lines = progress.Lines()

    def tell(event: progress.Event) -> None:
        if line := lines.of(event):
            sys.stderr.write(f"{event.label or 'held-out rows'}: {line}\n")

    return tell


def _as_data(written: loras.Written) -> dict[str, Any]:
    plain = {"folder": str(written.folder), "method": written.method, "rank": written.rank, "conversion": None}
    if converted := written.conversion:
        measured = {key: getattr(converted, key).model_dump() for key in ("before", "after", "difference")}
        plain["conversion"] = {"kept": converted.kept, **measured}
    return plain


def _print_alias(entry: aliases.Entry) -> None:
    adapter = f"{entry.run} {entry.adapter} ({entry.fingerprint[:12]})"
    out.print(f"{entry.alias} points at {adapter} since {entry.at}: {entry.why}", highlight=False, markup=False)
