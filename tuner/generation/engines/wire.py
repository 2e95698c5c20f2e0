"""What is sent to `POST /v1/completions`, and how its answer is read."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tuner.generation import seeds
from tuner.generation.engines import Completion, Request

_ENDED = ("stop", "eos_token", "stop_sequence")
"""The reasons for which servers say that the model has ended; the last two are TGI's."""


class AnswerError(Exception):
    """An answer is none: it is no completion, or the server broke it off."""


@dataclass(frozen=True)
class Form:
    """How a server takes requests.

    Attributes:
        extras: Whether it takes keys beyond OpenAI's, or ignores them.
        seeds: Whether it takes seeds.
        starts: Whether it puts the start token before every prompt, whatever it is told.
    """

    extras: bool = True
    seeds: bool = True
    starts: bool = False


def body(request: Request, model: str, form: Form, start: str) -> dict[str, Any]:
    """The body of a request.

    Args:
        request: The request.
        model: The model's name on the server.
        form: How the server takes requests.
        start: The tokenizer's start token; empty for none.
    """
    sampling = request.sampling
    prompt = request.prompt.removeprefix(start) if form.starts else request.prompt
    sent: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stream": False,
    }
    if sampling.min_p > 0:
        sent["min_p"] = sampling.min_p
    if request.stops:
        sent["stop"] = list(request.stops)
    if form.seeds:
        sent["seed"] = seeds.of_turn(request.seed, request.turn)
    if form.extras:
        # Special tokens stay in the text, and the prompt holds its own. The rest switches off defaults of the model
        # or the server (llama.cpp's are top-k 40 and min-p 0.05), which the recipe does not know of.
        sent |= {
            "add_special_tokens": False,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "top_k": -1,
            "min_p": sampling.min_p,
            "repetition_penalty": 1.0,
        }
    return sent


def completion(answer: Any, request: Request, ends: Collection[str], count: Callable[[str], int]) -> Completion:
    """The completion in an answer, up to the first text that ends the turn.

    Args:
        answer: The answer's JSON.
        request: The request.
        ends: The model's end tokens: servers differ in whether they leave them in the text.
        count: Counts the tokens of a text, where the server does not.

    Raises:
        AnswerError: If there is none.
    """
    try:
        choice: Mapping[str, Any] = answer["choices"][0]
        whole, reason = str(choice["text"]), choice["finish_reason"]
    except (KeyError, IndexError, TypeError):
        raise AnswerError("its answer holds no completion") from None
    if reason != "length" and reason not in _ENDED:
        raise AnswerError(f"it broke a completion off: {reason}")
    tokens = used(answer, "completion_tokens")
    found = [(place, -len(end), end) for end in (*ends, *request.stops) if end and (place := whole.find(end)) >= 0]
    if not found:
        ended = reason != "length"
        return Completion(whole, count(whole) + ended if tokens is None else tokens, "stop" if ended else "length")
    place, _, end = min(found)
    if reason == "length" or tokens is None:  # a server that does not know the end has gone on behind it
        tokens = count(whole[: place + len(end)])
    return Completion(whole[:place], tokens, "stop")


def used(answer: Any, what: str) -> int | None:
    """A count of an answer's `usage`, such as `prompt_tokens`; None if the server does not say."""
    usage = answer.get("usage") if isinstance(answer, Mapping) else None
    found = usage.get(what) if isinstance(usage, Mapping) else None
    return found if isinstance(found, int) else None
