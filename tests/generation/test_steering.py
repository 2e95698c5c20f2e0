"""What a recipe writes as system prompts: shipped ones, lists, files of lines; and which one a row is drawn under."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuner import loading
from tuner.errors import InputError
from tuner.generation import seeds, steering
from tuner.generation.categories import SHIPPED
from tuner.generation.sources import Magpie, System
from tuner.generation.systems import chosen
from tuner.recipe import Recipe
from tuner.registry import planned

RECIPE = "name: s\nmodels: {generator: o/c, student: o/b}\ngeneration: {rows: 8}\ntraining: {lora: {method: lora}}\n"
SEEDS = [seeds.row_seed(42, 0, row) for row in range(400)]


def recipe(*overrides: str) -> Recipe:
    return loading.parse(RECIPE, [f"generation.{each}" for each in overrides])


def source(of: Recipe) -> Magpie:
    found = of.generation.magpie
    assert found is not None
    return found[1]


def systems(written: Any) -> list[tuple[str, str]]:
    return [(each.prompt, each.category) for each in source(recipe(f"system={written}")).system]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a recipe's paths are relative to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestShipped:
    def test_there_are_twelve_categories(self) -> None:
        assert systems("shipped") == [(prompt, name) for name, prompt in SHIPPED.items()]
        assert len(SHIPPED) == 12

    def test_some_stand_beside_a_recipes_own(self) -> None:
        expected = [(SHIPPED["code"], "code"), ("You plan journeys.", ""), (SHIPPED["maths"], "maths")]
        assert systems("[shipped:code, You plan journeys., shipped:maths]") == expected

    def test_an_unknown_one_is_refused_with_the_known(self) -> None:
        with pytest.raises(
            InputError, match=r"generation.system: no shipped system prompt 'cod'; they are code, maths"
        ):
            recipe("system=shipped:cod")


class TestFiles:
    def test_the_lines_travel_with_the_recipe(self, folder: Path) -> None:
        (folder / "topics.txt").write_text("\ufeffbread\n\n  sourdough \nbread\n", encoding="utf-8")
        read = recipe("system=./topics.txt")
        assert source(read).system == (System(prompt=steering.ABOUT, topics=("bread", "sourdough")),)
        (folder / "topics.txt").unlink()
        assert loading.parse(loading.text(read)) == read

    def test_a_changed_line_changes_the_fingerprint(self, folder: Path) -> None:
        def fingerprint(lines: str) -> str:
            (folder / "topics.txt").write_text(lines)
            return planned(recipe("system=./topics.txt")).of("generate")[0].fingerprint

        first = fingerprint("bread\n")
        assert fingerprint("bread\nrye\n") != first
        assert fingerprint("bread\n") == first

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (None, "generation.system: ./topics.txt: no such file"),
            (b"\n \n", "generation.system: ./topics.txt: the file is empty"),
            (b"x\n" + b"y" * 501, "generation.system: ./topics.txt:2: 501 characters; a line has at most 500"),
            (b"\xff\xfe", "generation.system: ./topics.txt: not a text file in UTF-8"),
            (b"x\n" * 32_769, "./topics.txt: 65,538 bytes; a recipe has at most 65,536 together with its files"),
        ],
    )
    def test_one_that_cannot_be_used_is_named(self, folder: Path, content: bytes | None, line: str) -> None:
        if content is not None:
            (folder / "topics.txt").write_bytes(content)
        with pytest.raises(InputError) as raised:
            recipe("system={topics: ./topics.txt}")
        assert line in str(raised.value) and "\n" not in str(raised.value)

    def test_a_recipe_has_a_limit_together_with_its_files(self, folder: Path) -> None:
        (folder / "topics.txt").write_text("\n".join(f"{number} {'z' * 400}" for number in range(150)))
        recipe("system=./topics.txt")
        with pytest.raises(
            InputError, match=r"too long with the lines of its files: 12\d,\d{3} bytes; a recipe has at"
        ):
            recipe("system=[./topics.txt, {personas: ./topics.txt}]")

    def test_a_path_without_its_beginning_is_a_mistake(self) -> None:
        with pytest.raises(InputError, match=r"topics.txt: write ./topics.txt for a file in this folder"):
            recipe("system=topics.txt")

    def test_words_that_show_no_place_for_a_line_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"system.0: its prompt has no \{topic\}, where one of its topics is to"):
            recipe("system={topics: [bread], prompt: You bake.}")

    def test_an_unknown_key_is_named_with_the_near_one(self) -> None:
        with pytest.raises(InputError, match=r"generation.system.0.topic: unknown key; did you mean 'topics'\?"):
            recipe("system={topic: ./topics.txt, prompt: x}")


class TestChosen:
    """A row's system prompt follows from its seed."""

    def drawn(self, *overrides: str) -> Counter[tuple[str, str]]:
        of = source(recipe(*overrides))
        found = [chosen(of.system, of.languages, seed) for seed in SEEDS]
        assert found == [chosen(of.system, of.languages, seed) for seed in SEEDS]
        return Counter((each.prompt, each.category) for each in found if each)

    def test_without_any_it_is_the_templates_own(self) -> None:
        assert not self.drawn()

    def test_a_list_counts_as_one_prompt_whatever_its_length(self) -> None:
        topics = [f"topic {number}" for number in range(40)]
        counts = self.drawn(f"system=[You code., {{topics: {topics}, prompt: 'On {{topic}}.'}}]")
        assert 160 <= counts["You code.", ""] <= 240
        assert len(counts) > 35
        assert ("On topic 7.", "topic 7") in counts, "the topic is the category"

    def test_a_category_that_is_given_stays(self) -> None:
        assert set(self.drawn("system={topics: [rye], category: baking}")) == {
            ("You are a helpful AI assistant. The user asks you about rye.", "baking")
        }

    def test_personas_and_topics_are_multiplied(self) -> None:
        counts = self.drawn("system={topics: [a, b], personas: [x, y], prompt: '{persona} on {topic}'}")
        assert set(counts) == {(f"{who} on {what}", what) for who in "xy" for what in "ab"}
        assert min(counts.values()) > 70

    def test_personas_alone_are_no_category(self) -> None:
        assert set(self.drawn("system={personas: [a nurse]}")) == {
            ("You are a helpful AI assistant. The user is a nurse, and asks you for help.", "")
        }


