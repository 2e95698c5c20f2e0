"""Cleaning: cuts and masks parts of texts before they are checked."""

import numpy as np
import polars as pl

from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.detectors import form, personal_data, toxicity
from tuner.curation.settings import Curation
from tuner.curation.texts import INSTRUCTION, RESPONSE

REDACT = {"toxic": toxicity.redact, "personal_data": personal_data.redact}
"""The function that masks what each reason finds."""


def clean(frame: pl.DataFrame, curation: Curation) -> tuple[Batch, Findings]:
    """Sanitizes and redacts the texts of a shard as the recipe says.

    Args:
        frame: `instruction`, `response`, `instruction_finish` and `response_finish`, and `messages` if the recipe
            sanitizes.
        curation: What to clean.

    Returns:
        The rows with cleaned texts; and as findings the texts that changed, what was cut off, and in which rows
        something was masked (`toxic`, `personal_data`).
    """
    instruction, response = (frame[name].cast(pl.String).fill_null("") for name in ("instruction", "response"))
    raw_instruction, raw_response = instruction, response
    cut = pl.Series([None] * len(frame), dtype=pl.String)
    if curation.form.sanitize:
        # In a conversation of several turns the instruction is all of them, and a cut would take whole turns away.
        role = pl.element().struct.field("role")
        single = frame["messages"].list.eval(role.filter(role != "system")).list.join(" ") == "user assistant"
        shortened, removed = form.sanitize(instruction)
        instruction, cut = shortened.zip_with(single, instruction), removed.zip_with(single, cut)
    masked: dict[str, np.ndarray] = {}
    for reason in curation.safety.masking:
        before = instruction, response
        instruction, response = REDACT[reason](instruction), REDACT[reason](response)
        masked[reason] = ((instruction != before[0]) | (response != before[1])).to_numpy()
    batch = Batch(instruction, response, frame["instruction_finish"], frame["response_finish"])
    nulls = pl.Series([None] * len(frame), dtype=pl.String)
    scores = {
        INSTRUCTION: instruction.zip_with(instruction != raw_instruction, nulls),
        RESPONSE: response.zip_with(response != raw_response, nulls),
        "sanitized_off": cut,
    }
    return batch, Findings(masked, scores)


def cleaned_messages(
    messages: list[dict[str, str]], instruction: str, response: str, curation: Curation
) -> list[dict[str, str]]:
    """The messages of a row whose texts were cleaned.

    Args:
        messages: As generated.
        instruction: The cleaned instruction.
        response: The cleaned response.
        curation: What was cleaned.

    Returns:
        With the cleaned texts for a single exchange; in a longer conversation each message is redacted separately.
    """
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if roles == ["user", "assistant"]:
        texts = {"user": instruction, "assistant": response}
        return [{**message, "content": texts.get(message["role"], message["content"])} for message in messages]
    contents = pl.Series([message["content"] for message in messages], dtype=pl.String)
    for reason in curation.safety.masking:
        contents = REDACT[reason](contents)
    return [{**message, "content": content} for message, content in zip(messages, contents, strict=True)]
