"""A tiny random chat model with a vocabulary of English words, so that curation keeps most of its rows."""

from pathlib import Path

from tuner.registry import NAMES

WORDS = [
    "the",
    "a",
    "river",
    "stone",
    "garden",
    "winter",
    "summer",
    "bread",
    "water",
    "light",
    "house",
    "road",
    "music",
    "letter",
    "window",
    "mountain",
    "forest",
    "island",
    "teacher",
    "doctor",
    "friend",
    "market",
    "bridge",
    "engine",
    "paper",
    "silver",
    "copper",
    "morning",
    "evening",
    "travel",
    "paint",
    "build",
    "carry",
    "learn",
    "teach",
    "listen",
    "answer",
    "measure",
    "choose",
    "gather",
    "quiet",
    "bright",
    "narrow",
    "simple",
    "honest",
    "gentle",
    "early",
    "distant",
    "useful",
    "careful",
    ".",
    "?",
]

RECIPE = """\
name: words
seed: 7
models: {{generator: {model}, student: {model}}}
generation:
  rows: 24
  shard_rows: 8
  instruction: {{max_tokens: 250}}
  response: {{max_tokens: 250}}
curation:
  repetition: {{max_word_share: 1.0, max_phrase_repeats: 50}}
  quality: {{minimum: 0.0}}
  language: null
split: {{validation: 0.3}}
training:
{adapters}evaluation: {{samples: 2, sample_tokens: 8}}
"""

_UNUSED = ("read", "judge", "trial", "steer", "candidates", "score", "pair", "reference")

MADE = tuple(name for name in NAMES if name not in _UNUSED)
"""The stages of `RECIPE`, which reads nothing that exists already, asks no judge, sweeps nothing and makes no pairs."""

_TRAINED = "epochs: 4, batch_size: 4, max_length: 256}\n"
LORA = "  lora: {method: lora, r: 2, targets: [q_proj, v_proj], " + _TRAINED
PROMPT_TUNING = "  prompt_tuning: {method: prompt_tuning, virtual_tokens: 4, init: random, " + _TRAINED


def make_word_model(folder: Path) -> Path:
    """Saves a deterministic two-layer model over `WORDS` with a ChatML template.

    Args:
        folder: Its folder, created if missing.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|unk|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {word: index for index, word in enumerate([*special, "user", "assistant", *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<|unk|>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<|unk|>", bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    tokenizer.pad_token = "<|im_end|>"
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' ' + m['content'] + ' <|im_end|> ' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|> assistant ' }}{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
