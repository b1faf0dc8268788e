"""Standard streams of the process: closed, full, or of an encoding that lacks some characters."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

_ESCAPES = "scoring.escapes"
# What stands for a descriptor that was closed: reading from the first and writing to the second is an error,
# as it was, and no file that is opened later gets their numbers. Messages to the third are lost.
_MODES = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}


def prepare() -> None:
    """Make sure that there are three streams, and that every text can be printed to two of them."""
    for descriptor, mode in _MODES.items():
        try:
            os.fstat(descriptor)
        except OSError:
            _open_nothing(descriptor, mode)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- for as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
    codecs.register_error(_ESCAPES, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)


def silence(stream: object) -> None:
    """Send what is left in a stream, and what may come, nowhere: it cannot be written where it was to go."""
    # In tests streams have no descriptor.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        _open_nothing(stream.fileno(), os.O_WRONLY)  # type: ignore[attr-defined]


def flush_messages() -> None:
    """See that the end of the process does not fail at what standard error did not take."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def _open_nothing(descriptor: int, mode: int) -> None:
    nothing = os.open(os.devnull, mode)
    if nothing != descriptor:
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Characters that an encoding lacks as ``\uXXXX``, which a JSON text may hold as well."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
