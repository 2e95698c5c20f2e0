"""Tiny random students of the architectures that people tune, each with a tokenizer of bytes and a chat template."""

from pathlib import Path
from typing import Any

from tests.models.templated import CHATML, tokenizer

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
OF_8 = {"head_dim": 8}
ALL_HEADS = {"num_key_value_heads": 4}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": OF_8,
    "gemma2": OF_8,
    "gemma3_text": OF_8,
    "phi": {},
    "phi3": {},
    "smollm3": {},
    "olmo": {},
    "olmo2": {},
    "granite": {},
    "cohere": {},
    "falcon": {"new_decoder_architecture": False},
    "gpt2": ALL_HEADS | {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": ALL_HEADS,
    "opt": ALL_HEADS | {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "bloom": ALL_HEADS | {"n_layer": 2, "n_head": 4},
    "mixtral": LOCAL_EXPERTS,
    "qwen3_moe": EXPERTS | OF_8,
    "gpt_oss": LOCAL_EXPERTS | OF_8,
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "mamba": {"state_size": 4},
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "head_dim": 8},
}
"""The settings that differ from `SMALL`, by transformers' `model_type`."""


def made(folder: Path, architecture: str, **changed: Any) -> Path:
    """Saves a student.

    Args:
        folder: Its folder, created if missing.
        architecture: One of `ARCHITECTURES`.
        changed: Settings of its configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    words = tokenizer(CHATML, "<|im_start|>", "<|im_end|>", end="<|im_end|>")
    words.save_pretrained(folder)
    ids = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = AutoConfig.for_model(architecture, **{**SMALL, **ids, **ARCHITECTURES[architecture], **changed})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder
