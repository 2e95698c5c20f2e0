"""Which curation is applied: the default one, a whole recipe's, or that of a file with nothing but it."""

import pytest

from tuner import loading
from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.owndata.choosing import curation_of


def test_without_a_recipe_the_defaults_and_what_is_set():
    assert curation_of(None) == Curation()
    chosen = curation_of(None, ["curation.quality.minimum=0.7", "curation.language=null"])
    assert (chosen.quality.minimum, chosen.language) == (0.7, None)


def test_a_recipes_curation_and_what_is_set():
    assert curation_of("original") == loading.load("original").curation
    assert curation_of("original", ["curation.quality.target=5"]).quality.target == 5


def test_a_recipe_may_be_its_curation_alone(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("curation:\n  quality: {minimum: 0.9}\n")
    assert curation_of(str(path)).quality.minimum == 0.9


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        ("curation: {qualty: {}}", [], r"mine\.yaml: curation\.qualty: unknown key; did you mean 'quality'"),
        ("curation: {", [], r"mine\.yaml: not valid YAML"),
        ("- 1", [], "a recipe is a YAML mapping"),
        ("name: 7 bad", [], "name"),
        ("{}", ["seed=3"], "only what curates is set here"),
        ("{}", ["quality.minimum=0.3"], r"curation\.a\.b=value"),
        ("{}", ["curation.quality.minimum"], "write it as a.b=value"),
        ("{}", ["curation.quality.minimum=2"], r"curation\.quality\.minimum"),
    ],
)
def test_what_is_wrong_is_one_line(text, overrides, words, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        curation_of(str(path), overrides)
    assert "\n" not in str(refused.value)


def test_a_wrong_setting_names_where_it_came_from():
    with pytest.raises(InputError, match=r"^--set: curation\.quality\.minimum: "):
        curation_of(None, ["curation.quality.minimum=2"])
