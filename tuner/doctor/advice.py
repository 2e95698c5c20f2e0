"""Which opening to write in a recipe, in one sentence."""

from collections.abc import Sequence

from tuner.doctor.examination import Examined
from tuner.doctor.first_shard import MOST_FRAGMENTS
from tuner.doctor.openings import THE_RECIPES


def advice(examined: Sequence[Examined]) -> str:
    """The opening with the most usable instructions; of those that cannot be told apart, the first.

    Args:
        examined: The findings in order of preference: an opening that has to be written in a recipe is worth it only if
            it is better than those before it.
    """
    best = max(examined, key=lambda each: each.usable.value)
    chosen = next(each for each in examined if not best.usable.exceeds(each.usable))
    figures = f"{chosen.usable.count} of {chosen.usable.of} instructions are usable"
    if chosen.fragments.surely_above(MOST_FRAGMENTS):
        return (
            f"No opening is good enough for a run: {chosen.fragments.value:.0%} are fragments even under "
            f"{chosen.opening.name}; try a system prompt (generation.system) or another model."
        )
    others = [each for each in examined if each is not chosen]
    alike = [each for each in others if not chosen.usable.exceeds(each.usable)]
    worse = [each for each in others if each not in alike]
    reasons = [f"{figures}"]
    if worse:
        reasons.append("against " + ", ".join(f"{each.usable.count} under {each.opening.name}" for each in worse))
    sentence = ", ".join(reasons)
    if alike:
        names = " and ".join(each.opening.name for each in alike)
        sentence += f"; {chosen.usable.of} are too few to tell it from {names}"
    return f"{_do(chosen)}: {sentence}."


def _do(chosen: Examined) -> str:
    setting = chosen.opening.setting
    if not setting:
        return f"Leave {chosen.opening.name} opening as it is"
    return f"Keep {setting}" if setting.startswith(THE_RECIPES) else f"Write {setting}"
