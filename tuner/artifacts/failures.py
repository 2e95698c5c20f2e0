"""Errors of file systems and S3 as one line that says what to fix, or that a retry may succeed."""

import errno
from collections.abc import Generator
from contextlib import contextmanager

from tuner.errors import InputError, TunerError, UnreachableError


@contextmanager
def readable_errors(url: str) -> Generator[None]:
    """Converts errors of a folder or S3 prefix within a block into ones for the user.

    Args:
        url: The folder, or `s3://bucket/prefix`.

    Raises:
        InputError: If the user has to fix something first.
        UnreachableError: If S3 is not reachable at the moment.
    """
    try:
        yield
    except Exception as error:
        # By the module's name: importing botocore for its exceptions would take as long as a whole plan.
        is_client_error = type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp")
        # A malformed AWS_ENDPOINT_URL raises a bare ValueError.
        if not (
            is_client_error or isinstance(error, OSError) or (isinstance(error, ValueError) and url.startswith("s3://"))
        ):
            raise
        raise _of_s3(error, url) if url.startswith("s3://") else _of_folder(error, url) from error


def _of_folder(error: Exception, url: str) -> TunerError:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return _full(url)
    reason = getattr(error, "strerror", None) or error
    return InputError(f"store {url}: cannot be used ({reason}); set TUNER_STORE to a folder you can write")


def _of_s3(error: Exception, url: str) -> TunerError:
    from tuner.artifacts import s3

    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # the local disk, in a download
        return _full(url)
    # s3fs raises an OSError whose cause is the error of S3.
    if s3.is_transient(error) or s3.is_transient(error.__cause__):
        return UnreachableError(f"store {url}: not reachable ({error}); try again, or check AWS_ENDPOINT_URL")
    if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ClientError"):
        hint = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return InputError(f"store {url}: access refused ({error}); {hint}")
    if isinstance(error, FileNotFoundError):
        return InputError(f"store {url}: there is no such bucket; create it first")
    return InputError(f"store {url}: not reachable ({error}); check AWS_ENDPOINT_URL")


def _full(url: str) -> TunerError:
    hint = "free space and run the same command again; completed work is kept"
    return InputError(f"store {url}: the disk is full; {hint}")
