"""How often the race of a sweep keeps the winner, and how many tokens it saves.

    python -m benchmarks.racing [--sweeps 200]                 on the curves that are kept in the repository
    python -m benchmarks.racing --small FILE --student FILE    measures these curves again

Whole sweeps are recorded once, every trial to its end, with the loss of every tuning row at the looks. Simulated sweeps
are three quarters of the trials of such a sweep, with its rows drawn with replacement. FILE holds rows: for `--small` a
JSON list with `instruction` and `output` (minutes), for `--student` any layout that `tuner curate` reads (an hour or
more on one core).
"""

import argparse
import os
from pathlib import Path

from benchmarks.racing import curves
from benchmarks.racing.curves import Curves
from benchmarks.racing.simulation import RULES, simulate


def table(sweeps: list[Curves], count: int) -> str:
    """The outcomes of every rule on every sweep, as a Markdown table."""
    lines = [
        "| sweep | trials | rule | within 0.5 % of the best | of the whole sweep's winner | worst | tokens saved |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for each in sweeps:
        for name, rule in RULES.items():
            found = simulate(each, rule, count)
            shares = f"{found.best:.1%} | {found.same:.1%} | {found.worst:.1%} | {found.saved:.0%}"
            lines.append(f"| {each.sweep} | {len(each.trials)} | {name} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    """Records what is asked for, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.racing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sweeps", type=int, default=200, help="simulated sweeps of each rule")
    parser.add_argument("--small", type=Path, help="rows to record the small networks on")
    parser.add_argument("--student", type=Path, help="rows to record the default student on")
    given = parser.parse_args()
    kept = {each.sweep: each for each in curves.read(curves.KEPT)} if curves.KEPT.exists() else {}
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # more threads sum in another order
    if given.small:
        from benchmarks.racing import small

        kept |= {each.sweep: each for each in (small.sweep(schedule, given.small) for schedule in small.SCHEDULES)}
        curves.write(kept.values(), curves.KEPT)
    if given.student:
        from benchmarks.racing import recording

        recorded = recording.record(given.student)
        kept |= {recorded.sweep: recorded}
        curves.write(kept.values(), curves.KEPT)
    print(table(list(kept.values()), given.sweeps))


if __name__ == "__main__":
    main()
