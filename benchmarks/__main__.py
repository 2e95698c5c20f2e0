"""`make bench`: runs the quickstart unless it is there, then prints every figure with its goal."""

import os
import subprocess

from benchmarks import generation, reruns, training
from benchmarks.reruns import TUNER
from tuner import launch

if __name__ == "__main__":
    launch.environment()
    subprocess.run([*TUNER, "run", "quickstart"], check=True)
    load = os.getloadavg()[0]
    print(f"\nload average before: {load:.1f}")
    seconds = reruns.measure()
    for name, goal in (("help", 3), ("plan", 3), ("cached_rerun", 5)):
        print(f"{name:40}{seconds[name]:8.2f} s      goal: under {goal} s")
    drawn = generation.measure()
    print(f"generation, slots/s (bare generate {drawn['bare']:.0f}){drawn['ours']:10.0f}")
    print(f"{'  against bare generate':40}{drawn['ratio']:8.2f}        goal: 0.95 or better")
    trained = training.measure()
    print(f"{'training, non-pad tokens/s':40}{trained['ours']:8.0f}")
    print(f"{'  against padding to maximum length':40}{trained['against_padded']:8.2f}        goal: 3 or better")
    print(f"{'  against the plain trainer at its best':40}{trained['against_plain']:8.2f}        goal: 0.98 or better")
