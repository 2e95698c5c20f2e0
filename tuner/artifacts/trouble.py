"""What a file system throws, as a line that says what to mend, or that the same can pass next time."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import InputError, TunerError, UnreachableError


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Explains what goes wrong at a folder or S3 prefix within a block.

    Args:
        url: The folder, or `s3://bucket/prefix`.

    Raises:
        InputError: If something has to be mended first.
        UnreachableError: If S3 does not answer just now.
    """
    try:
        yield
    except Exception as error:
        # botocore's exceptions have no base in common with OSError, and importing it costs what a plan may take.
        foreign = type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp")
        # A malformed AWS_ENDPOINT_URL is a bare ValueError.
        if not (foreign or isinstance(error, OSError) or (isinstance(error, ValueError) and url.startswith("s3://"))):
            raise
        raise _of_s3(error, url) if url.startswith("s3://") else _of_folder(error, url) from error


def _of_folder(error: Exception, url: str) -> TunerError:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return _full(url)
    reason = getattr(error, "strerror", None) or error
    return InputError(f"store {url}: cannot be used ({reason}); set TUNER_STORE to a folder you can write")


def _of_s3(error: Exception, url: str) -> TunerError:
    from tuner.artifacts import s3

    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # of this machine, where files are fetched to
        return _full(url)
    # s3fs makes an OSError of a refusal, and keeps the refusal as its cause.
    if s3.passes(error) or s3.passes(error.__cause__):
        return UnreachableError(f"store {url}: not reachable ({error}); try again, or check AWS_ENDPOINT_URL")
    if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ClientError"):
        hint = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return InputError(f"store {url}: access refused ({error}); {hint}")
    if isinstance(error, FileNotFoundError):
        return InputError(f"store {url}: there is no such bucket; create it first")
    return InputError(f"store {url}: not reachable ({error}); check AWS_ENDPOINT_URL")


def _full(url: str) -> TunerError:
    again = "free space and run the same command again, what is complete is kept"
    return InputError(f"store {url}: the disk is full; {again}")
