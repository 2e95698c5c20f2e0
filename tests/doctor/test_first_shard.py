"""A first shard of fragments stops a run, before and while other shards are drawn, and in every later run."""

from pathlib import Path

import pytest

from tests.doctor.drawn import CUT, EMPTY, GOOD, INSIDE, MARKS, drawn, recipe, store
from tuner import planning, progress, suitability
from tuner.doctor import first_shard
from tuner.errors import InputError
from tuner.registry import planned
from tuner.settings import settings


def test_a_shard_that_is_not_there_yet_is_not_judged() -> None:
    assert first_shard.check(recipe(), store()) is False


def test_a_share_that_may_be_chance_is_not_bad() -> None:
    drawn(recipe(), [*[GOOD] * 9, *[CUT] * 6, INSIDE, EMPTY, MARKS])
    assert first_shard.check(recipe(), store()) is True


def test_what_passed_is_not_read_again() -> None:
    drawn(recipe(), [GOOD] * 18)
    first_shard.check(recipe(), store())
    (rows,) = Path(settings().store).rglob("rows.parquet")
    rows.write_bytes(b"")
    assert first_shard.check(recipe(), store()) is True


def test_more_than_a_third_are_named_with_an_example_and_what_to_do() -> None:
    drawn(recipe(), [*[GOOD] * 7, *[CUT] * 8, INSIDE, EMPTY, MARKS])
    with pytest.raises(InputError) as raised:
        first_shard.check(recipe(), store())
    assert raised.value.exit_code == 2
    assert str(raised.value) == (
        "generation stops at its first shard: 61% of its 18 instructions are fragments (1 empty, 8 cut off at the "
        "limit of tokens, 1 of marks only, 1 begun or ended within a sentence), such as 'def is_prime(num: int) -> "
        "bool: if num < 2:'; compare the openings with `tuner models check o/c --draw`, then change "
        "generation.system, generation.prefix or generation.instruction.max_tokens; or keep such rows with "
        "curation.ignore: [cut_instruction]"
    )


def test_fragments_that_curation_ignores_are_wanted() -> None:
    wanted = recipe("curation.ignore=[cut_instruction]")
    drawn(wanted, [CUT] * 18)
    assert first_shard.check(wanted, store()) is True
    with pytest.raises(InputError):
        first_shard.check(recipe(), store())


def test_a_small_shard_says_too_little() -> None:
    small = recipe("generation.shard_rows=15")
    drawn(small, [CUT] * 15)
    assert first_shard.check(small, store()) is True


def test_a_run_with_something_to_do_is_refused_before_it_begins(tiny: Path) -> None:
    of = recipe(f"models.generator={tiny}", f"models.student={tiny}")
    drawn(of, [CUT] * 18)
    with pytest.raises(InputError, match="generation stops at its first shard: 100%"):
        suitability.check(of, planning.plan(of, store()))
    assert suitability.check(of, planning.Plan({})) == []


def test_the_shard_that_is_bad_is_kept() -> None:
    of = recipe()
    with (
        pytest.raises(InputError, match="first shard"),
        first_shard.watched("generate", "shard 1", of, store()),
    ):
        drawn(of, [CUT] * 18)
    first = planned(of).one("generate", "shard 1")
    assert store().find(first.stage, first.fingerprint)


def test_another_shard_is_not_begun() -> None:
    drawn(recipe(), [CUT] * 18)
    with (
        pytest.raises(InputError, match="first shard"),
        first_shard.watched("generate", "shard 2", recipe(), store()),
    ):
        pytest.fail("begun")


def test_a_shard_that_is_being_drawn_ends_when_the_first_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_shard, "LOOK_SECONDS", 0.0)
    event = progress.Event("generate", "shard 2", done=1, total=36)
    with (
        pytest.raises(InputError, match="first shard"),
        first_shard.watched("generate", "shard 2", recipe(), store()),
    ):
        progress.emit(event)
        drawn(recipe(), [CUT] * 18)
        progress.emit(progress.Event("generate", "shard 3", done=1, total=36))
        progress.emit(event)
        pytest.fail("drawn to its end")


def test_other_stages_are_not_watched() -> None:
    drawn(recipe(), [CUT] * 18)
    with first_shard.watched("examine", "shard 1", recipe(), store()):
        pass
