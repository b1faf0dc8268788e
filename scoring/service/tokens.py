"""Who may ask: tokens from a file, several at once so that one can be rotated, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import sha256
from pathlib import Path

from scoring.errors import SettingsError

MIN_CHARS = 16
"""Shortest token that is taken: a shorter one can be guessed."""


class Tokens:
    """The tokens of a file; everybody is let in where there is none.

    Parameters
    ----------
    file : Path or None
        A token a line; blank lines and lines that begin with ``#`` are left out.

    Raises
    ------
    SettingsError
        If the file cannot be read, holds no token, or one that can be guessed.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
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
            self._digests = tuple(map(_digest, _read(self._file)))

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


def _read(file: Path) -> list[bytes]:
    try:
        lines = [line.strip() for line in file.read_bytes().splitlines()]
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}, expected a file with a token a line") from None
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not tokens:
        raise SettingsError(f"{file}: got no token, expected one a line")
    for number, line in enumerate(lines, start=1):
        if line in tokens and len(line) < MIN_CHARS:
            raise SettingsError(
                f"{file}:{number}: got a token of {len(line)} characters, expected {MIN_CHARS} or more"
            )
    return tokens
