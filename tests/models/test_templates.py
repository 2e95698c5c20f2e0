"""The text around the user's words is found by rendering the template, for any model."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tuner.errors import InputError
from tuner.models import templates

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHATML_WITH_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}" + CHATML
)
LLAMA_3 = (
    "{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.first %}{% set text = bos_token + text %}{% endif %}{{ text }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}{% if m['role'] == 'assistant' %}{% set role = 'model' %}{% else %}"
    "{% set role = m['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
)


def tokenizer(template: str | None, *special: str) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["<s>", "</s>", "<unk>", "a", "b", *special])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    made.add_special_tokens({"additional_special_tokens": list(special)})
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    ("template", "prefix", "suffix", "turn_end"),
    [
        (CHATML, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"),
        (
            CHATML_WITH_SYSTEM,
            "<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n",
            "<|im_end|>",
        ),
        (
            LLAMA_3,
            "<s><|start_header_id|>user<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
        ),
        (GEMMA, "<s><start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>"),
        (MISTRAL, "<s>[INST] ", " [/INST]", "[/INST]"),
    ],
    ids=["chatml", "chatml with a default system turn", "llama 3", "gemma without a system role", "mistral"],
)
def test_a_template_is_cut_at_the_users_words(template: str, prefix: str, suffix: str, turn_end: str) -> None:
    found = templates.of(tokenizer(template), "m")
    assert (found.prefix, found.suffix) == (prefix, suffix)
    assert found.turn_end == turn_end


@pytest.mark.parametrize("template", [CHATML, CHATML_WITH_SYSTEM, LLAMA_3, GEMMA, MISTRAL])
@pytest.mark.parametrize("words", ["Why is the sky blue?", "a {{ b }} <c> & 'd'", "zwei\nZeilen ü"])
def test_an_answer_prompt_is_what_the_template_renders(template: str, words: str) -> None:
    made = tokenizer(template)
    whole = templates.render(made, [{"role": "user", "content": words}], add_generation_prompt=True)
    assert templates.of(made, "m").answer_prompt(words) == whole


def test_a_template_that_trims_is_supported() -> None:
    spaced = "{{ '<u> ' + messages[0]['content'] | trim + ' </u>' }}"
    assert templates.of(tokenizer(spaced), "m") == templates.Template("<u> ", " </u>")


def test_a_template_that_ends_with_the_words_has_no_turn_end() -> None:
    assert templates.of(tokenizer("{{ messages[0]['content'] }}"), "m") == templates.Template("", "")
    assert templates.Template("", "").turn_end == ""


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (None, "model m has no chat template, so no instructions can be generated; choose a chat model"),
        ("", "model m has no chat template, so no instructions can be generated; choose a chat model"),
        (
            "{{ messages[0]['content'] }} {{ messages[0]['content'] }}",
            "model m: its chat template renders the user's words 2 times",
        ),
        ("hello", "model m: its chat template renders the user's words 0 times"),
        ("{{ messages[0]['content'] | lower }}", "model m: its chat template renders the user's words 0 times"),
        (
            "{{ raise_exception('needs a system turn') }}",
            "model m: its chat template cannot render a single user turn (needs a system turn)",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(template: str | None, line: str) -> None:
    with pytest.raises(InputError) as caught:
        templates.of(tokenizer(template), "m")
    assert str(caught.value) == line


class TestEnsure:
    def test_a_base_model_takes_the_generators_template(self) -> None:
        student = tokenizer(None, "<|im_start|>", "<|im_end|>")
        templates.ensure(student, tokenizer(CHATML, "<|im_start|>", "<|im_end|>"), "m")
        assert student.chat_template == CHATML

    def test_a_student_keeps_a_template_of_its_own(self) -> None:
        student = tokenizer(MISTRAL)
        templates.ensure(student, tokenizer(CHATML, "<|im_start|>", "<|im_end|>"), "m")
        assert student.chat_template == MISTRAL

    def test_a_token_that_the_student_does_not_know_is_named(self) -> None:
        student = tokenizer(None, "<|im_start|>")
        with pytest.raises(InputError, match=r"^model m has no chat template, and does not know .* <\|im_end\|>$"):
            templates.ensure(student, tokenizer(CHATML, "<|im_start|>", "<|im_end|>"), "m")
        assert not student.chat_template
