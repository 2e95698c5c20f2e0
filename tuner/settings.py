"""Settings from the environment (`TUNER_*`): where and how a run computes, never what it computes."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tuner.errors import InputError


def gpus() -> int:
    """The GPUs of this machine."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


class Settings(BaseSettings):
    """The settings of this machine; an empty variable counts as unset.

    Attributes:
        store: The store of artifacts and runs: a folder, or `s3://bucket/prefix`.
        home: Folder for local files: converted models, checkpoints, the Prefect server's database.
        placement: Where a pipeline computes: `local`, on workers of the Prefect `pools`, or on a `ray` cluster.
        device: `auto` uses the GPUs if there are any, else the CPU.
        engine: The generation engine; see `generation.engines`.
        endpoint: URLs of the servers that the engine `completions` asks, separated by commas.
        endpoint_key: The key that they want; only ever read from the environment.
        dtype: `auto` trains in bfloat16 where the processor computes in it, else in float32; see `models.precision`.
        batch_size: Rows generated at once; with servers, at first.
        price_hour: Money for an hour of drawing, for `generation.at_most.cost` and the plan.
        price_million_tokens: Money for a million drawn tokens, likewise.
        train_processes: Processes of one training, which share its batches; each on a GPU of its own, if there are any.
        workers: Concurrent trainings; by default as many as there are GPUs for, or one on a CPU.
        reports: URL that serves the store's reports, such as `http://127.0.0.1:4201`; `tuner up` sets it.
        train_timeout: Seconds after which a training is stopped; its checkpoints stay.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_", env_ignore_empty=True)

    store: str = "./store"
    home: Path = Path("~/.tuner")
    placement: Literal["local", "pools", "ray"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    engine: str = "transformers"
    endpoint: str = ""
    endpoint_key: SecretStr = SecretStr("")
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: int = Field(default=32, ge=1)
    price_hour: float = Field(default=0.0, ge=0)
    price_million_tokens: float = Field(default=0.0, ge=0)
    train_processes: int = Field(default=1, ge=1)
    workers: int = Field(default_factory=lambda known: max(1, gpus() // known.get("train_processes", 1)), ge=1)
    reports: str = ""
    train_timeout: float = Field(default=24 * 3600, gt=0)

    def folder(self, name: str) -> Path:
        """A folder below `home`, created if it does not exist."""
        path = self.home.expanduser().absolute() / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process.

    Raises:
        InputError: If a variable has a value that is not allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"TUNER_{str(first['loc'][0]).upper()}: {first['msg']}, not {first['input']!r}") from None
