"""What is found out about a model from its configuration, tokenizer and chat template."""

from typing import Any

from tuner.errors import InputError
from tuner.models import chat, loading, thoughts
from tuner.models.settings import Models

CONVERSATION = [
    {"role": "user", "content": "Why is the sky blue?"},
    {"role": "assistant", "content": "Air scatters blue light most."},
    {"role": "user", "content": "And the evening red?"},
    {"role": "assistant", "content": "By then most of the blue is gone."},
]


def describe(model: str) -> tuple[dict[str, str], str]:
    """Describes a model.

    Args:
        model: The model, as written in a recipe.

    Returns:
        What was found, by name; and the conversation as training reads it, empty if the model has no usable template.

    Raises:
        InputError: If it cannot be loaded, or is no causal language model.
    """
    config: Any = loading.configuration(model)
    tokenizer: Any = loading.load_tokenizer(model)
    text = config.get_text_config()
    reads_date = "strftime_now" in str(tokenizer.chat_template)
    found = {
        "model": model,
        "class": f"{', '.join(config.architectures or [config.model_type])}, {text.vocab_size:,} embeddings, "
        f"{getattr(text, 'max_position_embeddings', None) or 'any number of'} positions",
        "tokenizer": f"{len(tokenizer):,} tokens, ends with {tokenizer.eos_token}, pads with {tokenizer.pad_token}",
    }
    if not tokenizer.chat_template:
        return {**found, "chat template": "none: a student only, which is lent its generator's"}, ""
    try:
        found_chat = chat.of(tokenizer, Models(generator=model, student=model), "generator")
        beginning = found_chat.beginning()
    except InputError as error:
        return {**found, "chat template": f"cannot be used: {error}"}, ""
    template = found_chat.template
    prompt = found_chat.prompt(CONVERSATION[:-1])
    begun = thoughts.opened(prompt)
    found |= {
        "drawn from": repr(beginning),
        "a user's turn ends with": repr(template.turn_end) if template.turn_end else "the end token",
        "an answer is prompted with": repr(template.suffix),
        "an answer begins with": repr(template.lead) if template.lead else "its words",
        "an answer ends with": repr(template.ending),
        "servers stop at": ", ".join(tokenizer.convert_ids_to_tokens(found_chat.stop_ids)),
        "thoughts": f"the prompt begins them with {begun[0]}" if begun else "not begun by the prompt",
        "the date": "the recipe's" if reads_date else "not read",
    }
    return found, f"{prompt}{found_chat.completion(CONVERSATION[-1]['content'])}"
