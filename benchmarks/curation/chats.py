"""Real conversation text: what people wrote to each other, one utterance a piece.

The text is the Chit-Chat Challenge of Brigham Young University's Perception, Control and Cognition lab: 7,168 open
conversations of 1,315 students, 258,145 utterances (Myers, Etchart and Fulda, Conversational Scaffolding: An
Analogy-Based Approach to Response Prioritization in Open-Domain Dialogs, 2020). It comes in the wheel
`chitchat-dataset==0.9.0`, under the MIT licence; the licence lies in the wheel.

What is left out would make the planted truth doubtful: utterances that hold a swear word or a threat, an @ or seven
digits and more, that say one word over and over, or share a run of 8 words with an earlier one. What is put right lets
the rows pass the rules of form, as the answers of a chat model would: the first letter becomes a capital, and an
utterance that ends on no mark gets a full stop.
"""

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "chitchat_dataset"
WORDS = (6, 20)
"""Shorter utterances say little; a longer one, shared by two rows, would make them alike."""
RUN = 8

# Substrings, naive on purpose: what is toxic must not be decided here by the list that is measured.
_SWEARING = ("fuck", "shit", "bitch", "bastard", "douche", "gook", "slut", "whore", "kill you", "kill your")
_ACCENTS = {"cafe": "café", "pokemon": "pokémon", "fiance": "fiancé", "fiancee": "fiancée", "jalapeno": "jalapeño"}
_WITHOUT_ACCENTS = re.compile(rf"\b(?:{'|'.join(_ACCENTS)})\b", re.IGNORECASE)


def sentences() -> list[str]:
    """The utterances of 6 to 20 words, in the order of the conversations: about 125,000.

    No two have the same words, or a run of 8 words in common.

    Raises:
        SystemExit: If the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("chitchat-dataset is not installed: make bench-curation installs it")
    conversations = json.loads((Path(spec.origin).parent / "dataset.json").read_text(encoding="utf-8"))
    return chosen([piece["text"] for one in conversations.values() for turn in one["messages"] for piece in turn])


def chosen(utterances: Sequence[str]) -> list[str]:
    """The utterances that can be sentences of a row, as they are written there."""
    found: dict[tuple[str, ...], str] = {}
    runs: set[tuple[str, ...]] = set()
    for utterance in utterances:
        words = utterance.split()
        text = " ".join(words)
        low = text.casefold()
        doubtful = "@" in text or sum(map(str.isdigit, text)) > 6 or any(word in low for word in _SWEARING)
        plain = tuple(re.sub(r"\W", "", word) for word in low.split())
        if not WORDS[0] <= len(words) <= WORDS[1] or doubtful or 2 * len(set(plain)) <= len(plain) or plain in found:
            continue
        own = {plain[at : at + RUN] for at in range(len(plain) - RUN + 1)}
        if own.isdisjoint(runs):
            found[plain] = _written(text)
            runs |= own
    return list(found.values())


def _written(text: str) -> str:
    # Chatters leave accents out; with them the rows hold what has more than one Unicode form.
    text = _WITHOUT_ACCENTS.sub(lambda match: _ACCENTS[match.group().lower()], text)
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else f"{text}."
