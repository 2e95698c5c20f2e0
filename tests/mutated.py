"""Malformed recipes: a real one with a few random changes."""

import random

PIECES = (
    *(
        "&a ",
        "*a",
        "<<: *a",
        "? ",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "  ",
        "---\n",
        "...\n",
        "#",
        "'",
        '"',
        "|\n",
        ">\n",
    ),
    *("!!int ", "!!float ", "!!bool ", "!!binary ", "!!timestamp ", "!!set ", "!!omap ", "!!python/name:os.system "),
    *("null", "true", "-1", "0", "1e308", "1e400", ".inf", ".nan", "0x" + "f" * 30, "2024-02-30", "1:2:3", "~"),
    *("\x00", "\x1b[2J", "\ud800", "\u2028", "\ufeff", "é", "../x", "a" * 1000),
)
VALUES = (
    "1",
    "2",
    "7",
    "100",
    "0.5",
    "1e-4",
    "lora",
    "prompt_tuning",
    "text",
    "all-linear",
    "[q_proj]",
    "{}",
    "x",
    "owner/x",
)
TIMES = (1, 1, 1, 1, 1, 1, 10, 1000, 20_000)


def mutated(text: str, dice: random.Random) -> str:
    """A recipe with up to six changes.

    Args:
        text: The recipe.
        dice: Decides what is changed, and how.
    """
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        text = dice.choice(CHANGES)(text, dice)[:2_000_000]
    return text


def _inserted(text: str, dice: random.Random) -> str:
    at = dice.randint(0, len(text))
    return text[:at] + dice.choice(PIECES) * dice.choice(TIMES) + text[at:]


def _value(text: str, dice: random.Random) -> str:
    """Changes the value of one key."""
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    key = lines[at].partition(":")[0]
    lines[at] = f"{key}: {dice.choice(PIECES + VALUES) * dice.choice(TIMES)}"
    return "\n".join(lines)


def _number(text: str, dice: random.Random) -> str:
    """Makes numbers larger."""
    digit = dice.choice("123456789")
    return text.replace(digit, digit + "0" * dice.choice((1, 3, 6, 300)))


def _line(text: str, dice: random.Random) -> str:
    """Removes or repeats a line."""
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    lines[at : at + 1] = [lines[at]] * dice.choice((0, 2, 3000))
    return "\n".join(lines)


def _indented(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    lines[at:] = [" " * dice.choice((1, 2, 50)) + line for line in lines[at:]]
    return "\n".join(lines)


def _nested(text: str, dice: random.Random) -> str:
    """Adds nested lists or mappings."""
    depth = dice.choice((5, 30, 900, 30_000))
    opened, closed = dice.choice((("[", "]"), ("{a: ", "}"), ("[[", "]]"), ("- ", ""), ("? ", "")))
    return f"{text}\nnested: {opened * depth}x{closed * depth}\n"


def _multiplied(text: str, dice: random.Random) -> str:
    """Adds aliases of aliases, as values, in merges or as keys."""
    levels, width = dice.choice((2, 9, 30)), dice.choice((2, 9, 30))
    kind = dice.choice(("[{}]", "{{<<: [{}]}}", "{{? [{}] : x}}"))
    lines = ["m0: &m0 " + ("{b: c}" if "<<" in kind else "[x, y]")]
    for level in range(1, levels):
        lines.append(f"m{level}: &m{level} " + kind.format(", ".join([f"*m{level - 1}"] * width)))
    return "\n".join((*lines, text) if dice.random() < 0.5 else (text, *lines))


def _torn(text: str, dice: random.Random) -> str:
    begin, end = sorted(dice.randint(0, len(text)) for _ in range(2))
    return text[:begin] + text[end:] if dice.random() < 0.5 else text[begin:end]


CHANGES = (_inserted, _value, _value, _number, _line, _indented, _nested, _multiplied, _torn)
