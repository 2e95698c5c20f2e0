"""The page: lays the contents out as one HTML file that needs no network and no other file."""

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.metrics import Computed
from tuner.report import browser, checks, clusters, comparison, figures, palette, variety, wording
from tuner.report.contents import Contents
from tuner.report.verdict import Verdict
from tuner.report.wording import ABSENT, count, duration, finite, percent


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
    return environment.get_template("page.html.jinja").render(
        **_data(contents),
        recipe=contents.recipe,
        recipe_yaml=yaml.safe_dump(contents.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        verdict=verdict,
        glued=_glued,
        subjects=contents.subjects,
        roles=palette.roles_of(contents.subjects),
        tones=palette.ROLES,
        facts=_facts(contents),
        fewest_rows=None if contents.tells else FEWEST_ROWS,
        held_out_rows=count(contents.held_out_rows),
        held_out_tokens=count(contents.held_out_tokens),
        precision=contents.precision,
        table=comparison.table(contents),
        figures=figures.svgs(contents),
        samples=contents.samples,
        cut=browser.cut,
        count=count,
        stages=_stages(contents),
        environment=_environment(contents),
    )


def _glued(line: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:%|kB|MB|GB|s|min|h)(?!\w))", "\N{NO-BREAK SPACE}", line)


def _facts(contents: Contents) -> list[tuple[str, str]]:
    counted, split = contents.curation, contents.split
    return [
        ("rows drawn", count(counted.rows)),
        ("kept", f"{count(counted.kept)} ({percent(counted.kept / max(1, counted.rows))})"),
        ("to train on", count(split.train)),
        ("held out", count(split.validation)),
        ("leaks found by the check", count(variety.leaks(split))),
    ]


def _data(contents: Contents) -> dict[str, Any]:
    """What the page says of curation and of the split, and the rows that it shows."""
    curated, counted, curation = contents.curated, contents.curation, contents.recipe.curation
    found = clusters.chosen(curated, counted)
    chosen = browser.chosen(curated)
    wanted = {*chosen, *(row for cluster in found for row in (cluster.winner, *cluster.losers))}
    rows = curated.with_winners(wanted)
    meanings = checks.meanings(counted)
    return {
        "curation": counted,
        "funnel": checks.funnel(counted),
        "asides": [
            line
            for line in (
                checks.masked(counted, curation),
                checks.marks(counted, curation),
                checks.idle(counted, curation),
                checks.off(curation),
            )
            if line
        ],
        "meanings": meanings,
        "scores": contents.scores,
        "unscored": contents.unscored,
        "duplicates": clusters.summary(counted),
        "clusters": clusters.described(found, rows),
        "diversity": variety.diversity(counted.diversity),
        "sampled": variety.sampled(counted.diversity),
        "openings": variety.openings(counted.diversity),
        "divided": variety.divided(contents.split),
        "shown": len(rows),
        "all_rows": len(curated),
        "rows_json": browser.embeddable({"rows": browser.described(rows, rows.keys() - wanted), "meanings": meanings}),
        "by_reason": checks.options(counted.reasons),
        "by_mark": checks.options(counted.marks),
        "most_characters": count(browser.MOST_CHARACTERS),
        "exposed": any(counts["personal_data"] for counts in (counted.reasons, counted.marks))
        and curation.safety.personal_data != "redact",
    }


def _stages(contents: Contents) -> list[dict[str, Any]]:
    """What was made when, how long that took and on what; the parts of a stage in one line."""
    lines = []
    for label, group in groupby(contents.artifacts, key=lambda labelled: labelled[0]):
        made = [manifest for _, manifest in group]
        computed, remark = [each for manifest in made if (each := Computed.within(manifest))], ""
        if computed:
            remark = f"{computed[0].device}, {computed[0].dtype}, {count(sum(each.tokens for each in computed))} tokens"
        lines.append(
            {
                "label": label if len(made) == 1 else f"{label} ({count(len(made))} parts)",
                "time": duration(sum(finite(manifest.provenance.get("seconds")) or 0 for manifest in made)),
                "ended": max(_when(manifest.provenance) for manifest in made),
                "fingerprints": [manifest.fingerprint for manifest in made],
                "remark": remark,
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
