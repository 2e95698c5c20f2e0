"""A tiny random chat model, created in the test: two Llama layers, a ChatML template and a tokenizer of its own."""

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

SENTENCES = [
    "How do I bake a loaf of bread at home without an oven?",
    "Mix flour, water, salt and yeast, let the dough rise for an hour and cook it slowly in a covered pan.",
    "Explain to a child why the sky is blue and the evening red.",
    "Sunlight holds all colours; the air scatters blue light more than red light, so blue comes from everywhere.",
    "Write a short poem about the sea, and name three fish that live in cold water.",
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "Answer the user's instruction helpfully, correctly and completely.",
]


def make_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Saves a deterministic model of about 100,000 parameters, with tokenizer and template.

    Args:
        folder: Its folder, created if missing.
        seed: Seed of the weights.

    Returns:
        The folder, loadable with `from_pretrained`.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=special, initial_alphabet=sorted(alphabet))
    raw.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    start, end = raw.token_to_id("<|im_start|>"), raw.token_to_id("<|im_end|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def write_rows(path: Path, count: int = 12) -> Path:
    """Writes rows in the format of the split stage: `row_id`, `prompt`, `completion` and `messages`.

    Args:
        path: The Parquet file.
        count: Number of rows, which differ in length.
    """
    import pyarrow as pa

    from tuner.artifacts import parquet

    rows = []
    for index in range(count):
        question = f"{SENTENCES[index % 5]} Number {index}."
        answer = " ".join(SENTENCES[(index + shift) % 5] for shift in range(1, 2 + index % 3))
        prompt = [{"role": "user", "content": question}]
        completion = [{"role": "assistant", "content": answer}]
        rows.append(
            {"row_id": f"0-0-{index}", "prompt": prompt, "completion": completion, "messages": prompt + completion}
        )
    parquet.write(pa.Table.from_pylist(rows), path)
    return path


def make_tiny_reward_model(folder: Path, seed: int = 0, outputs: int = 1) -> Path:
    """Saves a deterministic sequence classifier with the tokenizer and template of `make_tiny_model`.

    Args:
        folder: Its folder, created if missing.
        seed: Seed of the weights.
        outputs: Its outputs; a reward model has one.

    Returns:
        The folder, loadable with `from_pretrained`.
    """
    import torch
    from transformers import AutoConfig, LlamaForSequenceClassification

    make_tiny_model(folder, seed)
    config = AutoConfig.from_pretrained(folder)
    config.num_labels = outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(config)
    model.save_pretrained(folder, safe_serialization=True)
    return folder
