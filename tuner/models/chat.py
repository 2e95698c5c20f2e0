"""A model's tokenizer with its chat template: how conversations become prompts, and prompts with answers token ids.

Training, evaluation and generation all encode here, and all of them continue the text that a server of the model is
prompted with: the conversation up to the answer, rendered with the generation prompt.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.models import loading, source, templates, thoughts
from tuner.models.source import TemplateFile
from tuner.models.templates import Message, Template
from tuner.models.thoughts import Said

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tuner.models.settings import Models


@dataclass(frozen=True)
class Encoded:
    """A row as token ids.

    Attributes:
        ids: Prompt and completion, truncated to the maximal length.
        start: The index of the first completion token.
    """

    ids: list[int]
    start: int

    @property
    def tokens(self) -> int:
        """Completion tokens that are predicted, which excludes the first token of the row."""
        return len(self.ids) - max(self.start, 1)


class Chat:
    """A tokenizer with a chat template.

    Args:
        tokenizer: The tokenizer.
        model: The model's name, for errors.
        stops: Tokens at which servers of the model stop, besides the tokenizer's end token.
        thinks: Whether it is trained on thoughts.

    Raises:
        InputError: As `templates.of` does, and if the template does not show the thoughts that it is trained on.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", model: str, stops: Collection[str] = (), thinks: bool = False
    ) -> None:
        self.tokenizer: Any = tokenizer
        self.model = model
        self.template: Template = templates.of(tokenizer, model, stops)
        self.thinks = thinks
        self._stops = stops
        self._openings: dict[str | None, str] = {None: self.template.prefix}
        if thinks and self.template.thinking is None:
            raise InputError(f"models.thoughts: the chat template of {model} shows no thoughts; set it to apart")

    def prompt(self, messages: list[Message], tools: str | None = None) -> str:
        """The text that a server of the model answers: the messages, and what begins the answer.

        Args:
            messages: The conversation up to a user's or a tool's turn.
            tools: The descriptions of tools that the template renders, as JSON.
        """
        return self._render(messages, tools, add_generation_prompt=True)

    def beginning(self, prefix: str | None = None, system: str | None = None) -> str:
        """The prompt that instructions are drawn from.

        Args:
            prefix: The recipe's, instead of what the template renders before the user's words.
            system: A system prompt, instead of the template's own.

        Raises:
            InputError: If it is empty, so that the model would continue nothing, or shows no system prompt.
        """
        begun = self.opening(system) if prefix is None else prefix
        if not begun.replace(str(self.tokenizer.bos_token), "").strip():
            raise InputError(
                f"model {self.model}: its chat template renders nothing before the user's words, so that no "
                "instruction can be drawn from it; choose another chat model or set generation.prefix"
            )
        return self.healed(begun)

    def opening(self, system: str | None = None, messages: Sequence[Message] = ()) -> str:
        """What the template renders before a user's words.

        Args:
            system: A system prompt, instead of the template's own.
            messages: The conversation so far; by default the words are the first.

        Raises:
            InputError: If the template does not render the system prompt before them.
        """
        if not messages:
            if system not in self._openings:
                self._openings[system] = self._opening(system, ())
            return self._openings[system]
        return self._opening(system, messages)

    def _opening(self, system: str | None, messages: Sequence[Message]) -> str:
        begun = [] if system is None else [{"role": "system", "content": system}]
        asked = [*begun, *messages, {"role": "user", "content": templates.SENTINEL}]
        try:
            before, found, _ = self.prompt(asked).partition(templates.SENTINEL)
        except templates.RENDERING:
            before, found = "", ""
        if not found:
            before = ""
        if messages and not before:
            raise InputError(f"model {self.model}: its chat template cannot render a further turn of the user")
        if system is not None and system.strip() not in before:
            raise InputError(
                f"model {self.model}: its chat template renders no system prompt; leave generation.system out, and "
                "generation.languages"
            )
        return before

    def completion(self, words: str, thoughts: str = "") -> str:
        """What follows a prompt where the model answers with these words, the end of its turn included.

        It is not cut from the rendered conversation, which for some templates does not begin with the prompt: they
        leave out thoughts that the prompt begins, or put other white space.

        Args:
            words: The answer.
            thoughts: What the model thinks before it, if the template shows thoughts.
        """
        if thoughts and self.template.thinking:
            opening, closing = self.template.thinking
            return f"{opening}{thoughts.strip()}{closing}{words.strip()}{self.template.ending}"
        return f"{self.template.lead}{words.strip()}{self.template.ending}"

    def encode(
        self, messages: list[Message], max_length: int, tools: str | None = None, thoughts: str | None = None
    ) -> Encoded:
        """A conversation as ids: what a server is prompted with, and the last message as the model's answer to it.

        Args:
            messages: The conversation, whose last turn is the assistant's.
            max_length: Longer rows are truncated at the end.
            tools: As for `prompt`.
            thoughts: What the model thought before its answer; left out unless it is trained on thoughts.
        """
        prompt = self.prompt(messages[:-1], tools)
        completion = self.completion(messages[-1]["content"], (thoughts or "") if self.thinks else "")
        prompt_ids = self.ids(prompt)
        ids = [*prompt_ids, *self.continued(prompt, prompt_ids, completion)][:max_length]
        return Encoded(ids, min(len(prompt_ids), len(ids)))

    def answers(
        self, messages: list[Message], max_length: int, tools: str | None = None, thoughts: str | None = None
    ) -> list[Encoded]:
        """A conversation as ids, once for each of the assistant's turns, with all before it as its prompt.

        That is what a server is prompted with at each turn, also where a template renders earlier turns otherwise than
        the last. Turns of which nothing is left within the maximal length are left out.

        Args:
            messages: The conversation, whose last turn is the assistant's.
            max_length: As for `encode`.
            tools: As for `prompt`.
            thoughts: What the model thought before its last turn.
        """
        ends = [
            end
            for end, message in enumerate(messages, 1)
            if message["role"] == "assistant" and any(before["role"] != "system" for before in messages[: end - 1])
        ]
        encoded = [
            self.encode(messages[:end], max_length, tools, thoughts if end == len(messages) else None) for end in ends
        ]
        return [each for each in encoded if each.tokens > 0]

    @cached_property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer."""
        ends = [self.tokenizer.eos_token, self.template.answer_end, *self._stops]
        vocabulary = self.tokenizer.get_vocab()
        return sorted({vocabulary[end] for end in ends if end in vocabulary})

    def ids(self, text: str) -> list[int]:
        """The ids of a rendered text, which contains its special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def healed(self, prompt: str) -> str:
        """A prompt to draw from, without a blank at its end that the tokenizer would join with the next word.

        Where words begin with their blank (byte pairs, SentencePiece), a prompt that ends in a blank ends in a token
        that is rare in training, so that what follows is worse.
        """
        bare = prompt.rstrip(" ")
        if bare == prompt:
            return prompt
        whole = self.ids(f"{prompt}The")
        as_is, cut = self.ids(prompt), self.ids(bare)
        return bare if whole[: len(as_is)] != as_is and whole[: len(cut)] == cut else prompt

    def said(self, text: str, prompt: str = "") -> Said:
        """The thoughts and the answer of a completion that still holds its special tokens.

        Args:
            text: The completion.
            prompt: What it continues.
        """
        said = thoughts.split(text, prompt)
        head = thoughts.behind(self.template.lead).strip()
        answer = said.answer.partition(head)[2] if head and head in said.answer else said.answer
        return Said(self.plain(said.thoughts), self.plain(answer))

    def plain(self, text: str) -> str:
        """A text without special tokens, stripped."""
        for token in self._special:
            text = text.replace(token, "")
        return text.strip()

    @cached_property
    def _special(self) -> list[str]:
        """Those that decoding leaves out, the longest first."""
        return sorted(self.tokenizer.all_special_tokens, key=len, reverse=True)

    def _render(self, messages: list[Message], tools: str | None, **options: Any) -> str:
        shown = templates.as_parts(messages) if self.template.in_parts else messages
        return templates.render(self.tokenizer, shown, tools, **options)

    def continued(self, prompt: str, prompt_ids: list[int], completion: str) -> list[int]:
        """The ids of a completion as they follow those of its prompt.

        Args:
            prompt: The prompt.
            prompt_ids: Its ids.
            completion: What follows it.
        """
        whole = self.ids(prompt + completion)
        if whole[: len(prompt_ids)] == prompt_ids:
            return whole[len(prompt_ids) :]
        # The tokenizer would join the prompt's end with the completion's beginning, but a server encodes the prompt
        # alone. The line break keeps a tokenizer from putting a blank before the first word.
        anchor = self.ids("\n")
        joined = self.ids(f"\n{completion}")
        return joined[len(anchor) :] if joined[: len(anchor)] == anchor else self.ids(completion)


