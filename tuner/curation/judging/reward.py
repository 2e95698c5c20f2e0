"""A reward model: a sequence classifier with one output, which scores whole conversations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.models import loading, precision, templates
from tuner.models.memory import in_batches

F64 = NDArray[np.float64]
Messages = list[dict[str, Any]]
Row = tuple[Messages, str | None]
"""The messages of a row, and the descriptions of its tools as JSON."""


class Rewarder:
    """A loaded reward model.

    One with a chat template reads the conversation as that renders it. One without (DeBERTa and other encoders) reads
    two texts: everything before the last answer, messages separated by blank lines, and that answer. A row that is
    longer than the model reads, or that its template cannot render, has no reward.

    Args:
        model: The model, as written in the recipe.

    Attributes:
        longest: Tokens of the longest row that it reads; None if any.

    Raises:
        InputError: If it cannot be loaded, or is no sequence classifier with one output.
    """

    def __init__(self, model: str) -> None:
        self._tokenizer: Any = loading.load_tokenizer(model)
        self._tokenizer.padding_side = "right"
        self._model: Any = loading.load_classifier(model, precision.inference()).eval()
        self.device, self.dtype = self._model.device.type, str(self._model.dtype).removeprefix("torch.")
        self.longest = loading.positions(self._model.config)
        self._padding = self._model.config.get_text_config().pad_token_id
        if self._padding is not None:
            # It finds the last token of a row by this id.
            self._tokenizer.pad_token = self._tokenizer.convert_ids_to_tokens(self._padding)

    def score(self, rows: Sequence[Row], batch_size: int, on_rows: Callable[[int], None]) -> F64:
        """The rewards of rows, NaN where there is none, shape (rows,).

        Args:
            rows: The rows.
            batch_size: Rows in a batch; fewer if the memory does not suffice, and one if the model's configuration
                names no padding.
            on_rows: Called with the number of rows done, from time to time.
        """
        encoded = [self._encode(*row) for row in rows]
        sizes = [0 if each is None else len(each["input_ids"]) for each in encoded]
        fitting = [row for row, size in enumerate(sizes) if size and (self.longest is None or size <= self.longest)]
        order = sorted(fitting, key=lambda row: (-sizes[row], row))
        rewards = np.full(len(rows), np.nan)
        size = batch_size if self._padding is not None else 1
        results = in_batches(order, size, lambda batch: self._scores([encoded[row] for row in batch]))
        for done, (row, reward) in enumerate(zip(order, results, strict=True), 1):
            rewards[row] = reward
            on_rows(done)
        return rewards

    def _encode(self, messages: Messages, tools: str | None) -> Any:
        if not self._tokenizer.chat_template:
            before = "\n\n".join(message["content"] for message in messages[:-1])
            return self._tokenizer(before, messages[-1]["content"])
        try:
            text = templates.render(self._tokenizer, messages, tools)
        except templates.RENDERING:
            return None
        return self._tokenizer(text, add_special_tokens=False)

    def _scores(self, encoded: Sequence[Any]) -> list[float]:
        import torch

        batch = self._tokenizer.pad(list(encoded), return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            return self._model(**batch).logits[:, 0].double().tolist()
