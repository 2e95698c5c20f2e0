"""Where and how it runs: settings from the environment (`TUNER_*`), which never decide a result."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tuner.errors import InputError


class Settings(BaseSettings):
    """Read from the environment; an empty variable counts as unset.

    Attributes:
        store: Where artifacts and runs lie: a folder, or `s3://bucket/prefix`.
        home: What this machine keeps for itself: converted models, checkpoints, the Prefect server's database.
        placement: Where a pipeline computes: `local`, on workers of the Prefect `pools`, or on a `ray` cluster.
        device: `auto` takes the GPUs there are, else the CPU.
        engine: What draws rows; see `generation.engines`.
        dtype: `auto` trains in bfloat16 where the processor computes in it, else in float32; see `models.precision`.
        batch_size: Rows generated at once.
        workers: Trainings that run at once; by default one for each GPU, and one on a CPU.
        reports: Where the store's reports are served, such as `http://127.0.0.1:4201`; `tuner up` sets it.
        train_timeout: Seconds after which a training is stopped; its checkpoints stay.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_", env_ignore_empty=True)

    store: str = "./store"
    home: Path = Path("~/.tuner")
    placement: Literal["local", "pools", "ray"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    engine: str = "transformers"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: int = Field(default=32, ge=1)
    workers: int = Field(default_factory=lambda: len(list(Path("/dev").glob("nvidia[0-9]*"))) or 1, ge=1)
    reports: str = ""
    train_timeout: float = Field(default=24 * 3600, gt=0)

    def folder(self, name: str) -> Path:
        """A folder below `home`, made if it is not there."""
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
