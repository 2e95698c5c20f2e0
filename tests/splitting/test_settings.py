"""The recipe says how many rows are to choose by: a tenth where an adapter chooses, none where none does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner import loading
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.splitting.settings import Split
from tuner.splitting.sides import TRAIN, TUNING, VALIDATION
from tuner.training.methods.base import Method

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""
CHOOSES = "training.lora.epochs=77"


def parse(*overrides: str) -> Recipe:
    return loading.parse(RECIPE, overrides)


def refused(*overrides: str) -> str:
    with pytest.raises(InputError) as raised:
        parse(*overrides)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def choosing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters of 77 epochs choose."""
    monkeypatch.setattr(Method, "chooses", property(lambda adapter: adapter.epochs == 77))


def test_where_no_adapter_chooses_there_is_no_such_side() -> None:
    for recipe in (parse(), parse("split.tuning=null"), parse("split.tuning=0")):
        assert recipe.split.tuning == 0
        assert recipe.split.sides == (TRAIN, VALIDATION)
        assert recipe == parse()


def test_a_share_may_be_named_though_no_adapter_chooses() -> None:
    split = parse("split.tuning=0.25").split
    assert (split.tuning, split.sides) == (0.25, (TRAIN, TUNING, VALIDATION))


@pytest.mark.usefixtures("choosing")
def test_where_an_adapter_chooses_the_share_is_a_tenth_unless_named() -> None:
    assert parse().split.tuning == 0
    assert parse(CHOOSES).split.tuning == 0.1
    assert parse(CHOOSES, "split.tuning=null").split.tuning == 0.1
    assert parse(CHOOSES, "split.tuning=0.25").split.tuning == 0.25


@pytest.mark.usefixtures("choosing")
def test_an_adapter_that_chooses_needs_rows_for_it() -> None:
    wanted = "split.tuning: is 0, but training.lora chooses by tuning rows; set it to a share such as 0.1"
    assert refused(CHOOSES, "split.tuning=0") == f"recipe: {wanted}"


@pytest.mark.parametrize(
    ("validation", "tuning"), [("0.5", "0.5"), ("0.9", "0.2"), ("0.1", "0.95"), ("0.7", "0.30000000000000004")]
)
def test_the_shares_leave_rows_to_train_on(validation: str, tuning: str) -> None:
    line = refused(f"split.validation={validation}", f"split.tuning={tuning}")
    assert line.startswith(f"recipe: split.tuning: {float(tuning):g} and split.validation {validation} leave no rows")
    assert line.endswith("their sum must be below 1")


@pytest.mark.usefixtures("choosing")
def test_so_does_the_share_that_was_not_named() -> None:
    assert "split.tuning: 0.1 and split.validation 0.95 leave no rows" in refused(CHOOSES, "split.validation=0.95")
    assert parse("split.validation=0.95").split.tuning == 0


@pytest.mark.parametrize(
    ("override", "right"),
    [
        ("split.tuning=-0.1", "split.tuning: Input should be greater than or equal to 0, not -0.1"),
        ("split.tuning=1", "split.tuning: Input should be less than 1, not 1"),
        ("split.tuning=true", "split: tuning must be a number, not true"),
        ("split.tuning=some", "split.tuning: Input should be a valid number"),
        ("split.tunning=0.1", "unknown key; did you mean 'tuning'?"),
    ],
)
def test_a_wrong_share_is_named_with_what_would_be_right(override: str, right: str) -> None:
    assert right in refused(override)


@given(st.floats(0, 0.8))
def test_a_recipe_reads_back_as_it_was_settled(share: float) -> None:
    recipe = parse(f"split.tuning={share!r}")
    assert loading.parse(loading.text(recipe)) == recipe == Recipe.model_validate(recipe.model_dump(mode="json"))
    assert hash(loading.parse(loading.text(recipe))) == hash(recipe)


@pytest.mark.usefixtures("choosing")
def test_a_share_that_followed_from_an_adapter_is_in_the_recipe_of_the_run() -> None:
    recipe = parse(CHOOSES)
    assert recipe.model_dump(mode="json")["split"]["tuning"] == 0.1
    assert "tuning: 0.1" in loading.text(recipe)
    assert planned(recipe).one("split").identity["tuning"] == 0.1


def test_the_identity_of_a_split_without_tuning_rows_says_nothing_of_them() -> None:
    # Such splits that a store holds from before there was this side stay valid.
    assert planned(parse()).one("split").identity == {"validation": 0.1, "similarity": 0.5, "ngram": 5}
    assert planned(parse()).one("split").version == 4
    assert "tuning" not in parse().model_dump()["split"]


def test_a_section_alone_wants_no_rows_to_choose_by() -> None:
    assert Split().sides == (TRAIN, VALIDATION)
