"""Setting up compiles every loop that curation and the split run, for the types of the arrays that they give it."""

import json
import sys

from numba.core.dispatcher import Dispatcher

from tuner.curation.settings import Curation
from tuner.owndata import compiling
from tuner.owndata.curate import run
from tuner.splitting.check import check
from tuner.splitting.placement import place
from tuner.splitting.settings import Split

from .talk import exchange

CODE = "```python\nfor i in range(9):\n    print(i)\n```\n"


def loops():
    modules = [module for name, module in sys.modules.items() if name.startswith(("tuner.curation", "tuner.splitting"))]
    return {each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)}


def signatures():
    return {(loop.py_func.__qualname__, signature) for loop in loops() for signature in loop.signatures}


def test_other_rows_compile_nothing_more(tmp_path):
    compiling.compiled()
    compiled = signatures()
    assert len(compiled) > 25
    said = [*(exchange(number) for number in range(12)), exchange(3), {"instruction": "", "response": ""}]
    said += [{"instruction": f"怎样种番茄{number}", "response": "把种子放在土里,每天浇水。" * 9} for number in range(9)]
    said += [{"instruction": f"Write loop {number}", "response": CODE * 9 + "well " * 400} for number in range(9)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
    run(file, Curation(), tmp_path / "curated")
    kept = sorted((tmp_path / "curated" / "kept").glob("*.parquet"))
    place(kept, None, Split())
    check(kept[0], kept[0], 0.5, 5)
    assert signatures() == compiled
