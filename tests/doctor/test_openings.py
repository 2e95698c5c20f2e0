"""The openings of a model are found by rendering; those that open alike are left out with the reason."""

from pathlib import Path

import pytest

from tests.models.templated import CHATML, tokenizer
from tuner import loading
from tuner.doctor import openings
from tuner.errors import InputError
from tuner.models.chat import Chat
from tuner.recipe import Recipe

LLAMA3 = (
    "{{ bos_token }}<|start|>system<|stop|>\n\nToday is Monday.<|eot|>"
    "{% for m in messages %}<|start|>{{ m.role }}<|stop|>\n\n{{ m.content }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
THINKING = (
    "{% if not enable_thinking is defined or enable_thinking %}<|im_start|>system\nThink first.<|im_end|>\n{% endif %}"
    + CHATML
)
ANSWERS_THINKING = CHATML.replace(
    "assistant\n'", "assistant\n' + ('' if enable_thinking else '<think>\n\n</think>\n\n')"
)


def chat(template: str, *special: str) -> Chat:
    return Chat(tokenizer(template, *special), "m")


class TestBare:
    """What stands before a user's words without a system turn."""

    def test_a_default_system_turn_is_cut_out(self) -> None:
        template = "<|im_start|>system\nYou are kind.<|im_end|>\n" + CHATML
        assert openings.bare(chat(template, "<|im_start|>", "<|im_end|>")) == "<|im_start|>user\n"

    def test_the_start_token_stays(self) -> None:
        found = openings.bare(chat(LLAMA3, "<|start|>", "<|stop|>", "<|eot|>"))
        assert found == "<s><|start|>user<|stop|>\n\n"

    @pytest.mark.parametrize("template", [CHATML, LLAMA2])
    def test_a_template_without_one_has_it_already(self, template: str) -> None:
        loaded = chat(template, "<|im_start|>", "<|im_end|>")
        assert openings.bare(loaded) == loaded.template.prefix

    def test_a_later_turn_that_looks_otherwise_says_nothing(self) -> None:
        template = "{% for m in messages %}{{ '[%d]' % loop.index0 }}{{ m.role }}:{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}A:{% endif %}"  # noqa: E501
        assert openings.bare(chat(template)) is None


def given(folder: Path, template: str) -> Path:
    (folder / "chat_template.jinja").write_text(template)
    return folder


def recipe(model: Path, *overrides: str) -> Recipe:
    text = (
        f"name: r\nmodels: {{generator: {model}, student: {model}}}\n"
        "generation: {rows: 8, instruction: {max_tokens: 9}}\ntraining: {lora: {method: lora}}\n"
    )
    return loading.parse(text, [f"generation.{each}" for each in overrides])


class TestFind:
    def test_a_model_with_a_default_system_turn_has_two(self, tiny: Path) -> None:
        found, notes = openings.find(str(tiny))
        assert [(each.name, each.setting) for each in found] == [
            ("the template's own", ""),
            ("no system turn", 'generation: {prefix: "<|im_start|>user\\n"}'),
        ]
        assert notes == []
        assert found[1].source.prefix == "<|im_start|>user\n"
        assert found[0].source.instruction.max_tokens == 96

    def test_one_without_has_one_and_says_so(self, base: Path) -> None:
        found, notes = openings.find(str(given(base, CHATML)))
        assert [each.name for each in found] == ["the template's own"]
        assert notes == ["no system turn: as the template's own"]

    def test_a_switch_of_the_system_turn_is_one_for_each_value_that_differs(self, base: Path) -> None:
        found, notes = openings.find(str(given(base, THINKING)))
        assert [each.name for each in found] == ["the template's own", "no system turn"]
        assert notes == ["enable_thinking: false: as no system turn"]

    def test_a_switch_of_answers_alone_is_named(self, base: Path) -> None:
        found, notes = openings.find(str(given(base, ANSWERS_THINKING)))
        assert len(found) == 1
        assert notes[-1] == "enable_thinking: true: as the template's own"

    def test_a_setting_gives_its_opening(self, base: Path) -> None:
        folder = given(base, THINKING.replace("Think first.", "{{ 'Think.' if enable_thinking else 'Go.' }}").replace(
            "{% if not enable_thinking is defined or enable_thinking %}", "{% if true %}"
        ))  # fmt: skip
        found, _ = openings.find(str(folder))
        setting = next(each for each in found if each.name == "enable_thinking: true").setting
        assert setting == "models: {chat_template_kwargs: {generator: {enable_thinking: true}}}"
        read = loading.parse(
            f"name: r\n{setting.replace('models: {', f'models: {{generator: {folder}, student: {folder}, ')}\n"
            "generation: {rows: 8}\ntraining: {lora: {method: lora}}\n"
        )
        assert read.models.chat_template_kwargs.generator == {"enable_thinking": True}

    def test_a_recipes_come_first_and_with_its_sampling(self, tiny: Path) -> None:
        found, _ = openings.find(str(tiny), recipe(tiny, "system=[You bake., You code.]"))
        assert [each.name for each in found] == [
            "the recipe's generation.system",
            "the template's own",
            "no system turn",
        ]
        assert {each.source.instruction.max_tokens for each in found} == {9}

    def test_a_recipes_prefix_and_languages_are_openings(self, tiny: Path) -> None:
        found, notes = openings.find(str(tiny), recipe(tiny, 'prefix="<|im_start|>user\\n"'))
        assert found[0].name == "the recipe's generation.prefix"
        assert notes == ["no system turn: as the recipe's generation.prefix"]
        assert (
            openings.find(str(tiny), recipe(tiny, "languages=[en]"))[0][0].name == "the recipe's generation.languages"
        )

    def test_a_template_that_refuses_system_prompts_is_named(self, base: Path) -> None:
        folder = given(base, NO_SYSTEM)
        found, notes = openings.find(str(folder), recipe(folder, "system=[You bake.]"))
        assert [each.name for each in found] == ["the template's own"]
        assert notes[0].startswith("the recipe's generation.system: model ")
        assert "renders no system prompt" in notes[0]

    def test_a_model_that_nothing_can_be_drawn_from_is_refused(self, base: Path) -> None:
        template = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
        with pytest.raises(InputError, match="renders nothing before the user's words"):
            openings.find(str(given(base, template)))
