"""A model is given the chat template that its recipe names, whether it has one or not."""

from pathlib import Path

import pytest

from tuner.errors import InputError
from tuner.models import chat
from tuner.models.settings import Models


def models(generator: str | Path, student: str | Path, /, **given: str | Path) -> Models:
    named = {role: str(template) for role, template in given.items()}
    return Models.model_validate({"generator": str(generator), "student": str(student), "chat_template": named})


def test_a_base_model_draws_by_another_models(tiny: Path, base: Path) -> None:
    found = chat.load(models(base, tiny, generator=tiny), "generator")
    assert found.template.prefix == chat.load(models(tiny, tiny), "generator").template.prefix


def test_by_a_file(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text("Q: {{ messages[0].content }}\nA:{% if messages[1:] %} {{ messages[1].content }}\nQ:{% endif %}")
    recipes = models(base, base, student=file)
    template = chat.load(recipes, "student").template
    assert (template.prefix, template.turn_end, template.answer_end) == ("Q: ", "\nA:", "Q:")
    before = recipes.rendering("student")
    file.write_text(file.read_text().replace("A:", "B:"))
    assert recipes.rendering("student") != before


@pytest.mark.parametrize("given", ["./none.jinja", "./none", "none"])
def test_what_is_no_template_is_refused(given: str) -> None:
    with pytest.raises(InputError, match=r"^models\.chat_template\.generator: .*none"):
        models("a/b", "a/b", generator=given).rendering("generator")


def test_a_model_without_one_is_refused(tiny: Path, base: Path) -> None:
    with pytest.raises(InputError, match=r"models\.chat_template\.student: .*base has no chat template"):
        chat.load(models(tiny, tiny, student=base), "student")
