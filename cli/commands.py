"""The command `tuner`. Exit codes: 0; 1 a run failed; 2 the user's input is wrong; 130 interrupted."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from cli import models, terminal, upkeep
from cli.terminal import JsonOption, out, print_json, print_table
from tuner import forecast, interpreter, loading, planning, proxies, recipes, runs, suitability, target
from tuner.artifacts.store import Store
from tuner.errors import InputError, TunerError
from tuner.registry import FIRST, LAST, NAMES
from tuner.report.wording import duration, moment
from tuner.settings import settings
from tuner.summaries import summarize

app = typer.Typer(
    help="Generates instruction data from a chat model, trains adapters on it and compares them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(upkeep.app)
app.add_typer(models.app, name="models")


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


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        sys.stdout.write(f"tuner {version('synthetic-instruction-tuner')}\n")
        raise typer.Exit


@app.callback()
def _any_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show Prefect's logs, and the stack trace of an error.")
    ] = False,
) -> None:
    if verbose:
        terminal.be_verbose()


@app.command()
def run(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    name: Annotated[str | None, typer.Option(help="The run's name.")] = None,
    since: FromOption = FIRST,
    until: UntilOption = LAST,
) -> None:
    """Run a recipe, reusing the artifacts that the store already holds."""
    from cli import launch
    from cli.summary import summary
    from cli.view import watching

    text = loading.read(recipe)
    store = Store(settings().store)
    parsed = runs.continued(store, loading.parse(text, overrides or [], recipe), name)
    planned = planning.plan(parsed, store, until, since)
    for line in suitability.check(parsed, planned):
        out.print(line, highlight=False)
    suitability.reach(planned)
    request = launch.RunRequest(text, tuple(overrides or ()), name, since, until)
    with watching(planned, out):
        finished = launch.run(request, parsed, planned)
    out.print(summary(store, runs.find(store, finished)), highlight=False)


@app.command()
def plan(recipe: RecipeArgument, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Show what a run would reuse, what it would compute and why, and an estimate of its duration."""
    store = Store(settings().store)
    parsed = runs.continued(store, loading.load(recipe, overrides or []), None)
    planned = planning.plan(parsed, store)
    unchecked = suitability.check(parsed, planned)
    data = forecast.as_data(parsed, planned, store)
    if as_json:
        print_json(data)
        return
    print_table(("stage", "status", "why it is missing"), forecast.rows(data))
    for line in unchecked:
        out.print(line, highlight=False)
    out.print(forecast.same_bytes(data), highlight=False)
    estimate = data["estimate"]
    if estimate["minutes"] is None:
        out.print(f"No estimate: {estimate['basis']}.")
    else:
        money = "" if estimate["cost"] is None else f", for {estimate['cost']:,.2f}"
        out.print(
            f"About {estimate['minutes']} minutes and {estimate['tokens']:,} tokens{money} ({estimate['basis']})."
        )
    if expected := target.expected(parsed, store):
        out.print(f"{expected.line}.", highlight=False)


@app.command()
def draw(
    recipe: RecipeArgument,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=1_000, help="How many.")] = 5,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the first rows of a recipe, and print them with the prompts as the model saw them. Nothing is stored."""
    from deployments.environment import environment

    environment()
    from tuner.generation import preview

    drawn = preview.draw(loading.load(recipe, overrides or []), rows)
    if as_json:
        print_json(drawn)
        return
    for row in drawn:
        sys.stdout.write(f"{preview.text(row)}\n")


@app.command("runs")
def list_runs(as_json: JsonOption = False) -> None:
    """List the runs in the store: when each was made, its duration and its outcome."""
    store = Store(settings().store)
    summaries = [(record, summarize(store, record)) for name in store.run_names() if (record := runs.find(store, name))]
    if as_json:
        print_json([{**record, "seconds": each.seconds, "outcome": each.outcome} for record, each in summaries])
        return
    rows = [
        (record["name"], record["state"], moment(each.started), duration(each.seconds), each.outcome)
        for record, each in summaries
    ]
    print_table(("run", "state", "started (UTC)", "took", "verdict, or why it failed"), rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN")],
    row: Annotated[str | None, typer.Option(help="Show the history of this training row.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run's lineage, from its adapters back to rows, verdicts, prompts and seeds."""
    from tuner.lineage import lineage

    store = Store(settings().store)
    data = lineage(store, runs.find(store, name), row)
    if as_json:
        print_json(data)
    else:
        from cli.summary import lineage_text

        out.print(lineage_text(data), highlight=False)


