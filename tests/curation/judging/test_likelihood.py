"""The likelihoods of answers, against those that a plain forward pass over each whole text gives."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM

from tuner.curation.judging.likelihood import Likelihoods, paths

PROMPTS = [[5, 6, 7], [9, 8, 7, 6, 5, 4, 3], [11]]
ANSWERS = [[20, 21], [20, 22, 23], [24], [20]]


SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def llama():
    return LlamaForCausalLM(LlamaConfig(**SIZES))


def sliding():
    """Sees the last four tokens only, so that columns must be as far apart as positions."""
    return MistralForCausalLM(MistralConfig(sliding_window=4, **SIZES))


def mamba():
    return MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=32, state_size=4, num_hidden_layers=2))


@torch.inference_mode()
def plainly(model, prompt, answer):
    logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
    certain = torch.log_softmax(logits.float(), dim=-1)
    return np.sum([certain[len(prompt) - 1 + place, token].item() for place, token in enumerate(answer)])


@pytest.mark.parametrize("make", [llama, sliding, mamba])
def test_likelihoods_are_those_of_each_text_alone_and_whole(make):
    torch.manual_seed(0)
    model = make().eval()
    expected = [[plainly(model, prompt, answer) for answer in ANSWERS] for prompt in PROMPTS]
    np.testing.assert_allclose(Likelihoods(model).of(PROMPTS, ANSWERS), expected, atol=2e-5)
    assert np.std(expected) > 1e-3


def test_answers_that_begin_alike_share_a_path():
    assert paths([[1, 2], [1, 3], [4], [5]]) == [(1,)]
    assert paths([[1], [2]]) == [()]
    assert paths(ANSWERS) == [(20, 22)]
    assert paths([[1, 2, 3], [4, 5]]) == [(1, 2), (4,)]
    assert paths([[1, 2], [10, 2], [1, 0, 3]]) == [(1, 0), (10,)]
