"""The profiles choose the defaults of the sections; what is given wins."""

import pytest
from pydantic import ValidationError

from tuner.curation.checks.form import Form
from tuner.curation.settings import Curation


def test_generated_rows_are_held_to_more_than_own_ones():
    magpie, own = Curation(), Curation(profile="own-data")
    assert magpie.form.response_words == (10, 2000)
    assert own.form.response_words[0] == own.form.instruction_words[0] == 1
    assert magpie.quality.minimum > own.quality.minimum
    assert magpie.language is not None and own.language is None
    assert magpie.repetition == own.repetition


def test_a_setting_that_is_given_wins_and_leaves_the_others_of_its_section():
    given = {"profile": "own-data", "form": {"response_words": [5, 90]}, "language": {"wanted": ["de"]}}
    own = Curation.model_validate(given)
    assert own.form.response_words == (5, 90)
    assert own.form.instruction_words == Curation(profile="own-data").form.instruction_words
    assert own.language is not None and own.language.wanted == ("de",)
    assert Curation(profile="own-data", form=Form()).form == Form()


def test_the_profile_enters_fingerprints_only_through_the_sections():
    own = Curation(profile="own-data")
    plain = own.model_dump(mode="json")
    spelled_out = Curation.model_validate({**plain, "profile": "magpie"})
    assert Curation.model_validate(plain) == own
    assert spelled_out.identity() == own.identity() != Curation().identity()


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValidationError, match="profile"):
        Curation.model_validate({"profile": "mine"})
