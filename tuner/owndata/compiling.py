"""Compiles the loops of curation and the split, as `make setup` does: the first run then takes no longer than others.

Numba keeps what it compiled beside the sources, for the loops that ran; so the examples of the checks are curated and
split once.
"""

import json
import tempfile
from pathlib import Path

from tuner.curation.settings import CHECKS, Curation
from tuner.owndata import curate
from tuner.splitting.check import check
from tuner.splitting.placement import place
from tuner.splitting.settings import Split


def compiled() -> None:
    """Compiles what is not yet compiled."""
    with tempfile.TemporaryDirectory() as name:
        file, to = Path(name) / "rows.jsonl", Path(name) / "curated"
        examples = [example for check in CHECKS.values() for example in check.examples]
        rows = [{"instruction": example.instruction, "response": example.response} for example in examples]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        prompts = CHECKS["decontamination"].examples[0].settings
        curate.run(file, Curation.model_validate({"decontamination": prompts}), to)
        kept, split = sorted((to / "kept").glob("*.parquet")), Split()
        place(kept, None, split)
        check(kept[0], kept[0], split.similarity, split.ngram)


if __name__ == "__main__":
    compiled()