@app.command()
def report(name: Annotated[str, typer.Argument(metavar="RUN")]) -> None:
    """Print the path of a run's report, fetching it from a remote store."""
    from cli.summary import report_path

    store = Store(settings().store)
    sys.stdout.write(f"{report_path(store, runs.find(store, name))}\n")


@app.command()
def curate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="PLACE...",
            help="Your data: .parquet, .jsonl, .json, .csv or .tsv, also .gz or .zst; folders; hf://owner/name.",
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A recipe whose curation is applied; by default the profile own-data.", autocompletion=_shipped
        ),
    ] = None,
    overrides: SetOption = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="HOLDS=NAME,...",
            help="Which columns to read, if their names are not known ones: prompt=NAME,response=NAME.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The output folder; by default ./curated/NAME.")
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="ROW",
            help="Show what every check says of a row, given by its row_id or its number in the file, of several files "
            "as FILE:NUMBER. What was curated is read from DIR, or from PLACE if that is such a folder; else it is "
            "curated first.",
        ),
    ] = None,
) -> None:
    """Curate your own data: every row gets a verdict, its reasons and its scores."""
    from tuner.owndata.choosing import columns_of, curation_of, folder_of

    chosen = curation_of(recipe, overrides or [])
    named = columns_of(columns)
    folder = to or Path("curated") / folder_of(files[0])
    from tuner.owndata import explain

    if row is not None:
        made = next((each for each in (Path(files[0]), folder) if (each / explain.SETTINGS).exists()), None)
        if made and (recipe or overrides or columns):
            raise InputError(
                f"--explain: {made} is curated already; leave out --recipe, --set and --columns, or name another --to"
            )
        if made:
            out.print(explain.explain(made, row), highlight=False, markup=False, soft_wrap=True)
            return
    from tuner.owndata import curate as own
    from tuner.owndata import view

    with view.watching(out):
        metrics = own.run(files, chosen, folder, columns=named)
    out.print(view.summary(metrics, chosen, folder), highlight=False, markup=False)
    if row is not None:
        out.print(f"\n{explain.explain(folder, row)}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="RUN")],
    to: Annotated[
        str,
        typer.Option(
            metavar="PLACE",
            help="For the dataset: a folder, s3://bucket/prefix or hf://datasets/owner/name. For the learning curves: "
            "tensorboard:DIR, mlflow:DIR, mlflow:URI, trackio:PROJECT or wandb:PROJECT.",
        ),
    ],
) -> None:
    """Export a run's data as a dataset with its card, or its learning curves to a tracker."""
    from tuner.export import places, trackers

    store = Store(settings().store)
    record = runs.find(store, name)
    if trackers.is_named(to):
        curves, following = trackers.export(store, record, to)
        for curve in curves:
            out.print(f"{curve.subject:20}{curve.points:>9,} values  {'written' if curve.new else 'there already'}")
        out.print(f"{name} was exported; {following}", highlight=False, markup=False, soft_wrap=True)
        return
    exported = places.export(store, record, to)
    for file, rows in exported["rows"].items():
        out.print(f"{file:12}{rows:>11,} rows", highlight=False)
    if exported["masked"]:
        out.print(f"masked: {exported['masked']}", highlight=False, markup=False)
    out.print(f"{name} was exported to {exported['to']}", highlight=False, markup=False)


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
        typer.Argument(metavar="[RECIPE]", help="Print this recipe, given by name or path.", autocompletion=_shipped),
    ] = None,
) -> None:
    """List the shipped recipes and what each needs; or print one as YAML, as a start for your own."""
    if recipe is None:
        rows = [(each.name, f"{each.rows:,}", each.summary, "; ".join(each.needs)) for each in recipes.shipped()]
        print_table(("recipe", "rows", "what it is", "needs"), rows)
        return
    text = loading.read(recipe)
    needs = "".join(f"# needs {need}\n" for need in recipes.needs(loading.parse(text, (), recipe)))
    sys.stdout.write(f"{needs}{text}")


def main() -> None:
    """The entry point: prints errors for the user as one line on standard error."""
    interpreter.relax_garbage_collection()
    interpreter.leave_out_hints()
    proxies.normalize()
    try:
        app()
    except TunerError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        # `tuner run` prints its own message; the other commands leave nothing incomplete.
        _fail("interrupted", 130)
    except OSError as error:
        _fail(str(InputError(f"{error.filename or 'system'}: {error.strerror or error}")), 1)


def _fail(line: str, code: int) -> None:
    if terminal.is_verbose():
        traceback.print_exc()
    sys.stderr.write(f"tuner: {' '.join(line.split())}\n")
    sys.exit(code)
