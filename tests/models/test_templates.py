"""The text around the user's words is found by rendering the template, for any model."""

import dataclasses
import datetime
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing

from tests.models.templated import CHATML, tokenizer
from tuner.errors import InputError
from tuner.models import templates
from tuner.models.templates import Template

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>")

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


# Shapes of other families, in words of their own.
ENDS_WITH_THE_NEXT_ROLE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}<|ask|>{% else %}<|tell|>{% endif %}{{ m['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}<|tell|>{% endif %}"
)
CHANNELS = (
    "{% for m in messages %}<|start|>{{ m['role'] }}{% if m['role'] == 'assistant' %}<|channel|>final{% endif %}"
    "<|message|>{{ m['content'] }}{{ '<|return|>' if loop.last and m['role'] == 'assistant' else '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
HEADINGS = (
    "{% for m in messages %}{{ '### Request:\n' if m['role'] == 'user' else '### Reply: ' }}{{ m['content'] }}"
    "{{ eos_token if m['role'] == 'assistant' }}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Reply:\n' }}{% endif %}"
)
BEGINS_THOUGHTS = (
    "{% for m in messages %}{{ '<|u|>' if m['role'] == 'user' else '<|a|>' }}{{ m['content'] }}"
    "{{ eos_token if m['role'] == 'assistant' }}{% endfor %}{% if add_generation_prompt %}{{ '<|a|><think>\n' }}"
    "{% endif %}"
)
ANSWERS_WITH_CLOSED_THOUGHTS = BEGINS_THOUGHTS.replace(
    "{{ m['content'] }}", "{{ '</think>' if m['role'] == 'assistant' }}{{ m['content'] }}"
)
CLOSES_THOUGHTS = BEGINS_THOUGHTS.replace("<think>\n", "<think></think>").replace(
    "'<|a|>' }}", "'<|a|><think></think>' }}"
)
LEAVES_THOUGHTS_OPEN = BEGINS_THOUGHTS.replace("else '<|a|>' }}", "else '<|a|><think>\n' }}")
PROMPTS_ALWAYS = CHATML.replace("{% if add_generation_prompt %}", "{% if true %}")


CHATML_CUT = Template(
    "<|im_start|>user\n",
    "<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|>",
    "",
    "<|im_end|></s>",
    "<|im_end|>",
)


@pytest.mark.parametrize(
    ("template", "special", "wanted"),
    [
        (
            CHATML,
            CHAT_TOKENS,
            CHATML_CUT,
        ),
        (
            CHATML_WITH_SYSTEM,
            CHAT_TOKENS,
            dataclasses.replace(CHATML_CUT, prefix="<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\n"),
        ),
        (
            LLAMA_3,
            ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
            Template(
                "<s><|start_header_id|>user<|end_header_id|>\n\n",
                "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
                "<|eot_id|>",
                "",
                "<|eot_id|></s>",
                "<|eot_id|>",
            ),
        ),
        (
            GEMMA,
            ("<start_of_turn>", "<end_of_turn>"),
            Template(
                "<s><start_of_turn>user\n",
                "<end_of_turn>\n<start_of_turn>model\n",
                "<end_of_turn>",
                "",
                "<end_of_turn></s>",
                "<end_of_turn>",
            ),
        ),
        (
            MISTRAL,
            (),
            Template(
                "<s>[INST] ",
                " [/INST]",
                "[/INST]",
                "",
                "</s>",
                "</s>",
            ),
        ),
        (
            ENDS_WITH_THE_NEXT_ROLE,
            ("<|ask|>", "<|tell|>"),
            Template(
                "<|ask|>",
                "<|tell|>",
                "<|tell|>",
                "",
                "</s>",
                "</s>",
            ),
        ),
        (
            CHANNELS,
            ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>"),
            Template(
                "<|start|>user<|message|>",
                "<|end|><|start|>assistant",
                "<|end|>",
                "<|channel|>final<|message|>",
                "<|return|></s>",
                "<|return|>",
            ),
        ),
        (
            HEADINGS,
            (),
            Template(
                "### Request:\n",
                "\n\n### Reply:\n",
                "\n### Reply:",
                "",
                "</s>",
                "</s>",
            ),
        ),
        (
            BEGINS_THOUGHTS,
            ("<|u|>", "<|a|>"),
            Template(
                "<|u|>",
                "<|a|><think>\n",
                "<|a|>",
                "</think>\n\n",
                "</s>",
                "</s>",
            ),
        ),
        (
            ANSWERS_WITH_CLOSED_THOUGHTS,
            ("<|u|>", "<|a|>"),
            Template(
                "<|u|>",
                "<|a|><think>\n",
                "<|a|>",
                "</think>",
                "</s>",
                "</s>",
            ),
        ),
        (
            LEAVES_THOUGHTS_OPEN,
            ("<|u|>", "<|a|>"),
            Template(
                "<|u|>",
                "<|a|><think>\n",
                "<|a|>",
                "</think>\n\n",
                "</s>",
                "</s>",
            ),
        ),
        (
            CLOSES_THOUGHTS,
            ("<|u|>", "<|a|>"),
            Template(
                "<|u|>",
                "<|a|><think></think>",
                "<|a|>",
                "",
                "</s>",
                "</s>",
            ),
        ),
        (
            PROMPTS_ALWAYS,
            CHAT_TOKENS,
            CHATML_CUT,
        ),
    ],
    ids=[
        "chatml",
        "chatml with a default system turn",
        "llama 3",
        "gemma without a system role",
        "mistral",
        "the next role ends a turn",
        "channels",
        "headings",
        "the prompt begins thoughts",
        "the prompt begins thoughts that the conversation closes",
        "the conversation leaves thoughts open",
        "the prompt closes thoughts",
        "a conversation always prompts",
    ],
)
def test_a_template_is_cut_at_the_words_of_both_turns(
    template: str, special: tuple[str, ...], wanted: Template
) -> None:
    assert dataclasses.replace(templates.of(tokenizer(template, *special), "m"), thinking=None) == wanted


SHOWS_THOUGHTS = (
    "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<think>"
    "{{ m.reasoning_content }}</think>\n{% endif %}{{ m.content }}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (SHOWS_THOUGHTS, ("<think>", "</think>\n")),
        (SHOWS_THOUGHTS.replace("m.reasoning_content", "m.thinking"), ("<think>", "</think>\n")),
        (BEGINS_THOUGHTS, ("", "\n</think>\n\n")),
        (CHATML, None),
        (CLOSES_THOUGHTS, None),
    ],
)
def test_where_a_template_shows_thoughts(template: str, wanted: tuple[str, str] | None) -> None:
    assert templates.of(tokenizer(template), "m").thinking == wanted


def test_an_answer_ends_at_the_first_token_at_which_a_server_stops() -> None:
    made = tokenizer(CHATML, *CHAT_TOKENS)
    assert templates.of(made, "m", ["<|im_end|>"]).ending == "<|im_end|>"
    assert templates.of(tokenizer(CHATML, *CHAT_TOKENS, end="<|im_end|>"), "m").ending == "<|im_end|>"


@pytest.mark.parametrize("template", [CHATML, CHATML_WITH_SYSTEM, LLAMA_3, GEMMA, MISTRAL])
@pytest.mark.parametrize("words", ["Why is the sky blue?", "a {{ b }} <c> & 'd'", "zwei\nZeilen ü"])
def test_an_answer_prompt_is_what_the_template_renders(template: str, words: str) -> None:
    made = tokenizer(template)
    whole = templates.render(made, [{"role": "user", "content": words}], add_generation_prompt=True)
    assert templates.of(made, "m").answer_prompt(words) == whole


def test_a_template_that_trims_is_supported() -> None:
    spaced = "{{ '<u> ' + messages[0]['content'] | trim + ' </u>' }}"
    found = templates.of(tokenizer(spaced + "{% for m in messages[1:] %}{{ m.content }}{% endfor %}"), "m")
    assert (found.prefix, found.suffix) == ("<u> ", " </u>")


def test_content_as_parts_is_rendered() -> None:
    parts = (
        "{% for m in messages %}{% for part in m['content'] %}{% if part.text %}<{{ part.text }}>{% endif %}"
        "{% endfor %}{% endfor %}"
    )
    found = templates.of(tokenizer(parts), "m")
    assert (found.prefix, found.suffix, found.in_parts) == ("<", ">", True)


def test_a_template_that_ends_with_the_words_has_no_turn_end() -> None:
    found = templates.of(tokenizer("{% for m in messages %}{{ m['content'] }}{% endfor %}"), "m")
    assert (found.prefix, found.suffix, found.turn_end) == ("", "", "")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (
            None,
            "model m has no chat template, so no instructions can be generated; choose a chat model, or set "
            "models.chat_template",
        ),
        (
            "",
            "model m has no chat template, so no instructions can be generated; choose a chat model, or set "
            "models.chat_template",
        ),
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
        (
            "{{ messages[0]['content'] }}{% for tool in tools %}{{ tool }}{% endfor %}",
            "model m: its chat template cannot render a single user turn (it wants tools)",
        ),
        (
            "{{ messages[0]['content'] }}",
            "model m: its chat template renders the assistant's words 0 times",
        ),
        (
            "{{ messages[0]['content'] }}{{ messages[1].nothing.more }}",
            "model m: its chat template cannot render a single user turn (list object has no element 1)",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(template: str | None, line: str) -> None:
    with pytest.raises(InputError) as caught:
        templates.of(tokenizer(template), "m")
    assert str(caught.value) == line


def test_a_model_whose_answers_could_not_end_is_refused() -> None:
    with pytest.raises(InputError, match=r"^model m: its chat template renders no token .* an answer could not end$"):
        templates.of(tokenizer(HEADINGS.replace("{{ eos_token if m['role'] == 'assistant' }}", ""), end=None), "m")


class TestSettled:
    """A template that reads nothing from the world."""

    def rendered(self, template: str, variables: dict[str, bool | int | float | str | None], **given: Any) -> str:
        made = tokenizer(templates.settled(template, datetime.date(2026, 3, 7), variables))
        return templates.render(made, [{"role": "user", "content": "a"}], **given)

    def test_todays_date_is_the_recipes(self) -> None:
        template = "{{ strftime_now('%A, %d %B %Y, %-d.%-m., %H:%M, day %j') }}|{{ strftime_now(wanted) }}"
        assert (
            self.rendered(template, {"wanted": "%d %b %y"}) == "Saturday, 07 March 2026, 7.3., 12:00, day 066|07 Mar 26"
        )

    def test_a_date_that_is_looked_for_first_is_found(self) -> None:
        template = (
            "{% if strftime_now is defined %}{{ {'Saturday': 'Sa'}[strftime_now('%A')] }}{% else %}none{% endif %}"
        )
        assert self.rendered(template, {}) == "Sa"

    def test_variables_have_defaults_that_a_server_may_override(self) -> None:
        template = "{% macro show() %}{{ enable_thinking }} {{ effort }}{% endmacro %}{{ show() }}"
        variables = {"enable_thinking": False, "effort": 'lo"w'}
        assert self.rendered(template, variables) == 'False lo"w'
        assert self.rendered(template, variables, effort="high") == "False high"

    @pytest.mark.parametrize("template", [CHATML, LLAMA_3, "\n{{ messages[0]['content'] }}", " {{ 'x' }}\n\n"])
    def test_nothing_else_changes(self, template: str) -> None:
        assert templates.settled(template, datetime.date(2026, 3, 7), {}) == template
        assert self.rendered(template, {"unread": None}) == self.rendered(template, {})


class TestLent:
    """A base model is lent another's template."""

    def test_it_is_the_others(self) -> None:
        assert templates.lent(tokenizer(None), CHATML) == CHATML

    def test_conversations_begin_as_the_students_texts_do(self) -> None:
        student = tokenizer(None)
        raw: Any = student._tokenizer
        raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", student.bos_token_id)])
        for template, begins in ((CHATML, "<s><|im_start|>"), (MISTRAL, "<s>[INST]")):
            student.chat_template = templates.lent(student, template)
            assert templates.of(student, "m").prefix.startswith(begins)
