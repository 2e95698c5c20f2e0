"""Sampling in which every row has its own random numbers.

`generate` samples a batch from one random stream, so a row's tokens would depend on its neighbours. Here a logits
processor chooses the token: it applies temperature, top-p and min-p as transformers defines them, takes the token at
which the cumulative probability passes the row's own uniform number, and sets all other logits to minus infinity, so
that greedy decoding picks that token.
"""

import torch

from tuner.generation.sources.base import Sampling

CANDIDATES = 512
"""Tokens sorted at first; a nucleus is rarely larger, and a row for which it is has its whole vocabulary sorted."""


class RowSampler:
    """A logits processor for `generate` that samples each row's next token with the row's own random numbers.

    Args:
        sampling: Temperature, top-p and min-p.
        uniforms: One number for each row and step, shape (rows, max_tokens), float64 in [0, 1).
        prompt_length: Tokens in the padded prompt, from which the step is computed.
    """

    def __init__(self, sampling: Sampling, uniforms: torch.Tensor, prompt_length: int) -> None:
        self._sampling = sampling
        self._uniforms = uniforms
        self._prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Masks all tokens but the sampled one.

        Args:
            input_ids: Shape (rows, tokens so far).
            scores: Logits, shape (rows, vocabulary).

        Returns:
            0 at the sampled token and minus infinity elsewhere, shape (rows, vocabulary).
        """
        step = input_ids.shape[1] - self._prompt_length
        chosen = choose(scores, self._sampling, self._uniforms[:, step].to(scores.device))
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def choose(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor) -> torch.Tensor:
    """Inverse-transform sampling from the truncated distribution.

    Args:
        logits: Shape (rows, vocabulary).
        sampling: Temperature; top-p (arXiv 1904.09751); min-p (arXiv 2407.01082).
        uniforms: Shape (rows,), in [0, 1).

    Returns:
        Token ids, shape (rows,).
    """
    probabilities = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    if sampling.top_p >= 1.0 and sampling.min_p <= 0.0:
        return _inverse(probabilities, uniforms)
    count = min(CANDIDATES, probabilities.shape[-1])
    top, tokens = probabilities.topk(count, dim=-1)
    chosen = tokens.gather(1, _inverse(_truncated(top, sampling), uniforms)[:, None])[:, 0]
    # A nucleus wider than the candidates: neither their mass reaches top_p nor is the last one below min_p.
    wide = (top.sum(-1) < sampling.top_p) & (top[:, -1] >= sampling.min_p * top[:, 0])
    if count < probabilities.shape[-1] and bool(wide.any()):
        full, order = probabilities[wide].sort(dim=-1, descending=True)
        index = _inverse(_truncated(full, sampling), uniforms[wide])
        chosen[wide] = order.gather(1, index[:, None])[:, 0]
    return chosen


def _truncated(descending: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    before = descending.cumsum(-1) - descending
    keep = (before < sampling.top_p) & (descending >= sampling.min_p * descending[:, :1])
    keep[:, 0] = True
    return descending * keep


def _inverse(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The index at which the cumulative weight passes the uniform number times the total, shape (rows,)."""
    cumulative = weights.double().cumsum(-1)
    index = torch.searchsorted(cumulative, (uniforms * cumulative[:, -1])[:, None], right=True)[:, 0]
    # The product may round up to the total; then the last token of non-zero weight is the right one.
    last = weights.shape[-1] - 1 - (weights > 0).flip(-1).int().argmax(-1)
    return torch.minimum(index, last)
