# s3fs and botocore ship without types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false
"""The S3 client: how often a request is retried, and which errors are transient. Imported only for a store on S3.

botocore and s3fs both retry, one within the other and by different rules. Retries of botocore are switched off, and
s3fs is told which errors are transient. s3fs itself retries at two levels, a request and the method that uses it; once
a request has failed for good, the outer level does not retry it, or eight attempts would become sixty-four.
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

_TRANSIENT_CODES = ("SlowDown", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict")
"""Transient besides status 429 and 500 or above, except 501 (not implemented): https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

_CONNECTION_ERRORS = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    ResponseParserError,
    aiohttp.ClientError,
    ConnectionError,
    TimeoutError,
)


class GaveUpError(OSError):
    """A request failed on its last attempt; the last error is the cause."""


class Bounded(S3FileSystem):
    """An S3 client with a bounded number of attempts and a timeout for each.

    Attributes:
        retries: Number of attempts.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for the server to send or accept data.
    """

    connect_timeout: ClassVar[float] = 5.0
    read_timeout: ClassVar[float] = 10.0

    async def _call_s3(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super()._call_s3(*arguments, **named)
        except _CONNECTION_ERRORS as error:
            raise GaveUpError(str(error)) from error

    bulk_delete = sync_wrapper(S3FileSystem._bulk_delete)


class Brief(Bounded):
    """Four attempts within a second: for tasks, which Prefect retries, visibly to the user.

    Gives up after 45 s at most on a server that accepts the connection and never answers: aiohttp rounds timeouts up.
    """

    retries: ClassVar[int] = 4


class Patient(Bounded):
    """Eight attempts within ten seconds: for requests whose caller is not retried.

    Gives up after 100 s at most on a server that accepts the connection and never answers.
    """

    retries: ClassVar[int] = 8


def filesystem(patient: bool) -> S3FileSystem:
    """The S3 client, one instance for each value of `patient`."""
    options: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "connector_args": {"socket_factory": _socket},
        "http_session_cls": _Session,
    }
    set_custom_error_handler(is_transient)
    return (Patient if patient else Brief)(use_listings_cache=False, config_kwargs=options)


class _Session(AIOHTTPSession):
    """Sends a file at once instead of waiting for `100 Continue`, for which aiohttp has no timeout."""

    async def send(self, request: Any) -> Any:
        """Sends a request without its header `Expect: 100-continue`, which is not signed."""
        request.headers.pop("Expect", None)
        return await super().send(request)


def _socket(address: Any) -> socket.socket:
    """A socket that fails if the server accepts no data; neither botocore nor aiohttp has a timeout for that."""
    family, kind, protocol = address[:3]
    connection = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(Bounded.read_timeout * 1000))
    return connection


def is_transient(error: BaseException | None) -> bool:
    """Whether a retry may succeed: after an overload, a cut connection or a timeout, never after a refusal."""
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        transient = (status >= 500 and status != 501) or status == 429
        return transient or error.response["Error"].get("Code") in _TRANSIENT_CODES
    return isinstance(error, _CONNECTION_ERRORS) and not isinstance(error, boto.SSLError)


def already_exists(error: OSError) -> bool:
    """Whether a create-only write was refused because the file exists; S3 servers report it differently."""
    cause = error.__cause__
    refused = isinstance(cause, boto.ClientError) and cause.response["Error"].get("Code") in (
        "PreconditionFailed",
        "412",
    )
    return refused or isinstance(error, FileExistsError)
