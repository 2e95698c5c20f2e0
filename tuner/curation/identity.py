"""Which settings decide which of curation's stages: what enters their fingerprints."""

from typing import Any

from tuner.curation.checks.prompts import digests
from tuner.curation.settings import Curation


def examining(curation: Curation) -> dict[str, Any]:
    """What decides what is said of a row alone."""
    plain = curation.model_dump(mode="json")
    near, semantic = plain["duplicates"]["near"], plain["duplicates"]["semantic"]
    return {
        **{key: plain[key] for key in ("ignore", "form", "repetition", "language", "safety")},
        "minimum": plain["quality"]["minimum"],
        "near": near,
        "embedded": semantic and {key: semantic[key] for key in ("on", "embedder")},
        # What the files say, wherever they lie.
        "decontamination": {
            "against": digests(curation.decontamination.against),
            "similarity": plain["decontamination"]["similarity"],
        },
    }


def matching(curation: Curation) -> dict[str, Any]:
    """What decides which rows are near to each other."""
    return curation.duplicates.model_dump(mode="json", exclude={"keep"})


def choosing(curation: Curation) -> dict[str, Any]:
    """What decides which of the rows that pass are kept."""
    return {
        "ignore": list(curation.ignore),
        "keep": curation.duplicates.keep,
        "quality": curation.quality.model_dump(mode="json"),
        "balance": curation.balance and curation.balance.model_dump(mode="json"),
    }
