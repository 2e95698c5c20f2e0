"""Writes the report: one page, its figures, and the numbers as JSON and CSV."""

import json
from pathlib import Path

from tuner.report.inputs import Inputs
from tuner.report.metrics import Reported

__all__ = ["Inputs", "report"]


def report(inputs: Inputs, folder: Path) -> Reported:
    """Writes `report.html`, `comparison.json`, `comparison.csv` and `figures/*.png`.

    Args:
        inputs: The artifacts and their files.
        folder: An empty folder to fill.
    """
    # Imported here since they load matplotlib, Arrow and Jinja, which planning does not need.
    from tuner.report import comparison, figures, page
    from tuner.report.contents import gather
    from tuner.report.verdict import judge

    contents = gather(inputs)
    verdict = judge(contents)
    numbers = json.dumps(comparison.as_json(contents, verdict), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "comparison.json").write_text(numbers + "\n", encoding="utf-8")
    (folder / "comparison.csv").write_text(comparison.as_csv(contents), encoding="utf-8")
    figures.write_pngs(contents, folder / "figures")
    (folder / "report.html").write_text(page.render(contents, verdict), encoding="utf-8")
    return Reported(verdict=verdict.lines, winner=verdict.winner)
