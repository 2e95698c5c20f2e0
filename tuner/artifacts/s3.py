"""How S3 is spoken to: how often a request is tried, and which failures can pass. Imported only for a store on S3.

botocore and s3fs both try again by themselves, one within the other and by different rules: the first is switched off,
the second is told what can pass. s3fs itself does so at two levels, a request and what it does with its answer: what a
request was tried for in vain, the outer level does not try again, or eight attempts would be sixty-four.
"""

import socket
from typing import Any, ClassVar

import aiohttp
import botocore.exceptions as boto
from aiobotocore.httpsession import AIOHTTPSession
from botocore.parsers import ResponseParserError
from fsspec.asyn import sync_wrapper
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


class GaveUpError(OSError):
    """A request failed as often as it is tried; the last failure is the cause."""


class Bounded(S3FileSystem):
    """Tries a request a number of times, and each time waits a number of seconds for the server.

    Attributes:
        retries: How often it is tried.
        connect_timeout: Seconds until the connection stands.
        read_timeout: Seconds without a sign of the server, be it an answer or that it takes what is sent.
    """

    connect_timeout: ClassVar[float] = 5.0
    read_timeout: ClassVar[float] = 10.0

    async def _call_s3(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super()._call_s3(*arguments, **named)
        except _CUT as error:
            raise GaveUpError(str(error)) from error

    bulk_delete = sync_wrapper(S3FileSystem._bulk_delete)


class Brief(Bounded):
    """Tries a request four times within a second: for tasks, whose retries are Prefect's, where a person sees them.

    A server that accepts the connection and says nothing is left after 45 s at most: aiohttp rounds seconds up.
    """

    retries: ClassVar[int] = 4


class Patient(Bounded):
    """Tries a request eight times within ten seconds: for whatever nobody would try again.

    A server that accepts the connection and says nothing is left after 100 s at most.
    """

    retries: ClassVar[int] = 8


def filesystem(patient: bool) -> S3FileSystem:
    """The file system, shared by all that ask for the same."""
    options: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "connector_args": {"socket_factory": _socket},
        "http_session_cls": _Session,
    }
    set_custom_error_handler(passes)
    return (Patient if patient else Brief)(use_listings_cache=False, config_kwargs=options)


class _Session(AIOHTTPSession):
    """Sends a file at once instead of waiting for `100 Continue`, for which aiohttp has no limit."""

    async def send(self, request: Any) -> Any:
        """Sends a request; its header `Expect: 100-continue` is not among those that are signed."""
        request.headers.pop("Expect", None)
        return await super().send(request)


def _socket(address: Any) -> socket.socket:
    """A socket that breaks if the server takes nothing; neither botocore nor aiohttp has a limit for that."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(Bounded.read_timeout * 1000))
    return made


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
