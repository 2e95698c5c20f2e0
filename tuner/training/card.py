"""The card of an adapter: the README.md in its folder, with the lines of Python that load it."""

_CARD = """\
---
base_model: {base}
library_name: {library}
pipeline_tag: text-generation
---

# {title}

Trained by Synthetic Instruction Tuner{origin}. The chat template that it was trained with lies beside it. In the
folder of this file:

```python
{imports}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {loader}.from_pretrained(".")
chat = pipeline("text-generation", model=model, tokenizer=tokenizer)
messages = [{{"role": "user", "content": "Why is the sky blue?"}}]
print(chat(messages, max_new_tokens=64)[0]["generated_text"][-1]["content"])
```
"""


def text(method: str, base: str, student: str, whole: bool) -> str:
    """The card.

    Args:
        method: The training method, such as `lora`.
        base: The name that the student is loaded by anywhere.
        student: The student, as the recipe names it.
        whole: Whether a whole model was saved, rather than an adapter.
    """
    name = method.replace("_", " ")
    loader = "AutoModelForCausalLM" if whole else "AutoPeftModelForCausalLM"
    shared = "AutoTokenizer, pipeline"
    return _CARD.format(
        base=base,
        library="transformers" if whole else "peft",
        title=f"{base}, fully fine-tuned" if whole else f"{name} adapter for {base}",
        origin="" if base == student.partition("@")[0] else f" on `{student}`",
        imports=f"from transformers import {loader}, {shared}"
        if whole
        else f"from peft import {loader}\nfrom transformers import {shared}",
        loader=loader,
    )
