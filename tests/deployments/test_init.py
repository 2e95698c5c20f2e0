"""Preparing a cluster: the bucket is created once, and an error is one line."""

import uuid

import pytest
import s3fs

from deployments import init
from tests.conftest import s3_environment
from tuner.errors import InputError
from tuner.settings import settings


def test_a_bucket_is_made_once(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"new-{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("TUNER_STORE", f"s3://{name}/prefix")
    settings.cache_clear()
    for _ in range(2):
        init.bucket()
        assert s3fs.S3FileSystem().exists(name)


def test_an_unreachable_endpoint_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    s3_environment(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv("TUNER_STORE", "s3://bucket/prefix")
    settings.cache_clear()
    with pytest.raises(InputError, match=r"^TUNER_STORE=s3:.*: the bucket bucket can be neither found nor"):
        init.bucket()
