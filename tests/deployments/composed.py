"""docker-compose.yml as Docker Compose itself reads it: validated, with all variables filled in."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import compose

ROOT = Path(__file__).parents[2]
COMPOSE = Path(compose.__file__).parent / "docker-compose"
PASSWORDS = {
    "POSTGRES_PASSWORD": "postgres-password",
    "REDIS_PASSWORD": "redis-password",
    "S3_ACCESS_KEY": "access-key",
    "S3_SECRET_KEY": "secret-key",
    "PREFECT_AUTH": "admin:prefect-password",
}


def compose_config(variables: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """`docker compose config` with both profiles, and only the given environment."""
    command = [COMPOSE, "--env-file", "/dev/null", "-f", ROOT / "docker-compose.yml", "--profile", "gpu", "config"]
    return subprocess.run([*command, *options], env=dict(variables), capture_output=True, text=True)


def services(variables: Mapping[str, str] = PASSWORDS) -> dict[str, dict[str, Any]]:
    """The services, normalized."""
    return config(variables)["services"]


def config(variables: Mapping[str, str] = PASSWORDS) -> dict[str, Any]:
    """The whole project, normalized."""
    done = compose_config(variables, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
