"""The page: lays the contents out as one HTML file that needs no network and no other file."""

import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuner.report import browser, comparison, figures, palette, wording
from tuner.report.contents import Contents
from tuner.report.verdict import Verdict
from tuner.report.wording import ABSENT, count, duration, finite, percent, plain

FEW_ROWS = 30
"""With fewer held-out rows than this, the page says why its intervals are wide."""


def render(contents: Contents, verdict: Verdict) -> str:
    """The page's HTML.

    Args:
        contents: What the report is made of.
        verdict: What the numbers allow one to say.
    """
    # Every text is escaped unless it is marked safe, since a model may have written anything.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = browser.chosen_rows(contents)
    return environment.get_template("page.html.jinja").render(
        recipe=contents.recipe,
        recipe_yaml=yaml.safe_dump(contents.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        verdict=verdict,
        glued=_glued,
        subjects=contents.subjects,
        roles=palette.roles_of(contents.subjects),
        tones=palette.ROLES,
        facts=_facts(contents),
        few_rows=contents.held_out_rows < FEW_ROWS,
        held_out_rows=count(contents.held_out_rows),
        held_out_tokens=count(contents.held_out_tokens),
        resamples=count(contents.resamples),
        table=comparison.table(contents),
        figures=figures.svgs(contents),
        funnel=_funnel(contents),
        curation=contents.curation,
        samples=contents.samples,
        cut=browser.cut,
        count=count,
        rows=rows,
        all_rows=contents.rows.num_rows,
        rows_json=browser.embeddable(rows),
        row_reasons=sorted({reason for row in rows for reason in row["reasons"]}),
        most_characters=count(browser.MOST_CHARACTERS),
        stages=_stages(contents),
        environment=_environment(contents),
    )


def _glued(line: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:%|kB|MB|GB|s|min|h)(?!\w))", "\N{NO-BREAK SPACE}", line)


def _facts(contents: Contents) -> list[tuple[str, str]]:
    curation, split = contents.curation, contents.split
    return [
        ("rows drawn", count(curation["rows"])),
        ("kept", f"{count(curation['kept'])} ({percent(curation['kept'] / max(1, curation['rows']))})"),
        ("to train on", count(split["train"])),
        ("held out", count(split["validation"])),
        ("instructions on both sides", count(split["instructions_on_both_sides"])),
    ]


def _funnel(contents: Contents) -> list[dict[str, Any]]:
    """Every check with what it was the first to reject, what it rejects at all, and the rows left."""
    left = contents.curation["rows"]
    found = []
    for reason, first in contents.curation["funnel"].items():
        left -= first
        every = contents.curation["reasons"].get(reason, first)
        found.append({"reason": plain(reason), "first": count(first), "all": count(every), "left": count(left)})
    return found


def _stages(contents: Contents) -> list[dict[str, Any]]:
    """What was made when, how long that took and on what; shards in one line."""
    shards = [manifest for label, manifest in contents.artifacts if manifest.stage == "generate"]
    lines = []
    if shards:
        seconds = sum(finite(shard.provenance.get("seconds")) or 0 for shard in shards)
        tokens = sum(finite(shard.metrics.get("tokens")) or 0 for shard in shards)
        lines.append(
            {
                "label": f"generate ({count(len(shards))} shards)",
                "time": duration(seconds),
                "ended": max(_when(shard.provenance) for shard in shards),
                "fingerprints": [shard.fingerprint for shard in shards],
                "remark": f"{count(tokens)} tokens",
            }
        )
    for label, manifest in contents.artifacts:
        if manifest.stage == "generate":
            continue
        running_on = [str(manifest.metrics[key]) for key in ("device", "dtype") if manifest.metrics.get(key)]
        lines.append(
            {
                "label": label,
                "time": duration(finite(manifest.provenance.get("seconds"))),
                "ended": _when(manifest.provenance),
                "fingerprints": [manifest.fingerprint],
                "remark": ", ".join(running_on),
            }
        )
    return lines


def _when(provenance: dict[str, Any]) -> str:
    return str(provenance.get("ended", ABSENT)).replace("T", " ").replace("+00:00", " UTC")


def _environment(contents: Contents) -> list[tuple[str, str]]:
    """Machines and versions of all stages; where they differ, all that occurred."""
    found: dict[str, list[str]] = {}
    for _, manifest in contents.artifacts:
        record = manifest.provenance
        said = {"machine": record.get("machine"), "Python": record.get("python"), **record.get("versions", {})}
        for name, value in said.items():
            if value and str(value) not in found.setdefault(name, []):
                found[name].append(str(value))
    return [(name, wording.listed(values)) for name, values in found.items() if values]
