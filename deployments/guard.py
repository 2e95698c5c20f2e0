"""Access control of a server without a password: programs and the server's own pages may use it.

Any web page can make a browser send requests to 127.0.0.1, and after DNS rebinding (the page's name now resolves to
127.0.0.1) it can even read the responses. But the browser states the requested name (`Host`) and the requesting site
(`Origin`, or `Sec-Fetch-Site` for embedded content and links), which a page cannot forge.
"""

from collections.abc import Collection, Mapping

SHOWN = ("document", "image")
"""What other sites may request: a page, by a link, and a figure. Neither changes anything or can be read by them."""


def refusal(headers: Mapping[str, str], own: Collection[str]) -> str | None:
    """Why a request is refused; None if it is allowed.

    Args:
        headers: The request's headers, with names in lower case.
        own: The server's own addresses, each `name:port`, as in a browser's address bar.
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
    """The addresses of a server on loopback.

    Args:
        host: The address that it listens on.
        port: Its port.
    """
    return {f"{host}:{port}", f"localhost:{port}"}
