"""The curation applied: the defaults, that of a whole recipe, or that of a file with only this section."""

import pytest

from tuner import loading
from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.owndata.choosing import curation_of


def test_without_a_recipe_the_profile_of_own_data_and_the_overrides():
    assert curation_of(None) == Curation(profile="own-data")
    chosen = curation_of(None, ["curation.quality.minimum=0.7", "curation.language=null"])
    assert (chosen.quality.minimum, chosen.language) == (0.7, None)


def test_a_recipes_curation_and_the_overrides():
    assert curation_of("original") == loading.load("original").curation
    assert curation_of("original", ["curation.quality.target=5"]).quality.target == 5


def test_a_recipe_may_consist_of_its_curation(tmp_path):
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
        ("{}", ["seed=3"], "only curation can be set here"),
        ("{}", ["quality.minimum=0.3"], r"curation\.a\.b=value"),
        ("{}", ["curation.quality.minimum"], "write it as a.b=value"),
        ("{}", ["curation.quality.minimum=2"], r"curation\.quality\.minimum"),
    ],
)
def test_errors_are_one_line(text, overrides, words, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        curation_of(str(path), overrides)
    assert "\n" not in str(refused.value)


def test_an_error_names_the_source_of_the_setting():
    with pytest.raises(InputError, match=r"^--set: curation\.quality\.minimum: "):
        curation_of(None, ["curation.quality.minimum=2"])
