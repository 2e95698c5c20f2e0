"""What is found in chat templates: `python -m benchmarks.templates FOLDER [MAGPIE_TABLE]` prints a line for each.

The folder holds any `.jinja` files, at any depth, such as a collection of the templates that models are published with.
Since a template alone has no tokenizer, one of bytes is made for each, which has the marks in the template's text as
tokens. The optional file is a JSON object of objects with `pre_query_template`, as Magpie's own `model_configs.json`:
how many of these texts a template of the folder begins instructions with, and the others.

A template passes if it is refused in one line, or if what is trained begins with what is served, ends in a token at
which a server stops, and gives the words of both turns back.
"""

import json
import re
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tuner.errors import InputError
from tuner.models import templates, thoughts
from tuner.models.chat import Chat

_MARK = re.compile(
    r"<[|\uff5c][^<>|\uff5c\s{}'\"]{1,40}[|\uff5c]>|</?s>|<(?:start|end)_of_\w+>|<beginning_of_\w+>|\[/?[A-Z][A-Z_]+\]|<SPECIAL_\d+>"
    r"|<\|\w+>|<\w+\|>|</?think>|<_\w+>|<sep>|<seed:\w+>|\]~!?b\[|\[e~\["
)
WORDS, ANSWER = "Why is\n\n# the sky: blue?", "Air scatters\n- blue light."


@dataclass(frozen=True)
class Found:
    """What was found in a template.

    Attributes:
        name: Its file.
        refused: Why it cannot be used; empty if it can.
        chat: The template with its tokenizer; None if it was refused.
        wrong: What does not hold of it; empty if all does.
    """

    name: str
    refused: str = ""
    chat: Chat | None = None
    wrong: str = ""


def look(file: Path) -> Found:
    """Looks at one template."""
    text = file.read_text(encoding="utf-8")
    try:
        chat = Chat(_tokenizer(text), file.stem)
        chat.beginning()
    except InputError as error:
        return Found(file.stem, refused=str(error))
    return Found(file.stem, chat=chat, wrong=_wrong(chat))


def _wrong(chat: Chat) -> str:
    user = {"role": "user", "content": WORDS}
    served = chat.prompt([user])
    encoded = chat.encode([user, {"role": "assistant", "content": ANSWER}], 100_000)
    said = chat.said(chat.tokenizer.decode(encoded.ids[encoded.start : -1]), served)
    drawn = served.removeprefix(chat.template.prefix).partition(chat.template.turn_end)[0].strip()
    checks = {
        "the prompt": chat.tokenizer.decode(encoded.ids[: encoded.start]) == served,
        "the instruction": not chat.template.turn_end or drawn == WORDS,
        "the end": encoded.ids[-1] in chat.stop_ids,
        "the answer": said.answer == ANSWER and not said.thoughts,
    }
    return ", ".join(name for name, holds in checks.items() if not holds)


def _tokenizer(template: str) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    made.add_special_tokens({"additional_special_tokens": sorted({*_MARK.findall(template)})})
    made.chat_template = templates.settled(template, date(2026, 1, 1), {})
    return made


def main() -> None:
    """Prints the table, and the counts below it."""
    found = [look(file) for file in sorted(Path(sys.argv[1]).rglob("*.jinja"))]
    for each in found:
        if each.chat is None:
            print(f"{each.name:50} refused: {each.refused}")
            continue
        template = each.chat.template
        begun = "thoughts are begun" if thoughts.opened(template.suffix) else ""
        print(f"{each.name:50} {each.wrong or 'right'}; {template.turn_end!r}; {template.lead!r}; {begun}")
    print(
        f"{len(found)} templates: {sum(bool(each.chat and not each.wrong) for each in found)} right, "
        f"{sum(bool(each.refused) for each in found)} refused, {sum(bool(each.wrong) for each in found)} wrong"
    )
    if len(sys.argv) > 2:
        _compare(found, json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))


def _compare(found: list[Found], table: dict[str, dict[str, str]]) -> None:
    """Which texts of a table of texts before the user's words are the end of what some template begins with."""
    begun = {each.chat.template.prefix.removeprefix("<s>") for each in found if each.chat}
    for model, row in table.items():
        text = re.sub(r"^(<\|begin_of_text\|>|<bos>|<s>)", "", row["pre_query_template"])
        same = [prefix for prefix in begun if prefix.endswith(text)]
        print(f"{model:60} {'a template ends so' if same else f'no template ends in {text!r}'}")


if __name__ == "__main__":
    main()