class TestLanguages:
    WANTED = "curation.language.wanted=[en, de, fr]"

    def test_every_prompt_names_one(self) -> None:
        read = loading.parse(RECIPE, ["generation.languages=[de, fr]", "generation.system=[A., B.]", self.WANTED])
        found = {each.prompt for seed in SEEDS if (each := chosen(source(read).system, source(read).languages, seed))}
        assert found == {
            f"{prompt} The user writes in {name}." for prompt in ("A.", "B.") for name in ("German", "French")
        }

    def test_without_system_prompts_they_are_named_alone(self) -> None:
        found = chosen((), ("de",), 1)
        assert found and found.prompt == "You are a helpful AI assistant. The user writes in German."

    def test_languages_that_curation_rejects_are_refused(self) -> None:
        with pytest.raises(InputError) as raised:
            recipe("languages=[en, de, fr]")
        assert str(raised.value) == (
            "recipe: generation.languages: de, fr would be drawn and then rejected, since curation.language.wanted is "
            "en; set it to [en, de, fr]"
        )
        loading.parse(RECIPE, ["generation.languages=[de]", "curation.language=null"])

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"generation.languages.0: no language 'xx'; they are ar, bg"):
            recipe("languages=[xx]")

    def test_a_prefix_leaves_no_place_for_them(self) -> None:
        with pytest.raises(
            InputError, match="prefix replaces the whole beginning of a prompt, so that languages is not"
        ):
            recipe("languages=[en]", "prefix=<user>")
