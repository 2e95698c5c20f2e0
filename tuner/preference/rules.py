"""Rules that need no model: what curation looks for in an answer, and whether it has the form that was asked for.

A rule that does not apply to an instruction says nothing. The score of an answer is the share of those that apply and
that it follows.
"""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from tuner.curation.columns.batch import Batch
from tuner.curation.columns.messages import Messages
from tuner.curation.columns.text import normalised
from tuner.curation.detectors import language
from tuner.curation.settings import Curation
from tuner.generation.languages import LANGUAGES
from tuner.preference import asked
from tuner.preference.prompts import Prompt
from tuner.preference.settings import RuleName

Verdicts = list[bool | None]
"""Whether each answer follows a rule; None where it does not apply."""

Rule = Callable[[Sequence[Prompt], Sequence[str], Curation], Verdicts]

_ANOTHER_LANGUAGE = "|".join(["translat", *(name.casefold() for name in LANGUAGES.values())])


def check(name: str) -> Rule:
    """The rule that a check of curation finds nothing in the conversation with this answer, but for marks."""

    def follows(prompts: Sequence[Prompt], answers: Sequence[str], curation: Curation) -> Verdicts:
        pairs = zip(prompts, answers, strict=True)
        conversations = [[*_bare(prompt), {"role": "assistant", "content": answer}] for prompt, answer in pairs]
        ended = pl.Series(["stop"] * len(answers), dtype=pl.String)
        wanted = None if curation.language is None else curation.language.wanted
        batch = Batch.of(Messages.read(pl.Series(conversations)), ended, ended, wanted)
        reasons = getattr(curation, name).find(batch, {}).reasons
        rejecting = [flags for reason, flags in reasons.items() if reason not in curation.marked()]
        return [not any(flags[place] for flags in rejecting) for place in range(len(answers))]

    return follows


def same_language(prompts: Sequence[Prompt], answers: Sequence[str], curation: Curation) -> Verdicts:
    """The answer is in the language of the user's last words, unless these speak of a language.

    It does not apply where fastText is not sure of both (`curation.detectors.language`).
    """
    texts = normalised(pl.Series([_last(prompt) for prompt in prompts], dtype=pl.String))
    instructions = language.of_texts(texts)
    responses = language.of_texts(normalised(pl.Series(answers, dtype=pl.String)))
    sure = [
        (each["language_confidence"] >= language.CERTAIN).fill_null(False).to_list()
        for each in (instructions, responses)
    ]
    speaks = texts.str.contains(_ANOTHER_LANGUAGE).to_list()
    same = (instructions["language"] == responses["language"]).to_list()
    return [
        same[place] if sure[0][place] and sure[1][place] and not speaks[place] else None
        for place in range(len(answers))
    ]


def _each(follows: Callable[[str, str], bool | None]) -> Rule:
    def rule(prompts: Sequence[Prompt], answers: Sequence[str], curation: Curation) -> Verdicts:
        return [follows(_last(prompt), answer) for prompt, answer in zip(prompts, answers, strict=True)]

    return rule


RULES: Mapping[RuleName, tuple[Rule, str]] = {
    "form": (check("form"), "`curation.form` finds nothing: no refusal, no repeated instruction, a finished end"),
    "repetition": (check("repetition"), "`curation.repetition` finds nothing"),
    "safety": (check("safety"), "`curation.safety` finds nothing"),
    "language": (same_language, "the answer is in the language of the instruction"),
    "asked_length": (_each(asked.length), "it has as many words, sentences or paragraphs as the instruction asks for"),
    "asked_format": (_each(asked.format_), "it is JSON, a table or a list if the instruction asks for one"),
}
"""The rules by name, each with what follows it."""


def apply(
    names: Sequence[RuleName], prompts: Sequence[Prompt], answers: Sequence[str], curation: Curation
) -> tuple[list[float | None], dict[str, tuple[int, int]]]:
    """Scores answers.

    Args:
        names: The rules.
        prompts: The instruction of each answer.
        answers: The answers, none of which is empty.
        curation: The settings of the checks.

    Returns:
        The share of the rules that apply and are followed, None if none applies; and by rule, how many answers follow
        it and to how many it applies.
    """
    if not answers:
        return [], dict.fromkeys(names, (0, 0))
    verdicts = {name: RULES[name][0](prompts, answers, curation) for name in names}
    scores: list[float | None] = []
    for place in range(len(answers)):
        known = [found[place] for found in verdicts.values() if found[place] is not None]
        scores.append(sum(map(bool, known)) / len(known) if known else None)
    followed = {
        name: (sum(each is True for each in found), sum(each is not None for each in found))
        for name, found in verdicts.items()
    }
    return scores, followed


def _bare(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in prompt.messages]


def _last(prompt: Prompt) -> str:
    return next((message["content"] for message in reversed(prompt.messages) if message["role"] == "user"), "")
