"""The check `form`: both texts are there, whole, of a fitting length, and are an instruction and its response."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from tuner.curation.check import Check, Example, Score

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

WordRange = Annotated[tuple[int, int], Field(description="fewest and most words allowed")]

_ASKED = "Why do leaves change their colour in autumn?"
_ANSWER = (
    "In autumn the days grow short and cold, so the tree takes the green chlorophyll back out of its leaves. "
    "The yellow and red colours that were hidden under it then become visible."
)


class Form(Check):
    """What a text has to look like.

    Attributes:
        instruction_words: Bounds on the instruction's words, both inclusive.
        response_words: Bounds on the response's words, both inclusive.
        sanitize: Cuts an instruction at the first section that leaked into it, and records what was cut.
    """

    version: ClassVar = 4
    does: ClassVar = "word limits; what a text is, whatever it says"
    reasons: ClassVar = {
        "empty_instruction": "the instruction holds nothing but white space",
        "cut_instruction": "the instruction was cut off at the limit of tokens",
        "empty_response": "the response holds nothing but white space",
        "cut_response": "the response was cut off at the limit of tokens",
        "short_instruction": "the instruction has fewer words than allowed",
        "long_instruction": "the instruction has more words than allowed",
        "short_response": "the response has fewer words than allowed",
        "long_response": "the response has more words than allowed",
        "leaked_template": "a text holds template tokens, marks of thoughts or the marker of a role",
        "instruction_is_answer": "the instruction begins within a solution, ends in a sum worked out, or answers",
        "instruction_as_assistant": "the instruction talks as the assistant does",
        "instruction_is_fragment": "the instruction is the rest of a sentence, or announces what does not follow",
        "instruction_pattern": "the instruction is only punctuation, or an assistant's apology",
        "response_pattern": "the response is a bare greeting, only punctuation, or an assistant's apology",
        "response_repeats_instruction": "the response says the instruction again",
        "refusal": "the response refuses",
        "unasked_ai": "the response names itself an AI without being asked",
        "unfinished_response": (
            "the response ends as no finished text does: on a comma, a colon, an open bracket or block"
        ),
        "not_ascii": "less than 80 % of the letters are Latin, and only languages in Latin letters are wanted",
    }
    # A cut is that of the row; 'Thanks!' is a right turn in a conversation, 'Thanks!' alone is not.
    units: ClassVar = {
        **dict.fromkeys(("instruction_is_answer", "instruction_as_assistant", "instruction_is_fragment"), "opening"),
        **dict.fromkeys(("long_instruction", "long_response", "leaked_template"), "exchange"),
        **dict.fromkeys(("response_repeats_instruction", "refusal", "unasked_ai", "unfinished_response"), "exchange"),
        **dict.fromkeys(("empty_instruction", "empty_response"), "message"),
    }
    loosened: ClassVar = {
        f"{bound}_{text}": (f"{text}_words",) for bound in ("short", "long") for text in ("instruction", "response")
    }
    scores: ClassVar = tuple(
        Score(
            f"{text}_words",
            f"Length of {text}s",
            f"words of the {text}",
            "count",
            lambda form, text=text: {f"{bound:,}": float(bound) for bound in getattr(form, f"{text}_words")},
            {"The lower bound": f"short_{text}", "The upper bound": f"long_{text}"},
        )
        for text in ("instruction", "response")
    )
    examples: ClassVar = (
        Example(_ASKED, _ANSWER),
        Example("Here is a list of towns: Rome, Oslo, Cairo. Sort them from north to south.", _ANSWER),
        Example("Write a mail to a guest that says I'd be happy to help.", _ANSWER),
        Example("As an AI engineer, what should I learn first?", _ANSWER),
        Example("Translate 'see you tomorrow' into Spanish:", _ANSWER),
        Example("Are you a person or a chatbot?", "I am an AI assistant, so no person. I can explain what that means."),
        Example("", _ANSWER, ("empty_instruction",)),
        Example(_ASKED, _ANSWER, ("cut_instruction",), cut="instruction"),
        Example(_ASKED, "  ", ("empty_response",)),
        Example(_ASKED, _ANSWER, ("cut_response",), cut="response"),
        Example("Autumn leaves?", _ANSWER, ("short_instruction",)),
        Example(_ASKED, _ANSWER, ("long_instruction",), {"instruction_words": (3, 6)}),
        Example(_ASKED, "They lose their chlorophyll.", ("short_response",)),
        Example(_ASKED, _ANSWER, ("long_response",), {"response_words": (10, 20)}),
        Example(f"{_ASKED}<|im_end|>", _ANSWER, ("leaked_template",)),
        Example(_ASKED, f"{_ANSWER}\nuser\nWhy do needles stay green?", ("leaked_template",)),
        Example(_ASKED, f"{_ANSWER}\n<think>\nIs that right? Yes.", ("leaked_template",)),
        Example("Write your reasoning between <think> tags, then say why leaves change their colour.", _ANSWER),
        Example(
            "Which roles are there?", "There are three roles, from few rights to many. They are:\nguest\nuser\nadmin"
        ),
        Example("Sure! Here are three reasons why leaves change their colour.", _ANSWER, ("instruction_is_answer",)),
        Example("and 3 leaves are left.\n\n## Step 2: Add the twigs\n3 + 5 = 8", _ANSWER, ("instruction_is_answer",)),
        Example(
            "leaves fall from each tree, so 3 * 8 = 24 leaves are on the lawn.", _ANSWER, ("instruction_is_answer",)
        ),
        Example("I know that 3 * 8 = 24 leaves fall from each of the trees, but not when.", _ANSWER),
        Example(f"{_ASKED}\nSure, I'd be happy to explain.", _ANSWER, ("instruction_is_answer",)),
        Example("Check my solution.\n\n## Step 1: Add the twigs\n3 + 5 = 9", _ANSWER),
        Example("Hello there! How can I help you today?", _ANSWER, ("instruction_as_assistant",)),
        Example("and that is why the leaves of the oak were brown.", _ANSWER, ("instruction_is_fragment",)),
        Example(
            "Hello!", "Hello! What can I do?", settings={"instruction_words": (1, 500), "response_words": (1, 2000)}
        ),
        Example("?!", _ANSWER, ("instruction_pattern",), {"instruction_words": (1, 500)}),
        Example(_ASKED, "Sure.", ("response_pattern",), {"response_words": (1, 2000)}),
        Example(_ASKED, f"As an AI assistant, I can explain it in two sentences. {_ANSWER}"),
        Example(_ASKED, "As an AI, a tree in autumn is nothing that could be seen from here.", ("response_pattern",)),
        Example(_ASKED, f"I'm sorry, but I do not see your tree. In general it is the light: {_ANSWER} {_ANSWER}"),
        Example(_ASKED, f"I'm sorry, but I do not see your tree. {_ANSWER}", ("response_pattern",)),
        Example(
            "Why do leaves change their colour in autumn before they fall?",
            "Why do leaves change their colour in autumn before they fall? It is a question that many people ask.",
            ("response_repeats_instruction",),
        ),
        Example("Leaves of three, let it be", "Leaves of three, let it be, is a rhyme that warns of poison ivy."),
        Example(
            _ASKED,
            "Trees are not my field: I can't help with it, but a book about trees will surely have the answer.",
            ("refusal",),
        ),
        Example(
            _ASKED,
            "I am a language model, and I have never seen a tree. Still, the cold takes the green out of the leaves.",
            ("unasked_ai",),
        ),
        Example(
            _ASKED, "There are several reasons why the leaves of a tree change their colour:", ("unfinished_response",)
        ),
        Example(
            "Почему листья осенью меняют цвет?",
            "Осенью дни становятся короче, и дерево забирает зелёный хлорофилл из листьев обратно в ствол.",
            ("not_ascii",),
        ),
    )

    instruction_words: WordRange = (3, 500)
    response_words: WordRange = (10, 2000)
    sanitize: bool = False

    @model_validator(mode="after")
    def _ranges_rise(self) -> "Form":
        for key in ("instruction_words", "response_words"):
            low, high = getattr(self, key)
            if not 0 <= low <= high:
                raise ValueError(f"{key} must be [fewest, most] with 0 <= fewest <= most, not [{low}, {high}]")
        return self

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`."""
        from tuner.curation.columns.batch import by_unit, merge
        from tuner.curation.detectors import form

        return merge(by_unit(batch, lambda each: form.check(each, self), self.units), form.empty(batch))
