"""A judge that is asked of every two candidates of an instruction which is better, in both orders.

It writes nothing that would have to be parsed: its verdict is the likelier of two letters, as in `curation.judging`. A
judge prefers the place as well as the answer (Zheng et al. 2023, arXiv 2306.05685), so a verdict counts only if both
orders give it; else the comparison is a tie.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from tuner.curation.judging.judge import Judge
from tuner.preference.metrics import Comparisons

LETTERS = ("A", "B")

QUESTION = """\
A user sent this request to an AI assistant:

<request>
{request}
</request>

Two answers were written.

<answer A>
{first}
</answer A>

<answer B>
{second}
</answer B>

Which answer is better: more correct, more helpful and more to the point? Answer with the letter, {a} or {b}."""


@dataclass(frozen=True)
class Comparison:
    """Two candidates of one instruction, compared.

    Attributes:
        group: The instruction's place.
        one: A candidate's place among those of the instruction.
        other: That of another.
        ahead: How much likelier the letter of `one` was than that of `other`, in nats: where `one` was shown first,
            and where it was shown second. None if the judge could not read them.
    """

    group: int
    one: int
    other: int
    ahead: tuple[float, float] | None

    @property
    def better(self) -> int | None:
        """The place of the better candidate; None of a tie, and where it was not read."""
        if self.ahead is None or self.ahead[0] * self.ahead[1] <= 0:
            return None
        return self.one if self.ahead[0] > 0 else self.other


def compare(
    judge: Judge,
    requests: Sequence[str],
    groups: Sequence[Sequence[tuple[int, str]]],
    batch_size: int,
    on_done: Callable[[int], None],
) -> list[Comparison]:
    """Compares every two candidates of each instruction.

    Args:
        judge: The judge.
        requests: What is asked in each instruction.
        groups: The candidates of each: place and text.
        batch_size: Questions in a batch; fewer if the memory does not suffice.
        on_done: Called with the number of answered questions, two for a comparison, from time to time.
    """
    wanted = [(group, *pair) for group, texts in enumerate(groups) for pair in combinations(texts, 2)]
    asked = [
        question(requests[group], first, second)
        for group, (_, one), (_, other) in wanted
        for first, second in ((one, other), (other, one))
    ]
    scores = judge.likelihoods(asked, LETTERS, batch_size, on_done) if asked else []
    found: list[Comparison] = []
    for number, (group, (one, _), (other, _)) in enumerate(wanted):
        shown_first, shown_second = scores[2 * number], scores[2 * number + 1]
        ahead = float(shown_first[0] - shown_first[1]), float(shown_second[1] - shown_second[0])
        read = all(value == value for value in ahead)  # NaN where it was not
        found.append(Comparison(group, one, other, ahead if read else None))
    return found


def question(request: str, first: str, second: str) -> str:
    """What the judge is asked."""
    return QUESTION.format(request=request, first=first, second=second, a=LETTERS[0], b=LETTERS[1])


def by_group(comparisons: Sequence[Comparison]) -> dict[int, list[Comparison]]:
    """The comparisons of each instruction that has any, by its place."""
    found: dict[int, list[Comparison]] = {}
    for each in comparisons:
        found.setdefault(each.group, []).append(each)
    return found


def win_rates(comparisons: Sequence[Comparison], places: Sequence[int]) -> dict[int, float | None]:
    """The score of each candidate of an instruction: the mean over its comparisons of 1 if it is better, 1/2 if tied.

    Args:
        comparisons: Those of the instruction.
        places: Of its candidates.

    Returns:
        By place; None where the judge read no comparison.
    """
    won: dict[int, list[float]] = {place: [] for place in places}
    for each in comparisons:
        if each.ahead is not None:
            for place in (each.one, each.other):
                won[place].append(0.5 if each.better is None else float(each.better == place))
    return {place: sum(points) / len(points) if points else None for place, points in won.items()}


def beaten(comparisons: Sequence[Comparison], place: int) -> list[int]:
    """The places of the candidates that one was found better than, ascending."""
    return sorted(each.other if each.one == place else each.one for each in comparisons if each.better == place)


def counted(comparisons: Sequence[Comparison], parameters: int) -> Comparisons:
    """The metrics of comparisons."""
    read = [each for each in comparisons if each.ahead is not None]
    firsts = [(each.ahead[0] > 0) + (each.ahead[1] < 0) for each in read if each.ahead]
    return Comparisons(
        compared=len(read),
        agreed=sum(each.better is not None for each in read),
        first=sum(firsts),
        unread=len(comparisons) - len(read),
        parameters=parameters,
    )
