"""The log-likelihood of each of some answers to a prompt, under a causal language model.

Answers that begin with the same tokens share their forward passes: the distributions that the tokens of all answers are
read from are those behind the *paths*, which are the answers without their last token, and of these the ones that no
other continues. `very easy`, `easy` and `very hard` need one path, `very`.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.generation.engines.slots import fits

F64 = NDArray[np.float64]
Path = tuple[int, ...]


def paths(answers: Sequence[Sequence[int]]) -> list[Path]:
    """The paths of answers, sorted.

    Args:
        answers: Token ids of each, at least one.
    """
    heads = sorted({tuple(answer[:-1]) for answer in answers})
    follows = zip(heads, [*heads[1:], None], strict=True)
    return [head for head, after in follows if after is None or after[: len(head)] != head]


class Likelihoods:
    """Scores answers with a model.

    Args:
        model: A causal language model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model.eval()
        self._accepts = set(inspect.signature(model.forward).parameters)
        # Other models keep states of the past that padding would change.
        self._shares = fits(model)

    @torch.inference_mode()
    def of(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> F64:
        """The log-likelihood that what follows a prompt begins with each answer.

        It is the sum over the answer's tokens. Their mean would favour words of several tokens, of which all but the
        first are nearly certain: with it SmolLM2-135M-Instruct calls no English request English, with the sum all.

        Args:
            prompts: Token ids, at least one each.
            answers: Token ids, at least one each.

        Returns:
            Nats, shape (prompts, answers).
        """
        every = paths(answers)
        behind = self._behind(prompts, every) if self._shares else self._behind_each(prompts, every)
        sums = np.full((len(prompts), len(answers)), np.nan)
        for path, logits in zip(every, behind, strict=True):
            certain = torch.log_softmax(logits.float(), dim=-1)  # shape (prompts, tokens of the path + 1, vocabulary)
            for number, answer in enumerate(answers):
                if tuple(answer[:-1]) == path[: len(answer) - 1]:
                    tokens = torch.tensor(list(answer), device=certain.device)
                    chosen = certain[:, torch.arange(len(answer), device=certain.device), tokens]
                    sums[:, number] = chosen.double().sum(dim=1).cpu().numpy()
        return sums

    def _behind(self, prompts: Sequence[Sequence[int]], every: Sequence[Path]) -> Iterator[torch.Tensor]:
        """The logits behind the prompts and each token of each path; the prompts are computed once."""
        longest, device = max(map(len, prompts)), self._model.device
        # Padded on the left, so that the columns of prompt and path are as far apart as their positions.
        padded = [[*[0] * (longest - len(prompt)), *prompt] for prompt in prompts]
        empty = [[int(place >= longest - len(prompt)) for place in range(longest)] for prompt in prompts]
        ids, mask = torch.tensor(padded, device=device), torch.tensor(empty, device=device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        begun = self._forward(ids, mask, position_ids=positions, logits_to_keep=1, use_cache=True)
        first = begun.logits[:, -1:]
        for path in every:
            if not path:
                yield first
                continue
            tokens = torch.tensor([path], device=device).expand(len(prompts), -1)
            seen = torch.cat([mask, torch.ones_like(tokens)], dim=1)
            after = positions[:, -1:] + 1 + torch.arange(len(path), device=device)
            cache = copy.deepcopy(begun.past_key_values)  # a forward pass appends to it
            options = {"past_key_values": cache, "use_cache": True}
            yield torch.cat([first, self._forward(tokens, seen, position_ids=after, **options).logits], dim=1)

    def _behind_each(self, prompts: Sequence[Sequence[int]], every: Sequence[Path]) -> Iterator[torch.Tensor]:
        """As `_behind`, with one forward pass over prompt and path for each path."""
        device = self._model.device
        for path in every:
            texts = [[*prompt, *path] for prompt in prompts]
            longest = max(map(len, texts))
            ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
            lengths = torch.tensor([len(text) for text in texts], device=device)
            mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
            logits = self._forward(ids, mask, use_cache=False).logits
            columns = lengths[:, None] - 1 - len(path) + torch.arange(len(path) + 1, device=device)
            yield logits[torch.arange(len(texts), device=device)[:, None], columns]

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, **options: Any) -> Any:
        accepted = {name: value for name, value in options.items() if name in self._accepts}
        return self._model(input_ids=ids, attention_mask=mask, **accepted)
