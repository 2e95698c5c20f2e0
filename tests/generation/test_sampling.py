"""Sampling with a row's own random number follows the distribution that transformers defines."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopPLogitsWarper

from tuner.generation.sampling import CANDIDATES, RowSampler, choose
from tuner.generation.sources import Sampling

DRAWS = 10_000
LAST = 1 - 2**-53
"""The largest number that a row may draw."""


def expected(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The truncated probabilities, by transformers' own processors in the order in which it applies them."""
    ids: Any = None  # what none of them reads
    scores = TemperatureLogitsWarper(sampling.temperature)(ids, logits) if sampling.temperature != 1 else logits
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(ids, scores)
    if sampling.min_p > 0:
        scores = MinPLogitsWarper(sampling.min_p)(ids, scores)
    return torch.softmax(scores.double(), dim=-1)


def frequencies(logits: torch.Tensor, sampling: Sampling, draws: int = DRAWS) -> torch.Tensor:
    """The frequency of each token for evenly spaced numbers, shape (vocabulary,)."""
    uniforms = (torch.arange(draws, dtype=torch.float64) + 0.5) / draws
    # In chunks, to save memory with many draws over a large vocabulary.
    chosen = [choose(logits.expand(len(part), -1), sampling, part) for part in uniforms.split(2000)]
    return torch.bincount(torch.cat(chosen), minlength=logits.shape[-1]).double() / draws


def random_logits(vocabulary: int, spread: float, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, vocabulary, generator=torch.Generator().manual_seed(seed)) * spread


SETTINGS = [
    Sampling(),
    Sampling(temperature=0.5),
    Sampling(temperature=2.0, top_p=0.9),
    Sampling(temperature=0.7, top_p=0.5),
    Sampling(min_p=0.1),
    Sampling(temperature=1.5, top_p=0.95, min_p=0.05),
    Sampling(top_p=1e-6),
    Sampling(min_p=0.999),
]


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_the_distribution_is_that_of_transformers(sampling: Sampling, spread: float) -> None:
    logits = random_logits(60, spread)
    wanted, found = expected(logits, sampling)[0], frequencies(logits, sampling)
    assert not found[wanted == 0].any()
    # With evenly spaced numbers a token's count is off by at most one at either end.
    assert (found - wanted).abs().max() <= 2.5 / DRAWS
    assert found[wanted > 2 / DRAWS].all()


@pytest.mark.parametrize(
    "sampling", [Sampling(top_p=0.9), Sampling(min_p=0.01), Sampling(temperature=3.0, top_p=0.99, min_p=0.2)], ids=str
)
def test_a_nucleus_wider_than_the_candidates_is_sampled_correctly(sampling: Sampling) -> None:
    logits = random_logits(1200, 0.3)
    wanted, found = expected(logits, sampling)[0], frequencies(logits, sampling, 8_000)
    assert int((wanted > 0).sum()) > CANDIDATES
    assert torch.equal(found > 0, wanted > 0)
    assert (found - wanted).abs().max() <= 2.5 / 8_000


def test_wide_and_narrow_rows_of_one_batch_are_independent() -> None:
    sampling = Sampling(top_p=0.9)
    logits = torch.cat([random_logits(2000, spread, seed) for seed, spread in enumerate([0.1, 8.0, 0.3, 3.0, 0.0])])
    uniforms = torch.tensor([0.1, 0.5, 0.9, 0.3, 0.7], dtype=torch.float64)
    together = choose(logits, sampling, uniforms)
    alone = torch.cat([choose(logits[i : i + 1], sampling, uniforms[i : i + 1]) for i in range(5)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
@pytest.mark.parametrize("uniform", [0.0, 0.999999, LAST])
def test_the_smallest_and_largest_number_choose_an_allowed_token(sampling: Sampling, uniform: float) -> None:
    for vocabulary, spread in [(60, 3.0), (2000, 0.3), (2000, 30.0)]:
        logits = random_logits(vocabulary, spread)
        chosen = choose(logits, sampling, torch.tensor([uniform], dtype=torch.float64))
        assert expected(logits, sampling)[0, chosen[0]] > 0


@pytest.mark.parametrize("uniform", [0.0, 0.5, LAST])
@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_a_token_with_probability_0_is_never_chosen(sampling: Sampling, uniform: float) -> None:
    logits = torch.full((1, 700), -torch.inf)
    logits[0, 650] = 0.0
    assert choose(logits, sampling, torch.tensor([uniform], dtype=torch.float64)).tolist() == [650]


def test_a_nucleus_of_one_is_greedy() -> None:
    logits = random_logits(1000, 2.0)
    for uniform in (0.0, 0.5, LAST):
        chosen = choose(logits, Sampling(top_p=1e-6), torch.tensor([uniform], dtype=torch.float64))
        assert chosen.tolist() == [int(logits.argmax())]


@hypothesis_settings(max_examples=150)
@given(
    logits=st.lists(st.integers(-400, 400).map(lambda n: n / 20), min_size=1, max_size=40, unique=True),
    temperature=st.sampled_from([0.1, 0.7, 1.0, 2.5]),
    top_p=st.sampled_from([0.05, 0.513, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.017, 0.5]),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_the_token_is_where_the_cumulative_probability_passes_the_number(
    logits: list[float], temperature: float, top_p: float, min_p: float, uniform: float
) -> None:
    sampling = Sampling(temperature=temperature, top_p=top_p, min_p=min_p)
    row = torch.tensor([logits])
    chosen = int(choose(row, sampling, torch.tensor([uniform], dtype=torch.float64)))
    wanted = expected(row, sampling)[0]
    assert wanted[chosen] > 0
    # Tokens are laid end to end, by probability where the distribution is truncated, else by number.
    truncated = top_p < 1 or min_p > 0
    order = wanted.argsort(descending=True, stable=True) if truncated else torch.arange(len(logits))
    place = int((order == chosen).nonzero())
    end = float(wanted[order].cumsum(0)[place])
    assert end - float(wanted[chosen]) - 1e-5 <= uniform <= end + 1e-5


def test_a_sampler_uses_each_rows_number_of_the_step() -> None:
    uniforms = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    sampler = RowSampler(Sampling(), uniforms, 5)
    logits = torch.cat([random_logits(50, 1.0, seed) for seed in range(3)])
    for step in range(4):
        left = sampler(torch.zeros(3, 5 + step, dtype=torch.long), logits)
        assert torch.equal(left.argmax(-1), choose(logits, Sampling(), uniforms[:, step]))
        assert torch.isinf(left).sum(-1).tolist() == [49, 49, 49]
