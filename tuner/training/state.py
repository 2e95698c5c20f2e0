"""The state of a training besides its weights, in files that hold no code: safetensors with JSON in their headers.

What transformers would write are pickles, which must not come from another machine.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tuner.training.checkpoints import OPTIMIZER, RANDOM, SCHEDULER


def write_optimizer(optimizer: Any, folder: Path) -> None:
    """Writes the state of an optimizer: tensors by parameter and name, and what is no tensor in the header."""
    whole = optimizer.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for parameter, values in whole["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{parameter}.{name}"] = value.detach().contiguous()
            else:
                plain.setdefault(str(parameter), {})[name] = value
    header = json.dumps({"groups": whole["param_groups"], "plain": plain})
    save_file(tensors, folder / OPTIMIZER, {"state": header})


def read_optimizer(optimizer: Any, folder: Path) -> None:
    """Gives an optimizer the state that `write_optimizer` wrote."""
    with safe_open(folder / OPTIMIZER, "pt") as file:
        header = json.loads(file.metadata()["state"])
    state: dict[int, dict[str, Any]] = {int(number): values for number, values in header["plain"].items()}
    for key, tensor in load_file(folder / OPTIMIZER).items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": header["groups"]})


def write_scheduler(scheduler: Any, folder: Path) -> None:
    """Writes the state of a schedule."""
    (folder / SCHEDULER).write_text(json.dumps(scheduler.state_dict()))


def read_scheduler(scheduler: Any, folder: Path) -> None:
    """Gives a schedule the state that `write_scheduler` wrote."""
    scheduler.load_state_dict(json.loads((folder / SCHEDULER).read_text()))


def write_random(folder: Path, process: int) -> None:
    """Writes the states of torch's generators, from which dropout and noise are drawn.

    Args:
        folder: The checkpoint.
        process: Which of the processes that train together this is, from 0; each draws other noise.
    """
    states = {"cpu": torch.random.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda:{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(states, folder / _random(process))


def read_random(folder: Path, process: int) -> None:
    """Sets the states that `write_random` wrote; those of GPUs that this machine has not are left out.

    A process that was not there before takes those of the first.
    """
    own = folder / _random(process)
    states = load_file(own if own.exists() else folder / RANDOM)
    torch.random.set_rng_state(states.pop("cpu"))
    for name, state in states.items():
        if torch.cuda.is_available() and int(name.partition(":")[2]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, name)


def _random(process: int) -> str:
    return RANDOM if process == 0 else f"{process}-{RANDOM}"
