"""What every test stands on: a home and a store of its own, and stores of both kinds."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner import settings as settings_module
from tuner.models import loading as models_loading
from tuner.settings import settings


def _forget() -> None:
    settings_module.settings.cache_clear()
    models_loading.dtype.cache_clear()


@pytest.fixture(autouse=True)
def own_places(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home and a store below `tmp_path`; only end-to-end tests see the models that this machine has converted."""
    machine = Path(os.environ.get("TUNER_HOME") or "~/.tuner").expanduser().absolute()
    home = tmp_path / "home"
    home.mkdir()
    if request.node.get_closest_marker("e2e"):
        (machine / "models").mkdir(parents=True, exist_ok=True)
        (home / "models").symlink_to(machine / "models")
    monkeypatch.setenv("TUNER_HOME", str(home))
    monkeypatch.setenv("TUNER_STORE", str(tmp_path / "store"))
    _forget()
    yield
    _forget()


def s3_environment(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Points whatever speaks S3 at an endpoint, with credentials that it accepts."""
    import s3fs

    for key, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    # Instances are shared by their arguments and remember the endpoint of an earlier test.
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of its own, as a store."""
    import s3fs

    s3_environment(monkeypatch, s3_endpoint)
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(bucket)
    monkeypatch.setenv("TUNER_STORE", f"s3://{bucket}/prefix")
    settings.cache_clear()
    yield f"s3://{bucket}/prefix"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("s3_url"))