def load(models: "Models", role: str) -> Chat:
    """The tokenizer of a recipe's model, with its chat template settled.

    A model whose recipe names a chat template for it is given that one, and a student without one (a base model) the
    generator's.

    Args:
        models: The recipe's section.
        role: `generator` or `student`.

    Raises:
        InputError: If it cannot be loaded, or its chat template cannot be used.
    """
    return of(loading.load_tokenizer(getattr(models, role)), models, role)


def of(tokenizer: Any, models: "Models", role: str) -> Chat:
    """As `load`, with the tokenizer already loaded."""
    model = getattr(models, role)
    variables = models.chat_template_kwargs
    if text := _template(tokenizer, models, role):
        tokenizer.chat_template = templates.settled(text, models.date, getattr(variables, role))
    thinks = role == "student" and models.thoughts == "trained"
    return Chat(tokenizer, model, loading.stops(model, tokenizer), thinks)


def _template(tokenizer: Any, models: "Models", role: str) -> str:
    """The chat template of a recipe's model, its own or one that it is given; empty if it has none."""
    given = getattr(models.chat_template, role)
    if given is None:
        if tokenizer.chat_template or role != "student":
            return _default(tokenizer.chat_template, getattr(models, role))
        if models.generator is None:
            return ""
        lender = models.generator
    elif isinstance(origin := source.parse_template(given, role), TemplateFile):
        return templates.lent(tokenizer, origin.text)
    else:
        lender = given
    text = _default(loading.load_tokenizer(lender).chat_template, lender)
    if given and not text:
        raise InputError(f"models.chat_template.{role}: {given} has no chat template")
    return text and templates.lent(tokenizer, text)


def _default(template: str | dict[str, str] | None, model: str) -> str:
    """The template for conversations, where a tokenizer has several by name; empty if it has none."""
    if not isinstance(template, dict):
        return template or ""
    if "default" not in template:
        raise InputError(
            f"model {model}: it has the chat templates {', '.join(sorted(template))}, and none is `default`"
        )
    return template["default"]
