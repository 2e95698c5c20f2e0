"""Who may ask a server that wants no password: programs, and the server's own pages.

A browser sends to 127.0.0.1 what any page tells it to, and a page whose DNS name is bound anew to 127.0.0.1 even reads
the answers. But it says under which name it asks (`Host`), and for whom (`Origin`, or `Sec-Fetch-Site` where a page
merely shows something of another site): what a page cannot choose.
"""

from collections.abc import Collection, Mapping

SHOWN = ("document", "image")
"""What other sites may show: a page to which their link leads, and a figure. Neither does anything, nor can be read."""


def refusal(headers: Mapping[str, str], own: Collection[str]) -> str | None:
    """Why a request is not answered; None if it is.

    Args:
        headers: Of the request, their names in lower case.
        own: The server's own addresses, `name:port` each, as a browser would name them.
    """
    host = headers.get("host", "").lower()
    if not {host, f"{host}:80"} & {*own}:
        return f"this server is not called {host!r}; its address is http://{' or http://'.join(sorted(own))}"
    origin = headers.get("origin")
    if origin is not None:
        return None if origin.partition("://")[2] == host else f"a page of {origin} may not use this server"
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-dest") not in SHOWN:
        return "a page of another site may not use this server"
    return None


def addresses(host: str, port: int) -> set[str]:
    """What a server on loopback is called.

    Args:
        host: The address that it listens on.
        port: Its port.
    """
    return {f"{host}:{port}", f"localhost:{port}"}
