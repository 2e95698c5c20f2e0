"""What is said a second time: phrases of a short text, points of a list."""

import polars as pl
import pytest

from tests.curation.texts import batch
from tuner.curation.checks.repetition import Repetition
from tuner.curation.detectors.again import in_lists
from tuner.curation.detectors.repetition import check


def is_found(response):
    return bool(check(batch([("Explain boats.", response)]), Repetition()).reasons["repeated_phrase"][0])


SENTENCE = "A keel of oak carries the frames, the planks and the deck of every boat that sails the northern sea. "
OTHER = (
    "Shipwrights choose slow-grown trunks because dense wood resists rot, shock and worms far better than young "
    "timber does. Tar keeps water out of seams. Painters finish hulls in spring, once frost has gone. "
)


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (SENTENCE + OTHER, False),
        (SENTENCE * 2 + OTHER, False),
        (SENTENCE * 3 + OTHER, True),
        (f"1. {SENTENCE}\n\n2. {SENTENCE.replace('A keel', 'The old keel')}\n\n3. {SENTENCE}", True),
        (
            "\n".join(f"Boat {n} needs {n + 3} planks and {2 * n} nails for its {n + 1} frames." for n in range(3)),
            False,
        ),
        (OTHER + "".join(f'- It says "{SENTENCE.strip()}" {n}.\n' for n in ("here", "there", "below")), False),
        (f"{OTHER}\n```\n{SENTENCE}\n{SENTENCE}\n{SENTENCE}\n```", False),
        ("建造一艘木船需要先铺设龙骨，然后再安装肋骨和船板。" * 3, True),
        ("先铺龙骨，再装肋骨。然后钉上船板，填好缝隙。最后上漆，等它慢慢变干。", False),
    ],
)
def test_what_may_be_said_again_depends_on_the_length(response, found):
    assert is_found(response) is found


def test_verse_may_repeat_its_refrain():
    verses = (
        "The gulls are calling low",
        "The cook has sold his pot",
        "The mate is far from home",
    )
    refrain = "haul away my bonny boys and bring\nthe anchor home to me tonight"
    assert not is_found("\n\n".join(f"{verse}\nand the tide runs out,\n{refrain}" for verse in verses))
    assert is_found(". ".join(f"{verse} and the tide runs out, {refrain}" for verse in verses))


WOODS = ["White ash", "Red larch", "Stone pine", "Blue spruce", "Black elm"]


def numbered(points):
    return "\n".join(f"{number}. {point}" for number, point in enumerate(points, 1))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (numbered(WOODS), False),
        (numbered(WOODS + WOODS[:2]), False),
        (numbered(WOODS + WOODS[:3]), True),
        (numbered(["White ash"] * 5), True),
        (numbered(["White ash"] * 4), False),
        (numbered(["White ash", "Red larch"] * 6), False),
        (numbered(["True"] * 9), False),
        ("- Brave\n" * 5, True),
        ("- Brave\n" * 4, False),
        ("\n".join(f"- {wood}\n  - three coats of tar" for wood in WOODS), False),
        ("| Wood | Price |\n|---|---|\n" + "".join(f"| {w} | 3 |\n" for w in WOODS + WOODS[:3]), True),
        ("| Wood | Price |\n|---|---|\n" + "".join(f"| {w} | 3 |\n" for w in WOODS), False),
        (f"```\n{numbered(WOODS * 3)}\n```", False),
        ("\n\n".join(f"Day {day}:\n- oat bread\n- warm milk" for day in range(6)), False),
    ],
)
def test_points_that_recur_are_a_quarter_of_a_list(text, found):
    assert in_lists(pl.Series([text, "x"])).tolist() == [found, False]


def test_many_texts_share_one_table():
    texts = pl.Series([numbered(WOODS + WOODS[:3]), *[numbered([*WOODS, "Red larch"])] * 300])
    assert in_lists(texts).tolist() == [True] + [False] * 300
