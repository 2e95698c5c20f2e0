"""Measures how subjects prefer the better answers of held-out preference pairs, and how far they have moved for it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tuner.artifacts import parquet
from tuner.evaluation import BASE, statistics
from tuner.evaluation.bench import Bench
from tuner.evaluation.metrics import Divergence, Preferred
from tuner.models import scoring
from tuner.shares import Share


class Preferring:
    """The measurements on the pairs whose instructions are held out.

    Args:
        bench: The held-out rows, which divergences are measured on.
        pairs: The file of the pairs.
        adapters: The folder of every adapter, by name.
    """

    def __init__(self, bench: Bench, pairs: Path, adapters: Mapping[str, Path]) -> None:
        self.bench, self.adapters = bench, adapters
        self.divergences: dict[str, Divergence] = {}
        self._margins: dict[str, list[float]] = {}
        length = max(settings.max_length for settings in bench.recipe.trained.values())
        encoded = [
            [bench.chat.encode(row["prompt"] + row[name], length, row.get("tools")) for name in ("chosen", "rejected")]
            for row in parquet.read(pairs).to_pylist()
        ]
        self._pairs = [pair for pair in encoded if all(answer.tokens for answer in pair)]

    def measure(self, subject: str, model: Any) -> None:
        """Measures a subject on the pairs and, if it was trained on pairs, its divergence from its reference."""
        pad_id = self.bench.chat.tokenizer.pad_token_id
        sums = iter(scoring.losses(model, [answer for pair in self._pairs for answer in pair], pad_id))
        self._margins[subject] = [rejected - chosen for chosen, rejected in zip(sums, sums, strict=True)]
        settings = self.bench.recipe.trained.get(subject)
        if settings is None or not settings.objective.pairs or not hasattr(model, "disable_adapter"):
            return
        start = self.adapters[settings.start] if settings.start else None
        turns = [answer for answers in self.bench.encoded for answer in answers]
        with _reference(model, start) as as_reference:
            found = iter(scoring.divergences(model, turns, pad_id, as_reference))
        rows = [sum(islice(found, len(answers))) for answers in self.bench.encoded]
        low, high = statistics.interval(rows, self.bench.tokens)
        kl = sum(rows) / sum(self.bench.tokens)
        self.divergences[subject] = Divergence(reference=settings.start or BASE, kl=kl, low=low, high=high)

    def preferred(self) -> dict[str, Preferred]:
        """Every subject's margin and accuracy against the base; empty if no pair is left within `max_length`."""
        if not self._pairs:
            return {}
        base = self._margins[BASE]
        return {
            subject: _preferred([margin - before for margin, before in zip(margins, base, strict=True)])
            for subject, margins in self._margins.items()
            if subject != BASE
        }

    def lengths(self, subjects: Iterable[str]) -> dict[str, float]:
        """The mean tokens of every subject's answers to the sampled instructions."""
        tokenizer = self.bench.chat.tokenizer
        counts = {name: [len(tokenizer(text).input_ids) for text in self.bench.samples[name]] for name in subjects}
        return {name: sum(lengths) / len(lengths) for name, lengths in counts.items() if lengths}


def _preferred(margins: list[float]) -> Preferred:
    low, high = statistics.interval(margins, [1] * len(margins))
    better = Share(sum(margin > 0 for margin in margins), len(margins))
    return Preferred(
        pairs=len(margins),
        margin=sum(margins) / len(margins),
        margin_low=low,
        margin_high=high,
        accuracy=better.value,
        accuracy_low=better.interval[0],
        accuracy_high=better.interval[1],
    )


@contextmanager
def _reference(model: Any, start: Path | None) -> Iterator[partial[AbstractContextManager[Any]]]:
    """A way to make an adapted model its reference for a while: without the adapter, or with the one it went on from.

    Args:
        model: The model with the adapter.
        start: The folder of the adapter that it went on from, if any.
    """
    if start is None:
        yield partial(model.disable_adapter)
        return
    own = model.active_adapter
    model.load_adapter(str(start), adapter_name="reference")

    @contextmanager
    def switched() -> Iterator[None]:
        model.set_adapter("reference")
        try:
            yield
        finally:
            model.set_adapter(own)

    try:
        model.set_adapter(own)
        yield partial(switched)
    finally:
        model.delete_adapter("reference")
