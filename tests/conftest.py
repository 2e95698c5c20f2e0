"""Fixtures of all tests: a home and a store per test, and stores of both kinds."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.deployments.processes import Processes, end_all, logs
from tests.warm import Warm
from tuner import interpreter
from tuner import settings as settings_module
from tuner.models import precision
from tuner.settings import settings

interpreter.relax_garbage_collection()  # test modules import all libraries

# The same examples in every run. No deadline: a test's first example may include compiling or importing.
hypothesis_settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis_settings.load_profile("suite")


MODELS = Path(os.environ.get("TUNER_HOME") or "~/.tuner").expanduser().absolute() / "models"
"""The models that this machine has converted, for end-to-end tests only."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--screenshots FOLDER`: tests of the UI then use a real model and save pictures."""
    parser.addoption(
        "--screenshots", metavar="FOLDER", help="folder for the pictures that tests of the UI take for the docs"
    )


class ByFolder(LoadScopeScheduling):
    """Assigns whole files to a pytest-xdist process, and whole folders if their tests share processes."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.split("::")[0])
        shared = path.parent.parent.name == "e2e" or path.parent.name == "deployments"
        return str(path.parent if shared else path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """Replaces the schedulers of pytest-xdist, whose groups this version of pytest does not support."""
    return ByFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the slowest tests first: end-to-end tests, and among them those in folders."""
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, item.path.parent.name == "e2e"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the ends of the running processes' logs to a failure."""
    report = yield
    if report.failed:
        folders = [processes.folder for processes in Processes.running]
        for folder in dict.fromkeys([*folders, _common(item.config._tmp_path_factory)]):  # pyright: ignore[reportAttributeAccessIssue]
            report.sections += [(f"end of {name}", end) for name, end in logs(folder).items()]
    return report


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shared by all pytest-xdist processes."""
    return _common(tmp_path_factory)


def _common(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    common = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "common"
    common.mkdir(exist_ok=True)
    return common


@contextmanager
def once(folder: Path) -> Iterator[bool]:
    """Makes a shared folder once: yields True in the first process, which has to fill it, while all others wait.

    If the block fails, the next process makes the folder again.
    """
    with FileLock(f"{folder}.lock"):
        done = folder / "done"
        if first := not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield first
        done.touch()


@pytest.fixture(scope="session")
def warm(common: Path) -> Warm:
    """The process that forks others with the model libraries already imported."""
    folder = common / "warm"
    with once(folder) as first:
        return Warm.serve(Processes(folder)) if first else Warm(folder)


@pytest.fixture(scope="session")
def database(common: Path) -> Path:
    """The database file of a new Prefect server: creating its tables takes a server ten seconds."""
    folder = common / "database"
    with once(folder) as first:
        if first:
            command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
            environment = {**os.environ, "PREFECT_HOME": str(folder)}
            subprocess.run(command, env=environment, check=True, capture_output=True)
    return folder / "prefect.db"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Saves the coverage of each pytest-xdist process, and ends shared processes when the last of them is done."""
    if (measuring := sys.modules.get("coverage")) and (current := measuring.Coverage.current()):
        current.save()  # a pytest-xdist process is killed if a library's thread keeps it alive
    if "PYTEST_XDIST_WORKER" not in os.environ:
        end_all(_common(session.config._tmp_path_factory))  # pyright: ignore[reportAttributeAccessIssue]


def make_home(home: Path) -> None:
    """Makes a home with the models of this machine."""
    MODELS.mkdir(parents=True, exist_ok=True)
    home.mkdir()
    (home / "models").symlink_to(MODELS)


def _clear_caches() -> None:
    settings_module.settings.cache_clear()
    precision.inference.cache_clear()


@pytest.fixture(autouse=True)
def own_home_and_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Sets a home and a store below `tmp_path`; only the home of end-to-end tests has the models of this machine."""
    home = tmp_path / "home"
    if request.node.get_closest_marker("e2e"):
        make_home(home)
    else:
        home.mkdir()
    monkeypatch.setenv("TUNER_HOME", str(home))
    monkeypatch.setenv("TUNER_STORE", str(tmp_path / "store"))
    _clear_caches()
    yield
    _clear_caches()


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Computes in float32 on the CPU."""
    monkeypatch.setenv("TUNER_DEVICE", "cpu")
    monkeypatch.setenv("TUNER_DTYPE", "float32")
    _clear_caches()
    yield
    monkeypatch.undo()
    _clear_caches()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random chat model."""
    from tests.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def base(tiny: Path, tmp_path: Path) -> Path:
    """The same without a chat template."""
    folder = shutil.copytree(tiny, tmp_path / "base")
    (folder / "chat_template.jinja").unlink()
    return folder


def s3_environment(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Points S3 clients at an endpoint, with credentials that it accepts."""
    from tuner.artifacts.s3 import Brief, Patient

    for key, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)
    for kind in (Brief, Patient):
        monkeypatch.setattr(kind, "retries", 1)
    _clear_connections()


def _clear_connections() -> None:
    """Clears s3fs's cache of file systems, which keep the endpoint of an earlier test."""
    import s3fs

    from tuner.artifacts.s3 import Brief, Patient

    for kind in (s3fs.S3FileSystem, Brief, Patient):
        kind.clear_instance_cache()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on loopback."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    # S3 checks `If-None-Match` and writes atomically; moto does not, so writes are serialised here.
    lock, put = threading.Lock(), S3Response.put_object

    def put_atomically(self: S3Response) -> Any:
        with lock:
            return put(self)

    S3Response.put_object = put_atomically
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    S3Response.put_object = put


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a store in a new bucket."""
    import s3fs

    s3_environment(monkeypatch, s3_endpoint)
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(bucket)
    monkeypatch.setenv("TUNER_STORE", f"s3://{bucket}/prefix")
    settings.cache_clear()
    yield f"s3://{bucket}/prefix"
    _clear_connections()


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store, once in a folder and once on S3."""
    if request.param == "folder":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("s3_url"))


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers every request with 403, as S3 does to an unknown key."""

    protocol_version = "HTTP/1.1"
    body = b'<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code><Message>No such key id</Message></Error>'

    def refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def refusing_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 endpoint that refuses all credentials; the environment points to it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    s3_environment(monkeypatch, endpoint)
    yield endpoint
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Callable[[str], Path | None]]:
    """A function that mounts or resizes a disk of a size such as `1m`; it returns None if mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path | None:
        options = f"remount,size={size}" if folder.is_mount() else f"size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
        return folder if mounted else None

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
