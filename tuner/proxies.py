"""The proxies that the environment names, as every library and every child process can live with them.

Servers on loopback are ours: no proxy knows them. And one proxy that httpx does not speak to, as the `socks://` that
desktops set, would keep it from asking anybody at all, even a host that needs no proxy.
"""

import importlib.util
import os
import sys
import urllib.request
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def settle() -> None:
    """Has this process and its children ask loopback directly, and do without a proxy that cannot be used.

    A proxy that is left out is named in a line on standard error.
    """
    proxies = urllib.request.getproxies_environment()
    direct = [each.strip() for each in proxies.get("no", "").split(",") if each.strip()]
    if direct != ["*"]:
        # In both spellings: libraries differ in which of them they read.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys([*direct, *LOOPBACK]))
    for scheme in ("http", "https", "all"):
        if (proxy := proxies.get(scheme)) and not _is_usable(proxy):
            for name in [name for name in os.environ if name.lower() == f"{scheme}_proxy"]:
                del os.environ[name]
            # The address may hold a password.
            sys.stderr.write(f"tuner: {scheme}_proxy is not used: it has to be http://HOST:PORT or https://HOST:PORT\n")


def _is_usable(proxy: str) -> bool:
    """Whether httpx takes it: https://www.python-httpx.org/advanced/proxies/."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") or (parts.scheme in ("socks5", "socks5h") and _has_socks())


def _has_socks() -> bool:
    return importlib.util.find_spec("socksio") is not None
