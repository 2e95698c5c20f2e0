"""A transformer's key-value cache as slots, each of which holds one row and takes the next when that has ended.

Rows stand side by side with their latest token in the same column, so that one forward pass continues all of them:

    row 0        [prompt and tokens so far]
    row 1               [prompt and tokens]
    row 2   [prompt and tokens so far     ]

What lies before a row's first column is masked. A new row is computed apart and copied in, right-aligned. Columns
before the first of all rows are cut off from time to time.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

DEAD = 32
"""Columns before the first row's at which they are cut off; so many are also allocated at once."""

SHARED = 16
"""Beginnings of prompts that are kept, such as one for each system prompt."""

States = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, shape (rows, heads, tokens, size)."""

Common = tuple[tuple[int, ...], int]
"""A text that is shared, as token ids, and how many of them a prompt begins with."""


def fits(model: Any) -> bool:
    """Whether a model keeps nothing of the past but keys and values, so that its rows can move between slots."""
    if model._is_stateful:
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


class Slots:
    """Rows that a model continues token by token, and that begin and end at any time.

    Args:
        model: A causal language model that `fits`.

    Attributes:
        prefilled: Prompt tokens computed so far; those that rows share count once.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._accepts = set(inspect.signature(model.forward).parameters)
        self._layers: list[_Layer] = []
        self._begins: list[int] = []
        self._columns = 0
        self._shared: dict[tuple[int, ...], tuple[States, torch.Tensor]] = {}
        self.prefilled = 0

    def __len__(self) -> int:
        return len(self._begins)

    @torch.inference_mode()
    def share(self, prompt: list[int]) -> None:
        """Computes a text that later prompts begin with, unless it is kept already; the oldest is given up for it.

        Args:
            prompt: Token ids.
        """
        if (key := tuple(prompt)) not in self._shared:
            computed = self._prefill([prompt], ((), 0))
            if len(self._shared) == SHARED:
                del self._shared[next(iter(self._shared))]
            self._shared[key] = computed

    @torch.inference_mode()
    def add(self, prompts: Sequence[list[int]]) -> torch.Tensor:
        """Adds rows behind those that are there.

        Args:
            prompts: Token ids of each.

        Returns:
            The logits of the next token of each, shape (prompts, vocabulary).
        """
        alike: dict[tuple[Common, bool], list[int]] = {}
        for place, prompt in enumerate(prompts):
            common = self._common(prompt)
            alike.setdefault((common, common[1] == len(prompt)), []).append(place)
        computed = {key: self._prefill([prompts[place] for place in places], key[0]) for key, places in alike.items()}
        if not self._layers:
            states, _ = next(iter(computed.values()))
            self._layers = [_Layer(keys, values) for keys, values in states]
        self._make_room(max(map(len, prompts)), len(prompts))
        logits: dict[int, torch.Tensor] = {}
        for key, places in alike.items():
            states, last = computed[key]
            for row, place in enumerate(places):
                logits[place] = last[row]
                for layer, (keys, values) in zip(self._layers, states, strict=True):
                    layer.put(len(self) + place, len(prompts[place]), keys[row], values[row])
        self._set_begins([*self._begins, *(self._columns - len(prompt) for prompt in prompts)])
        return torch.stack([logits[place] for place in range(len(prompts))])

    @torch.inference_mode()
    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Continues every row by a token.

        Args:
            tokens: One for each row, shape (rows,).

        Returns:
            The logits of the next token of each, shape (rows, vocabulary).
        """
        self._make_room(0, 0)
        begins = torch.tensor(self._begins, device=tokens.device)[:, None]
        mask = (torch.arange(self._columns + 1, device=tokens.device) >= begins).long()
        output = self._forward(tokens[:, None], Cache(layers=list(self._layers)), mask, self._columns - begins, 1)
        self._columns += 1
        return output.logits[:, -1]

    @torch.inference_mode()
    def remove(self, row: int) -> None:
        """Frees the slot of a row; the last row takes it."""
        *begins, last = self._begins
        if row < len(begins):
            begins[row] = last
            for layer in self._layers:
                layer.move(len(begins), row)
        self._set_begins(begins)

    def clear(self) -> None:
        """Removes all rows and what they share, and frees the memory."""
        self._layers, self._begins, self._columns, self._shared = [], [], 0, {}

    def _set_begins(self, begins: list[int]) -> None:
        self._begins = begins
        for layer in self._layers:
            layer.rows = len(begins)

    def _common(self, prompt: list[int]) -> Common:
        """With which of the texts that are shared a prompt has most in common, and how many tokens."""
        found = [(shared, _alike(shared, prompt)) for shared in self._shared]
        return max(found, key=lambda each: each[1], default=((), 0))

    def _prefill(self, prompts: Sequence[list[int]], begins: Common) -> tuple[States, torch.Tensor]:
        """The states of prompts that begin alike, and the logits of the next token of each."""
        rows, cache, (of, common) = len(prompts), DynamicCache(), begins
        if common:
            states, logits = self._shared[of]
            shared = [
                (keys[:, :, :common].expand(rows, -1, -1, -1), values[:, :, :common].expand(rows, -1, -1, -1))
                for keys, values in states
            ]
            if common == len(prompts[0]):
                return shared, logits.expand(rows, -1)
            cache = DynamicCache(shared)
        device = self._model.device
        rests = [prompt[common:] for prompt in prompts]
        sizes = torch.tensor([len(rest) for rest in rests], device=device)
        longest = max(map(len, rests))
        # Padded on the right, so that columns are as far apart as positions, which sliding windows want.
        ids = torch.tensor([[*rest, *[0] * (longest - len(rest))] for rest in rests], device=device)
        columns = torch.arange(common + longest, device=device)
        mask = (columns < common + sizes[:, None]).long()
        ends, which = torch.unique(sizes - 1, return_inverse=True)
        output = self._forward(ids, cache, mask, columns[common:].expand(rows, -1), ends)
        self.prefilled += sum(map(len, rests))
        last = which if "logits_to_keep" in self._accepts else sizes - 1
        layers: Any = cache.layers
        return [(layer.keys, layer.values) for layer in layers], output.logits[torch.arange(rows, device=device), last]

    def _forward(
        self, ids: torch.Tensor, cache: Cache, mask: torch.Tensor, positions: torch.Tensor, keep: int | torch.Tensor
    ) -> Any:
        options = {"position_ids": positions, "logits_to_keep": keep}
        accepted = {name: value for name, value in options.items() if name in self._accepts}
        return self._model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **accepted)

    def _make_room(self, prompt: int, rows: int) -> None:
        """Makes room for so many more rows and one more column, and for a prompt of so many tokens before that."""
        first = min(self._begins, default=self._columns)
        moves = first >= DEAD or prompt > self._columns or not self._begins
        shift = max(prompt - self._columns, -first) if moves else 0
        self._columns += shift
        self._begins = [begin + shift for begin in self._begins]
        for layer in self._layers:
            layer.resize(shift, self._columns + 1, len(self) + rows)


def _alike(shared: Sequence[int], prompt: Sequence[int]) -> int:
    """How many of its first tokens a prompt shares with a text."""
    differing = (place for place, pair in enumerate(zip(shared, prompt, strict=False)) if pair[0] != pair[1])
    common = next(differing, min(len(shared), len(prompt)))
    # The logits of its last token are known only if that is the last one shared.
    return common if common < len(prompt) or len(prompt) == len(shared) else common - 1


class _Layer(DynamicLayer):
    """The keys and values of one layer in a buffer, so that a step writes a column instead of copying all.

    Args:
        keys: Those of some rows, for their shape.
        values: Likewise.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers = [each.new_zeros(0, each.shape[1], 0, each.shape[3]) for each in (keys, values)]
        self.rows = self.length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the next column of every row; see `DynamicLayer.update`."""
        begin, self.length = self.length, self.length + key_states.shape[-2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[: self.rows, :, begin : self.length] = states
        keys, values = (buffer[: self.rows, :, : self.length] for buffer in self._buffers)
        return keys, values

    def get_seq_length(self) -> int:
        """The number of columns."""
        return self.length

    def put(self, row: int, tokens: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Writes the first so many tokens' states of a row, up to the current column."""
        for buffer, states in zip(self._buffers, (keys, values), strict=True):
            buffer[row, :, self.length - tokens : self.length] = states[:, :tokens]

    def move(self, row: int, to: int) -> None:
        """Copies a row."""
        for buffer in self._buffers:
            buffer[to, :, : self.length] = buffer[row, :, : self.length]

    def resize(self, shift: int, columns: int, rows: int) -> None:
        """Moves all columns by so many to the right, and sees that there are so many columns and rows."""
        self._buffers = [self._resized(buffer, shift, columns, rows) for buffer in self._buffers]
        self.length += shift

    def _resized(self, buffer: torch.Tensor, shift: int, columns: int, rows: int) -> torch.Tensor:
        if not shift and buffer.shape[0] >= rows and buffer.shape[2] >= columns:
            return buffer
        shape = max(rows, buffer.shape[0]), buffer.shape[1], columns + DEAD, buffer.shape[3]
        moved = buffer.new_zeros(shape)
        kept = buffer[: self.rows, :, max(-shift, 0) : self.length]
        begin = max(shift, 0)
        moved[: self.rows, :, begin : begin + kept.shape[2]] = kept
        return moved
