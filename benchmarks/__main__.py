"""`make bench`: runs the quickstart unless it is cached, then prints every figure with its goal."""

import os
import subprocess

from benchmarks import completions, generation, newcomer, operations, preferring, reruns, training
from benchmarks.reruns import TUNER
from deployments.environment import environment


def _operations() -> None:
    """Prints the overhead of the orchestration."""
    # Before `environment`, so that servers and workers get the variables of a user's shell.
    results = operations.measure()
    whole = f"{operations.PIPELINE_SECONDS:.0f}"
    print(
        f"orchestration's share of {whole} s of work: S / (S + {whole}), S measured on {operations.TASKS} tasks of 1 s"
    )
    for name, goal, mode in (
        ("first", 3, "local, its server's first start included"),
        ("alone", 3, "local, a later start included"),
        ("local", 3, "local, while tuner up runs"),
        ("pools", 8, "pools, a worker each"),
    ):
        print(f"{'  ' + mode:44}{operations.share(results[name]):8.1f} %  goal: {goal} %  (S = {results[name]:.1f} s)")
    paced = f"two adapters of {operations.TRAINING_SECONDS:.0f} s, two workers"
    print(f"{paced:40}{results['adapters']:8.2f}        goal: 1.9 times as fast as one worker")
    print(f"{'trigger to the first task':40}{results['trigger']:8.2f} s      goal: under 15 s")
    print(f"{'cached pipeline through a deployment':40}{results['cached']:8.2f} s      goal: under 25 s")
    steps = newcomer.measure()
    print(f"{'clone to the run in the UI':40}{sum(steps.values()):8.0f} s      goal: under 600 s, without the download")
    print(f"  {', '.join(f'{name} {seconds:.0f} s' for name, seconds in steps.items())}")


if __name__ == "__main__":
    _operations()
    environment()
    subprocess.run([*TUNER, "run", "quickstart"], check=True)
    load = os.getloadavg()[0]
    print(f"\nload average before: {load:.1f}")
    seconds = reruns.measure()
    for name, goal in (("help", 3), ("plan", 3), ("cached_rerun", 5)):
        print(f"{name:40}{seconds[name]:8.2f} s      goal: under {goal} s")
    drawn = generation.measure()
    print(f"generation, useful tokens/s{drawn['ours']:21.0f}")
    print(f"{'  against bare generate':40}{drawn['ratio']:8.2f}        goal: 2.0 or better")
    print(f"{'  slots that were useful':40}{drawn['useful']:8.2f}        goal: 0.93 or better")
    completions.show(20_000)
    trained = training.measure()
    print(f"{'training, non-pad tokens/s':40}{trained['ours']:8.0f}")
    print(f"{'  against padding to 2,048 (original)':40}{trained['against_original']:8.2f}        goal: 3 or better")
    print(f"{'  against padding to 512 (quickstart)':40}{trained['against_padded']:8.2f}")
    print(f"{'  against the plain trainer at its best':40}{trained['against_plain']:8.2f}        goal: 1.35 or better")
    preferred = preferring.measure()
    print(f"{'DPO, seconds':40}{preferred['ours']:8.0f}")
    print(f"{'  the best of TRL against it':40}{preferred['best of TRL against ours']:8.2f}        goal: 1.5 or better")
