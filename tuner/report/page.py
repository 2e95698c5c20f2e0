"""The page: one HTML file that needs no network and no other file."""

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.metrics import Computed
from tuner.report import (
    browser,
    checks,
    clusters,
    comparison,
    figures,
    nearness,
    pairs,
    palette,
    sweeps,
    variety,
    wording,
)
from tuner.report.contents import Contents
from tuner.report.verdict import Verdict
from tuner.report.wording import ABSENT, count, duration, finite, percent, plain, rows_of


def render(contents: Contents, verdict: Verdict) -> str:
    """The page's HTML.

    Args:
        contents: The contents of the report.
        verdict: The verdict.
    """
    # Texts are escaped unless they are marked safe, since a model may have written anything.
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
        no_break=_no_break,
        subjects=contents.subjects,
        roles=palette.roles_of(contents.subjects),
        tones=palette.ROLES,
        facts=_facts(contents),
        fewest_rows=None if contents.has_enough_rows else FEWEST_ROWS,
        held_out_rows=count(contents.held_out_rows),
        held_out_tokens=count(contents.held_out_tokens),
        precision=contents.precision,
        table=comparison.table(contents),
        figures=figures.svgs(contents),
        sweeps=sweeps.chapters(contents),
        unequal=sweeps.unequal(contents),
        preferences=contents.preferences,
        tuning_rows=count(contents.split.tuning),
        samples=contents.samples,
        pairs=_pairs(contents),
        cut=browser.cut,
        count=count,
        stages=_stages(contents),
        environment=_environment(contents),
    )


def _no_break(line: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:%|kB|MB|GB|s|min|h)(?!\w))", "\N{NO-BREAK SPACE}", line)


def _facts(contents: Contents) -> list[tuple[str, str]]:
    counted, split = contents.curation, contents.split
    tuning = [("to choose by", count(split.tuning))] if split.tuning else []
    return [
        ("all rows", count(counted.rows)),
        ("kept", f"{count(counted.kept)} ({percent(counted.kept / max(1, counted.rows))})"),
        ("to train on", count(split.train)),
        *tuning,
        ("held out", count(split.validation)),
        ("leaks found by the check", count(variety.leaks(split))),
    ]


def _data(contents: Contents) -> dict[str, Any]:
    """The variables of the template's part about the data."""
    curated, counted, curation = contents.curated, contents.curation, contents.recipe.curation
    largest = clusters.select(curated, counted)
    wanted = {
        *browser.select(curated),
        *(row for cluster in largest for row in (cluster.winner, *cluster.losers)),
        *(row for each in contents.taken for row in each.positions),
    }
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
        "hints": nearness.hints(counted.reasons, counted.rows, curation),
        "taken": [
            {
                "reason": plain(each.reason),
                "rows": rows_of(each.rows),
                "loosened": each.loosened,
                "examples": each.examples,
            }
            for each in contents.taken
        ],
        "duplicates": clusters.summary(counted),
        "clusters": clusters.as_data(largest, rows),
        "diversity": variety.diversity(counted.diversity),
        "sampled": variety.sampled(counted.diversity),
        "openings": variety.openings(counted.diversity),
        "split_lines": variety.split_summary(contents.split),
        "shown": len(rows),
        "all_rows": len(curated),
        "rows_json": browser.embeddable({"rows": browser.as_data(rows, rows.keys() - wanted), "meanings": meanings}),
        "by_reason": checks.options(counted.reasons),
        "by_mark": checks.options(counted.marks),
        "most_characters": count(browser.MOST_CHARACTERS),
        "exposed": any(counts["personal_data"] for counts in (counted.reasons, counted.marks))
        and curation.safety.personal_data != "redact",
    }


def _pairs(contents: Contents) -> dict[str, Any] | None:
    """The variables of the template's part about preference pairs; None if there are none."""
    found = contents.pairs
    if found is None:
        return None
    return {
        "sentences": pairs.sentences(found),
        "judged": pairs.judged(found),
        "warnings": pairs.warnings(found),
        "meanings": pairs.meanings(found),
        "origins": found.metrics.origins,
        "sides": [side for side, held in found.metrics.pairs.items() if held],
        "shown": len(found.shown),
        "total": sum(found.metrics.pairs.values()),
        "json": browser.embeddable(found.shown),
    }


def _stages(contents: Contents) -> list[dict[str, Any]]:
    """One line per stage or adapter: when it was made, how long it took and on which device."""
    lines = []
    for label, group in groupby(contents.artifacts, key=lambda entry: entry[0]):
        manifests = [manifest for _, manifest in group]
        computed, remark = [metrics for manifest in manifests if (metrics := Computed.within(manifest))], ""
        if computed:
            tokens = sum(metrics.tokens for metrics in computed)
            remark = f"{computed[0].device}, {computed[0].dtype}, {count(tokens)} tokens"
        lines.append(
            {
                "label": label if len(manifests) == 1 else f"{label} ({count(len(manifests))} parts)",
                "time": duration(sum(finite(manifest.provenance.get("seconds")) or 0 for manifest in manifests)),
                "ended": max(_when(manifest.provenance) for manifest in manifests),
                "fingerprints": [manifest.fingerprint for manifest in manifests],
                "remark": remark,
            }
        )
    return lines


def _when(provenance: dict[str, Any]) -> str:
    return str(provenance.get("ended", ABSENT)).replace("T", " ").replace("+00:00", " UTC")


def _environment(contents: Contents) -> list[tuple[str, str]]:
    """Machines and versions of all stages; several values where stages differ."""
    values: dict[str, list[str]] = {}
    for _, manifest in contents.artifacts:
        record = manifest.provenance
        entries = {"machine": record.get("machine"), "Python": record.get("python"), **record.get("versions", {})}
        for name, value in entries.items():
            if value and str(value) not in values.setdefault(name, []):
                values[name].append(str(value))
    return [(name, wording.listed(several)) for name, several in values.items() if several]
