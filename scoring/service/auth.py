"""Who may ask: tokens from a file, several at once so that one can be rotated, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import stat
from hashlib import sha256
from pathlib import Path

from scoring.errors import SettingsError

_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
MIN_CHARS = 16
"""Shortest token that is taken: a shorter one can be guessed."""


class Tokens:
    """The tokens of a file; everybody is let in where there is none.

    Parameters
    ----------
    file : Path or None
        A token a line; blank lines and lines that begin with ``#`` are left out.
    is_shared : bool
        Take a file that other users of the machine can read.

    Raises
    ------
    SettingsError
        If the file cannot be read, or by others too, holds no token, or one that can be guessed.
    """

    def __init__(self, file: Path | None, *, is_shared: bool = False) -> None:
        self._file = file
        self._is_shared = is_shared
        self._digests: tuple[bytes, ...] = ()
        self.reload()

    @property
    def is_needed(self) -> bool:
        """Whether a request needs a token."""
        return self._file is not None

    def reload(self) -> None:
        """Read the file anew; where it cannot be used, the tokens of before stay.

        Raises
        ------
        SettingsError
            As at first.
        """
        if self._file is not None:
            self._digests = tuple(map(_digest, _read(self._file, is_shared=self._is_shared)))

    def admit(self, authorization: bytes) -> bool:
        """Tell whether a request may pass.

        Parameters
        ----------
        authorization : bytes
            The header: ``Bearer TOKEN``, or ``Basic`` with the token as password, which browsers send.
        """
        if not self.is_needed:
            return True
        given = _digest(_token_of(authorization))
        # Each is compared, and digests are of one length: the time tells nothing of any token.
        return sum(hmac.compare_digest(given, one) for one in self._digests) > 0


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()


def _token_of(authorization: bytes) -> bytes:
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _read(file: Path, *, is_shared: bool) -> list[bytes]:
    try:
        # Without O_NONBLOCK a FIFO would wait for its writer for ever.
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | _NONBLOCK)) as opened:
            _check_mode(file, os.fstat(opened.fileno()).st_mode, is_shared=is_shared)
            lines = [line.strip() for line in opened.read().splitlines()]
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}, expected a file with one token a line") from None
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not tokens:
        raise SettingsError(f"{file}: contains no token, expected one a line")
    for number, line in enumerate(lines, start=1):
        if line in tokens and len(line) < MIN_CHARS:
            raise SettingsError(
                f"{file}:{number}: got a token of {len(line)} characters, expected {MIN_CHARS} or more"
            )
    return tokens


def _check_mode(file: Path, mode: int, *, is_shared: bool) -> None:
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{file}: not a regular file, expected a file with one token a line")
    if os.name == "posix" and mode & _OTHERS and not is_shared:
        raise SettingsError(
            f"{file}: got mode {stat.S_IMODE(mode):04o}, expected a file that nobody else can read: "
            "run chmod 600, or use --insecure-token-file"
        )
