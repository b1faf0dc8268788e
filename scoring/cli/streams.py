"""Standard streams that are closed, full, or have an encoding without some characters."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

_ESCAPES = "scoring.escapes"
# Modes of the null device that replaces a closed descriptor: reading stdin and writing stdout still fail, and
# no file opened later gets their numbers. Messages to a closed stderr are lost.
_MODES = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}


def prepare() -> None:
    """Ensure that all three streams exist, and that stdout and stderr accept every character."""
    for descriptor, mode in _MODES.items():
        try:
            os.fstat(descriptor)
        except OSError:
            _open_null(descriptor, mode)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- open until the process ends
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
    codecs.register_error(_ESCAPES, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)


def silence(stream: object) -> None:
    """Redirect a stream that cannot be written, with its buffered text, to the null device."""
    # In tests, streams have no descriptor.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        _open_null(stream.fileno(), os.O_WRONLY)  # type: ignore[attr-defined]


def flush_messages() -> None:
    """Flush stderr, so that the end of the process does not fail on it."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def _open_null(descriptor: int, mode: int) -> None:
    null = os.open(os.devnull, mode)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Codec error handler: unencodable characters become ``\uXXXX``, which JSON accepts too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[index : index + 2].hex() for index in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
