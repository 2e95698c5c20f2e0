"""Duration of shell commands: `tuner --help`, `tuner plan`, and a fully cached run of the quickstart."""

import statistics
import subprocess
import sys
import time

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]
ROUNDS = 5


def measure() -> dict[str, float]:
    """Median seconds of each command."""
    commands = {"help": ["--help"], "plan": ["plan", "quickstart"], "cached_rerun": ["run", "quickstart"]}
    return {name: statistics.median(_seconds(arguments) for _ in range(ROUNDS)) for name, arguments in commands.items()}


def _seconds(arguments: list[str]) -> float:
    clock = time.perf_counter()
    subprocess.run([*TUNER, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - clock
