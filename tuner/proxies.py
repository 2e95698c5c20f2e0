"""Adjusts the proxy settings of the environment so that they work for every library and child process.

Servers on loopback are not reachable through a proxy. And httpx fails on every request, even one that needs no proxy,
if the environment names an unsupported proxy, such as the `socks://` that desktops set.
"""

import importlib.util
import os
import sys
import urllib.request
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def normalize() -> None:
    """Excludes loopback from the proxies of this process and its children, and removes unsupported proxies.

    Each removed proxy is reported on standard error.
    """
    proxies = urllib.request.getproxies_environment()
    direct = [each.strip() for each in proxies.get("no", "").split(",") if each.strip()]
    if direct != ["*"]:
        # Both names: libraries differ in which one they read.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys([*direct, *LOOPBACK]))
    for scheme in ("http", "https", "all"):
        if (proxy := proxies.get(scheme)) and not _is_usable(proxy):
            for name in [name for name in os.environ if name.lower() == f"{scheme}_proxy"]:
                del os.environ[name]
            # The address is not printed: it may contain a password.
            sys.stderr.write(f"tuner: {scheme}_proxy is ignored: it must be http://HOST:PORT or https://HOST:PORT\n")


def _is_usable(proxy: str) -> bool:
    """Whether httpx supports a proxy: https://www.python-httpx.org/advanced/proxies/."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") or (parts.scheme in ("socks5", "socks5h") and _has_socks())


def _has_socks() -> bool:
    return importlib.util.find_spec("socksio") is not None
