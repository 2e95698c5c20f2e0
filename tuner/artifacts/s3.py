"""How S3 is spoken to: how often a request is tried, and which failures can pass. Imported only for a store on S3.

botocore and s3fs both try again by themselves, one within the other and by different rules: the first is switched off,
the second is told what can pass.
"""

from typing import Any, ClassVar

import aiohttp
import botocore.exceptions as boto
from botocore.parsers import ResponseParserError
from s3fs import S3FileSystem
from s3fs.core import set_custom_error_handler

_CODES = ("SlowDown", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict")
"""Besides every status of 500 and above, but 501, not implemented: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

_CUT = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    ResponseParserError,
    aiohttp.ClientError,
    ConnectionError,
    TimeoutError,
)


class Brief(S3FileSystem):
    """Tries a request four times within a second: for tasks, whose retries are Prefect's, where a person sees them."""

    retries: ClassVar[int] = 4


class Patient(S3FileSystem):
    """Tries a request eight times within ten seconds: for whatever nobody would try again."""

    retries: ClassVar[int] = 8


def filesystem(patient: bool) -> S3FileSystem:
    """The file system, shared by all that ask for the same."""
    options: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": 1}}
    set_custom_error_handler(passes)
    return (Patient if patient else Brief)(use_listings_cache=False, config_kwargs=options)


def passes(error: BaseException | None) -> bool:
    """Whether a failure can pass by itself: an overload, a cut connection, a time-out; never a refusal."""
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = (status >= 500 and status != 501) or status == 429
        return passing or error.response["Error"].get("Code") in _CODES
    return isinstance(error, _CUT) and not isinstance(error, boto.SSLError)


def is_taken(error: OSError) -> bool:
    """Whether a create-only write was refused because something is there, in the words of any S3 server."""
    cause = error.__cause__
    refused = isinstance(cause, boto.ClientError) and cause.response["Error"].get("Code") in (
        "PreconditionFailed",
        "412",
    )
    return refused or isinstance(error, FileExistsError)
