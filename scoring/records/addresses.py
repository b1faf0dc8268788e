"""Parts of addresses (URLs)."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_of(address: str) -> str:
    """Return the host of an address, without ``www.``; empty if it has none.

    Examples
    --------
    >>> host_of("https://www.gulls.example/rain"), host_of("rain")
    ('gulls.example', '')
    """
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.") if "." in host else ""
