"""An instruction counts once, for the first thing that is wrong with it, by the detectors of curation."""

from collections.abc import Sequence

import polars as pl
import pytest

from tuner.doctor import examination
from tuner.doctor.advice import advice
from tuner.doctor.examination import Examined, examine
from tuner.doctor.openings import Opening
from tuner.generation.sources import Magpie
from tuner.models.settings import Models
from tuner.shares import Share

GOOD = ("How do I bake a loaf of bread without an oven?", "stop")
GERMAN = ("Wie backe ich ein Brot, wenn ich zu Hause keinen Ofen habe?", "stop")
ENGLISH = ("What should I know about the history of this town before I go there?", "stop")
BAD = {
    "cut off at the limit of tokens": ("Tell me a story about a king who had a horse that", "length"),
    "empty": ("", "stop"),
    "of marks only": ("?!", "stop"),
    "begun or ended within a sentence": ("and that is why the leaves of the oak were brown.", "stop"),
    "as an assistant": ("I'm sorry, but I can't help with that request today.", "stop"),
    "in another language": GERMAN,
}


def opening(name: str = "x", setting: str = "") -> Opening:
    return Opening(name, setting, Models(generator="o/c", student="o/b"), Magpie())


def rows(texts: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "instruction": [text for text, _ in texts],
            "instruction_finish": [finish for _, finish in texts],
            "instruction_tokens": range(1, len(texts) + 1),
        }
    )


def examined(texts: Sequence[tuple[str, str]], wanted: Sequence[str] | None = ("en",)) -> Examined:
    (found,), _ = examine({opening(): rows(texts)}, wanted)
    return found


def test_what_is_right_is_usable() -> None:
    found = examined([GOOD, ("Write a poem about the sea.", "stop"), ("how to fix a tap", "stop")])
    assert (found.usable.count, found.fragments.count, found.ended.count, found.tokens) == (3, 0, 3, 2.0)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_counts_once_and_is_shown(kind: str) -> None:
    found = examined([GOOD, BAD[kind]])
    counted = [found.fragments, found.assistant, found.foreign, found.doubled]
    assert (found.usable.count, sum(share.count for share in counted)) == (1, 1)
    assert found.examples[0] == ("usable", GOOD[0])
    assert [label for label, _ in found.examples[1:]] == [kind]


def test_counts_add_up() -> None:
    found = examined([GOOD, *BAD.values(), (GOOD[0].upper(), "stop")])
    assert (found.fragments.count, found.assistant.count, found.foreign.count, found.doubled.count) == (4, 1, 1, 1)
    assert found.usable == Share(1, 8)


def test_an_assistants_words_are_answers_too() -> None:
    assert examined([("Sure! Here is a poem about the sea.", "stop")]).assistant.count == 1
    assert examined([("As an AI, I cannot have feelings.", "stop")]).assistant.count == 1
    assert examined([("Write a mail that says I'd be happy to help.", "stop")]).assistant.count == 0


def test_the_language_of_most_is_the_wanted_one_unless_it_is_named() -> None:
    drawn = {opening(): rows([GERMAN, (GERMAN[0] + " Bitte sag es mir.", "stop"), ENGLISH])}
    (found,), languages = examine(drawn, None)
    assert (languages, found.foreign.count) == (["de"], 1)
    assert examine(drawn, ("en",))[0][0].foreign.count == 2
    assert examine(drawn, ())[0][0].foreign.count == 0


def test_beginnings_are_told_apart_by_three_words() -> None:
    found = examined(
        [("Can you help me?", "stop"), ("can  you help us?", "stop"), ("Name a fish.", "stop"), ("", "stop")]
    )
    assert found.beginnings == Share(2, 3)


def test_an_example_is_one_line() -> None:
    (_, shown), *_ = examined([("How do I\nbake " + "very " * 40 + "good bread?", "stop")]).examples
    assert "\n" not in shown and shown.endswith("...") and len(shown) == 103


def test_cells_fit_the_columns() -> None:
    assert len(examined([GOOD]).cells()) == len(examination.COLUMNS)


class TestAdvice:
    def found(self, name: str, usable: int, fragments: int = 0, setting: str = "") -> Examined:
        some = Share(0, 64)
        return Examined(
            opening(name, setting), Share(usable, 64), Share(fragments, 64), some, some, some, some, some, 1.0, []
        )

    def test_a_better_opening_is_to_be_written(self) -> None:
        said = advice([self.found("own", 30, 20), self.found("bare", 60, setting="generation: {prefix: x}")])
        assert said == "Write generation: {prefix: x}: 60 of 64 instructions are usable, against 30 under own."

    def test_one_that_is_no_better_is_not(self) -> None:
        said = advice([self.found("own", 58), self.found("bare", 60, setting="generation: {prefix: x}")])
        assert said == (
            "Leave own opening as it is: 58 of 64 instructions are usable; 64 are too few to tell it from bare."
        )

    def test_that_of_a_recipe_is_kept_if_none_is_better(self) -> None:
        name = "the recipe's generation.system"
        said = advice([self.found(name, 60, setting=name), self.found("own", 61), self.found("bare", 9, setting="y")])
        assert said == (
            f"Keep {name}: 60 of 64 instructions are usable, against 9 under bare; 64 are too few to tell it from own."
        )

    def test_none_is_good_enough(self) -> None:
        said = advice([self.found("own", 9, 50), self.found("bare", 5, 58)])
        assert said == (
            "No opening is good enough for a run: 78% are fragments even under own; "
            "try a system prompt (generation.system) or another model."
        )
