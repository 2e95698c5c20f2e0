"""The card of an adapter: the README.md in its folder, with the lines of Python that load it."""

from collections.abc import Mapping
from typing import Any

_CARD = """\
---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
---

# {kind} adapter for {base}

Trained by Synthetic Instruction Tuner{origin}. The chat template that it was trained with lies beside it. In the
folder of this file:

```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoPeftModelForCausalLM.from_pretrained(".")
chat = pipeline("text-generation", model=model, tokenizer=tokenizer)
messages = [{{"role": "user", "content": "Why is the sky blue?"}}]
print(chat(messages, max_new_tokens=64)[0]["generated_text"][-1]["content"])
```
"""


def text(config: Mapping[str, Any], student: str) -> str:
    """The card.

    Args:
        config: The adapter's configuration, as it is saved.
        student: The student, as the recipe names it.
    """
    base = config["base_model_name_or_path"]
    origin = "" if base == student.partition("@")[0] else f" on `{student}`"
    return _CARD.format(base=base, kind=str(config["peft_type"]).replace("_", " ").lower(), origin=origin)
