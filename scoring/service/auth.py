"""Authentication by tokens from a file: several at once for rotation, compared in constant time."""

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
"""Minimum length of a token: a shorter one can be guessed."""


class Tokens:
    """Tokens from a file; without a file every request is admitted.

    Parameters
    ----------
    file : Path or None
        One token per line; blank lines and lines that begin with ``#`` are ignored.
    is_shared : bool
        Accept a file that other users of the machine can read.

    Raises
    ------
    SettingsError
        If the file cannot be read, other users can read it, or it has no token or a token that is too short.
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
        """Read the file again; if it cannot be used, the current tokens stay.

        Raises
        ------
        SettingsError
            As the constructor.
        """
        if self._file is not None:
            self._digests = tuple(map(_digest, _read(self._file, is_shared=self._is_shared)))

    def admit(self, authorization: bytes) -> bool:
        """Whether a request has a valid token, if one is needed.

        Parameters
        ----------
        authorization : bytes
            The header: ``Bearer TOKEN``, or ``Basic`` with the token as the password, which browsers send.
        """
        if not self.is_needed:
            return True
        given = _digest(_token_of(authorization))
        # All are compared, and digests have one length: the time reveals nothing about a token.
        return sum(hmac.compare_digest(given, digest) for digest in self._digests) > 0


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()


def _token_of(authorization: bytes) -> bytes:
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _read(file: Path, *, is_shared: bool) -> list[bytes]:
    try:
        # Without O_NONBLOCK, opening a FIFO would block until it has a writer.
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | _NONBLOCK)) as opened:
            _check_mode(file, os.fstat(opened.fileno()).st_mode, is_shared=is_shared)
            lines = [line.strip() for line in opened.read().splitlines()]
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}, expected a file with one token per line") from None
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not tokens:
        raise SettingsError(f"{file}: contains no token, expected one per line")
    for number, line in enumerate(lines, start=1):
        if line in tokens and len(line) < MIN_CHARS:
            raise SettingsError(
                f"{file}:{number}: got a token of {len(line)} characters, expected {MIN_CHARS} or more"
            )
    return tokens


def _check_mode(file: Path, mode: int, *, is_shared: bool) -> None:
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{file}: not a regular file, expected a file with one token per line")
    if os.name == "posix" and mode & _OTHERS and not is_shared:
        raise SettingsError(
            f"{file}: got mode {stat.S_IMODE(mode):04o}, expected a file that nobody else can read: "
            "run chmod 600, or use --insecure-token-file"
        )
