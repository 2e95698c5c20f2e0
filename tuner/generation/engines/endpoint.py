"""The addresses in `TUNER_ENDPOINT`, and which of a server's models is the recipe's. Imports nothing heavy."""

import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tuner.errors import InputError
from tuner.models import source, wheel

OPEN_SECONDS = 15.0
"""How long a server that does not answer is waited for at the beginning."""

ASK_AGAIN_SECONDS = 0.5


def urls(endpoint: str) -> tuple[str, ...]:
    """The base URLs of the servers, without `/v1` at their end.

    Args:
        endpoint: URLs separated by commas, with or without `/v1`.

    Raises:
        InputError: If there is none, or one is no URL of a server or holds a password, which logs would show.
    """
    found = dict.fromkeys(_base(part.strip()) for part in endpoint.split(",") if part.strip())
    if not found:
        raise InputError("TUNER_ENDPOINT: TUNER_ENGINE=completions needs a server's URL, such as http://127.0.0.1:8000")
    return tuple(found)


def host(url: str) -> str:
    """The host of a URL, with its port if it has one."""
    return urlsplit(url).netloc


def hosts(endpoint: str) -> str:
    """The hosts of all servers, to show. Raises as `urls` does."""
    return ", ".join(host(url) for url in urls(endpoint))


def silent(url: str, reason: str) -> InputError:
    """The error that no server answers."""
    return InputError(f"TUNER_ENDPOINT: {url} does not answer: {reason}; start the server, or correct the URL")


def reach(endpoint: str) -> None:
    """Waits until a server of an endpoint answers, whatever it says.

    Raises:
        InputError: If none does within `OPEN_SECONDS`, or as `urls` does.
    """
    import httpx

    end = time.monotonic() + OPEN_SECONDS
    while True:
        reasons: list[str] = []
        for url in urls(endpoint):
            try:
                httpx.get(f"{url}/v1/models", timeout=max(0.1, end - time.monotonic()))
            except httpx.TransportError as error:
                reasons.append(str(error) or type(error).__name__)
            else:
                return
        if time.monotonic() > end:
            raise silent(urls(endpoint)[0], reasons[0])
        time.sleep(ASK_AGAIN_SECONDS)


def _base(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise InputError("TUNER_ENDPOINT: not a URL; write http://HOST:PORT") from None
    if parts.username or parts.password:
        raise InputError(f"TUNER_ENDPOINT: {parts.hostname}: no user or password in a URL; set TUNER_ENDPOINT_KEY")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError(f"TUNER_ENDPOINT: {text!r} is not the URL of a server; write http://HOST:PORT")
    return text.rstrip("/").removesuffix("/v1").rstrip("/")


def served(listed: Sequence[Mapping[str, str]], model: str, url: str) -> str:
    """The name by which a server knows the recipe's generator.

    Args:
        listed: The models that it lists: `id`, and `root`, the path or hub id that some servers name beside it.
        model: The generator, as written in the recipe.
        url: The server's, for the error.

    Raises:
        InputError: If it lists several models, of which none or more than one is the generator.
    """
    names = [each["id"] for each in listed]
    if len(names) == 1:
        return names[0]
    wanted = _names(model)
    for same in (lambda name: name.lower() in wanted, lambda name: _last(name) in {_last(each) for each in wanted}):
        found = [each["id"] for each in listed if same(each["id"]) or same(each.get("root") or "")]
        if len(found) == 1:
            return found[0]
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise InputError(
        f"TUNER_ENDPOINT: {url} serves several models, and none of them alone is {model}: {shown}; serve the generator "
        "under its name"
    )


def _names(model: str) -> set[str]:
    """The names under which a server may know a model, in lower case."""
    origin = source.parse(model)
    names = {model, origin.name, f"{origin.name}-{origin.revision}"}
    if known := wheel.KNOWN.get((origin.name, origin.revision)):
        names.add(known.hub)
    return {name.lower() for name in names}


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].lower().removesuffix(".gguf")
