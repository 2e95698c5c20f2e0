"""Tokenizers with a chat template: every byte is a token, and so is each of the special texts."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer(template: str | None, *special: str, end: str | None = "</s>") -> PreTrainedTokenizerFast:
    """A tokenizer of bytes.

    Args:
        template: Its chat template.
        special: Further special tokens.
        end: Its end token.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token=end, pad_token="<pad>")
    made.add_special_tokens({"additional_special_tokens": list(special)})
    made.chat_template = template
    return made


def joining_blanks(template: str, words: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that has words together with the blank before them, as GPT-2's has."""
    from tokenizers import trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(words, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet))
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>", pad_token="<pad>")
    made.chat_template = template
    return made
