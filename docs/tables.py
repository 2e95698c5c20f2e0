"""Writes the generated tables of the documentation: `make docs`. A test verifies that they are up to date.

Replaces the text between `<!-- NAME: written by make docs -->` and `<!-- end -->` in a page.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuner import loading
from tuner.curation.check import Example
from tuner.curation.settings import CHECKS
from tuner.registry import STAGES, planned
from tuner.training.methods import METHODS

DOCS = Path(__file__).parent


def stages() -> Iterator[str]:
    """A table of the stages, and the graph of what they read in the recipe `quickstart`."""
    yield from ("| stage | an artifact for each | computes on | what it does |", "|---|---|---|---|")
    for stage in STAGES.values():
        yield f"| `{stage.name}` | {stage.per or 'recipe'} | {'GPU' if stage.gpu else 'CPU'} | {stage.does} |"
    yield from ("", "```mermaid", "graph LR")
    parts = planned(loading.load("quickstart"))
    reads = {(read.stage, part.stage) for part in parts for each in part.reads.values() for read in each}
    order = list(STAGES)
    for one, other in sorted(reads, key=lambda edge: (order.index(edge[0]), order.index(edge[1]))):
        yield f"  {one} --> {other}"
    yield "```"


def checks() -> Iterator[str]:
    """A table of the checks: section, reasons, what each looks for."""
    yield from ("| section | reasons | what is looked for |", "|---|---|---|")
    for name, check in CHECKS.items():
        reasons = ", ".join(f"`{reason}`" for reason in [*check.reasons, *check.choices])
        yield f"| `{name}` | {reasons} | {check.does} |"


def examples() -> Iterator[str]:
    """Every check with the meaning of each reason, and rows that just pass or just fail."""
    for name, check in CHECKS.items():
        yield from (f"## {name}", "", f"{check.does[0].upper()}{check.does[1:]}.", "")
        yield from ("| reason | what it says |", "|---|---|")
        yield from (f"| `{reason}` | {meaning} |" for reason, meaning in {**check.reasons, **check.choices}.items())
        yield ""
        if check.examples:
            yield from ("| instruction | response | |", "|---|---|---|")
            yield from map(_row, check.examples)
            yield ""


def methods() -> Iterator[str]:
    """A table of the training methods."""
    yield from ("| method | what it is | merges into the weights | can be packed |", "|---|---|---|---|")
    for name, method in METHODS.items():
        first = (method.__doc__ or "").strip().split("\n")[0]
        yield f"| `{name}` | {first} | {_yes_no(method.merges)} | {_yes_no(method.packs)} |"


TABLES = {"architecture.md": (stages,), "curation.md": (checks,), "checks.md": (examples,), "adapters.md": (methods,)}
"""The tables of each page."""


def written(page: str) -> str:
    """A page with its tables generated again."""
    text = (DOCS / page).read_text()
    for table in TABLES[page]:
        begin = f"<!-- {table.__name__}: written by make docs -->"
        body = "\n".join((begin, "", *table(), "<!-- end -->"))
        text = re.sub(rf"{re.escape(begin)}.*?<!-- end -->", lambda _, body=body: body, text, flags=re.S)
    return text


def _row(example: Example) -> str:
    settings = ", ".join(f"`{key}: {_shown(value)}`" for key, value in example.settings.items())
    verdict = ", ".join(f"`{reason}`" for reason in example.reasons) or "passes"
    cut = f", its {example.cut} cut off at the limit" if example.cut else ""
    under = f" under {settings}" if settings else ""
    return f"| {_cell(example.instruction)} | {_cell(example.response)} | {verdict}{cut}{under} |"


def _shown(value: object) -> str:
    return f"[{', '.join(str(each) for each in value)}]" if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    shown = text if len(text) <= 160 else f"{text[:120].rstrip()} ... {text[-30:].lstrip()}"
    return shown.replace("|", "\\|").replace("\n", "<br>").replace("<|", "&lt;\\|") or " "


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    for page in TABLES:
        (DOCS / page).write_text(written(page))
