"""Checks of a request's head that httptools does not make (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import MutableSequence

import httptools

from scoring.service.problem_details import ProblemError

_UPGRADE = re.compile(rb"(?i)\r\nupgrade[ \t]*:[^\r\n]*")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(?::[0-9]*)?")


def without_upgrade(head: bytes) -> bytes:
    """A head without ``Upgrade`` headers, which a server may ignore but the parser does not.

    Examples
    --------
    >>> without_upgrade(b"GET / HTTP/1.1\\r\\nUpgrade: h2c\\r\\nHost: a\\r\\n\\r\\n")
    b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'
    """
    return _UPGRADE.sub(b"", head) if b"\nupgrade" in head.lower() else head


def check_head(
    parser: httptools.HttpRequestParser, url: bytes, headers: MutableSequence[tuple[bytes, bytes]]
) -> int | None:
    """Check a parsed head.

    Parameters
    ----------
    parser : httptools.HttpRequestParser
        The parser of the head.
    url : bytes
        Request target; the host of an absolute URL replaces the ``Host`` header.
    headers : list of (bytes, bytes)
        Lower-case names, and values; ``Host`` may be replaced in place.

    Returns
    -------
    int or None
        Size of the body in bytes; None if it is chunked.

    Raises
    ------
    ProblemError
        If the version is not HTTP/1 (505), the method or the transfer coding is not supported (501), or
        ``Host`` is missing, repeated or invalid (400).
    """
    version = parser.get_http_version()
    if version not in ("1.1", "1.0"):
        raise ProblemError(505, "request", f"got HTTP/{version}, expected HTTP/1.1")
    if parser.get_method() == b"CONNECT":
        raise ProblemError(501, "method", "got CONNECT: this service is not a proxy")
    n_body_bytes: int | None = 0
    hosts: list[int] = []
    for index, (name, value) in enumerate(headers):
        if name == b"host":
            hosts.append(index)
        elif name == b"content-length":
            n_body_bytes = int(value)
        elif name == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise ProblemError(501, "request", "transfer-encoding: expected chunked only")
            n_body_bytes = None
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise ProblemError(400, "request", f"got {len(hosts)} Host headers, expected one")
    if hosts:
        if not url.startswith(b"/") and (host := _host_of(url)):
            headers[hosts[0]] = (b"host", host)
        if not _HOST.fullmatch(headers[hosts[0]][1]):
            raise ProblemError(400, "request", "host: expected a host name, and optionally a port")
    return n_body_bytes


def _host_of(url: bytes) -> bytes:
    """Host and port of an absolute request target."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserError:
        return b""  # the target is refused later
    host: bytes = parsed.host or b""
    if b":" in host:
        host = b"[%s]" % host
    return b"%s:%d" % (host, parsed.port) if host and parsed.port else host
