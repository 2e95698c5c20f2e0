"""Where a completion ends: at tokens of the model, and at texts that may be several tokens."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tuner.generation.engines import Completion


@dataclass(frozen=True)
class Ending:
    """What ends the completion of a request.

    Attributes:
        tokens: Token ids.
        texts: Texts that are none of them.
    """

    tokens: frozenset[int]
    texts: tuple[str, ...] = ()


class Endings:
    """The endings of a model.

    Args:
        tokenizer: Its tokenizer.
        model_ends: Its end tokens, as its generation settings name them.
    """

    def __init__(self, tokenizer: Any, model_ends: Any) -> None:
        self._tokenizer = tokenizer
        named = model_ends if isinstance(model_ends, list) else [model_ends]
        self._ends = frozenset(end for end in (tokenizer.eos_token_id, *named) if end is not None)
        self._added: dict[str, int] = tokenizer.get_added_vocab()

    def of(self, stops: Collection[str]) -> Ending:
        """The ending of a request whose turn ends with these texts, too."""
        tokens = {self._added[stop] for stop in stops if stop in self._added}
        return Ending(self._ends | tokens, tuple(stop for stop in stops if stop not in self._added))

    def completion(self, ids: list[int], ending: Ending) -> Completion | None:
        """The completion if these tokens end it, the last one being new; else None."""
        if ids[-1] in ending.tokens:
            return Completion(self._tokenizer.decode(ids[:-1]), len(ids), "stop")
        if not ending.texts:
            return None
        # A token has a byte at least, but some of a character's bytes are no text.
        recent = self._tokenizer.decode(ids[-max(len(text.encode()) for text in ending.texts) - 4 :])
        if any(text in recent for text in ending.texts):
            whole = self._tokenizer.decode(ids)
            # Its special tokens are still there, which a stop text may hold.
            ended = min(place for text in ending.texts if (place := whole.find(text)) >= 0)
            return Completion(whole[:ended], len(ids), "stop")
        return None

    def cut(self, ids: list[int]) -> Completion:
        """The completion of a row that was cut off at its limit."""
        return Completion(self._tokenizer.decode(ids), len(ids), "length")
