"""Writes the generated tables of the documentation: `make docs`. A test verifies that they are up to date.

Replaces the text between `<!-- NAME: written by make docs -->` and `<!-- end -->` in a page.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuner import loading
from tuner.artifacts.provenance import ALIKE, FROM_EQUAL
from tuner.curation.check import Example
from tuner.curation.reasons import LOOSENED
from tuner.curation.settings import CHECKS
from tuner.preference.rules import RULES
from tuner.reading import kinds
from tuner.reading.turns import ROLES
from tuner.registry import STAGES, planned
from tuner.training.methods import METHODS

DOCS = Path(__file__).parent
UNITS = {"row": "the row", "exchange": "each exchange", "opening": "the first exchange", "message": "each message"}


def stages() -> Iterator[str]:
    """A table of the stages, and the graph of what they read in the recipe `quickstart`."""
    yield from ("| stage | an artifact for each | computes on | same bytes | what it does |", "|---|---|---|---|---|")
    for stage in STAGES.values():
        device, where = "GPU" if stage.gpu else "CPU", FROM_EQUAL if stage.exact else ALIKE
        yield f"| `{stage.name}` | {stage.per or 'recipe'} | {device} | {where} | {stage.does} |"
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


def layouts() -> Iterator[str]:
    """A table of the columns that are read from own data."""
    yield from ("| what it holds | columns |", "|---|---|")
    pairs = ("`, `".join(f"{asked}` with `{answered}" for asked, answered in kinds.PAIRS),)
    for what, names in {
        "whole conversations": (*kinds.TURNS, "chosen", "text"),
        "what is asked": kinds.ASKED,
        "what is answered": kinds.ANSWERED,
        "both, only together": pairs,
        "what it is about; follows it after a blank line": kinds.BESIDE["input"],
        "the system turn; comes first": kinds.BESIDE["system"],
        "earlier exchanges; come before": kinds.BESIDE["history"],
        "tools that the conversation may call": kinds.BESIDE["tools"],
        "thoughts before the last answer": kinds.BESIDE["thoughts"],
    }.items():
        yield f"| {what} | {', '.join(f'`{name}`' for name in names)} |"


def turns() -> Iterator[str]:
    """A table of the names of a turn's author."""
    yield from ("| role | names, in any case |", "|---|---|")
    for role in dict.fromkeys(ROLES.values()):
        names = ", ".join(f"`{name}`" for name, each in ROLES.items() if each == role)
        yield f"| {'`assistant`, as a call of a tool' if role == 'call' else f'`{role}`'} | {names} |"


def examples() -> Iterator[str]:
    """Every check with the meaning of each reason, and rows that just pass or just fail."""
    for name, check in CHECKS.items():
        yield from (f"## {name}", "", f"{check.does[0].upper()}{check.does[1:]}.", "")
        yield from (f"Reads the turns by {', '.join(check.roles[:-1])} and {check.roles[-1]}.", "")
        yield from ("| reason | what it says | judged by itself | what loosens it |", "|---|---|---|---|")
        for reason, meaning in {**check.reasons, **check.choices}.items():
            unit, settings = UNITS[check.units.get(reason, "row")], ", ".join(f"`{each}`" for each in LOOSENED[reason])
            yield f"| `{reason}` | {meaning} | {unit} | {settings} |"
        yield ""
        if check.examples:
            yield from ("| instruction | response | |", "|---|---|---|")
            yield from map(_row, check.examples)
            yield ""


def methods() -> Iterator[str]:
    """A table of the training methods."""
    yield "| method | what it is | learning rate | merges into the weights | served as LoRA | cannot be trained with |"
    yield "|---|---|---|---|---|---|"
    for name, method in METHODS.items():
        what = (method.__doc__ or "").strip().split("\n")[0]
        rate = f"{method.model_fields['learning_rate'].default:g}"
        forbidden = ", ".join(f"`{setting}`" for setting in method.forbids)
        yield f"| `{name}` | {what} | {rate} | {_yes_no(method.merges)} | {method.serves_as_lora} | {forbidden} |"


def rules() -> Iterator[str]:
    """A table of the rules that score answers."""
    yield from ("| rule | an answer follows it if |", "|---|---|")
    for name, (_, follows) in RULES.items():
        yield f"| `{name}` | {follows} |"


TABLES = {
    "architecture.md": (stages,),
    "curation.md": (layouts, turns, checks),
    "checks.md": (examples,),
    "adapters.md": (methods,),
    "preference.md": (rules,),
}
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
    cut += f", after the thoughts {_cell(example.thoughts)!r}" if example.thoughts else ""
    under = f" under {settings}" if settings else ""
    return f"| {_cell(example.instruction)} | {_cell(example.response)} | {verdict}{cut}{under} |"


def _shown(value: object) -> str:
    return f"[{', '.join(str(each) for each in value)}]" if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    shown = text if len(text) <= 160 else f"{text[:120].rstrip()} ... {text[-30:].lstrip()}"
    return shown.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>") or " "


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    for page in TABLES:
        (DOCS / page).write_text(written(page))
