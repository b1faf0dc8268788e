"""Exceptions of this package; each message says what was found, where, and what was expected."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Control characters and line ends, characters that change the writing direction, and surrogates that stand
# for undecodable bytes.
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """Escape a text to one line that is safe for terminals, files and stores.

    Parameters
    ----------
    text : str
        A file name as the system gives it, or any other untrusted text.

    Examples
    --------
    >>> print(shown("rain\\n.md"), shown("caf\\udce9.md"), shown("café.md"))
    rain\\n.md caf\\xe9.md café.md
    """
    return _NOT_SHOWN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python keeps it in a name
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode()


def located(path: str, line: int) -> str:
    """Name a place in a file; line 0 is the whole file.

    Examples
    --------
    >>> located("news.csv", 17), located("a.md", 0)
    ('news.csv:17', 'a.md')
    """
    return f"{path}:{line}" if line else path


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem of one record.

    Parameters
    ----------
    path : str
        File of the record, escaped by :func:`shown`; ``-`` is standard input.
    line : int
        Line of the field in that file, from 1; 0 for a fault of the whole file.
    field : str
        Field as its path in the record (``related[3].quality``); empty for the whole record.
    got : str
        Actual value, shortened; never the text of an opaque field.
    expected : str
        Expected value.

    Examples
    --------
    >>> str(Fault("inbox/a.md", 9, "quality", "'high'", "an integer"))
    "inbox/a.md:9: quality: got 'high', expected an integer"
    """

    path: str
    line: int
    field: str
    got: str
    expected: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", shown(self.path))

    @property
    def location(self) -> str:
        """File, with the line if the fault has one."""
        return located(self.path, self.line)

    def __str__(self) -> str:
        prefix = f"{self.location}: {self.field}" if self.field else self.location
        return f"{prefix}: got {self.got}, expected {self.expected}"


@contextmanager
def naming(file: str | os.PathLike[str]) -> Iterator[None]:
    """Add the file name to system errors without one, such as those of a full disk.

    Examples
    --------
    >>> with naming("scores.csv"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'scores.csv'
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        # Not the original message, which may repeat the error number and text.
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(file)) from error


class ScoringError(Exception):
    """Base of every error that this package raises on purpose."""


class RecordError(ScoringError):
    """A record cannot be used.

    Parameters
    ----------
    *faults : Fault
        All faults of the record, in file order; at least one.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type[RecordError], tuple[Fault, ...]]:
        return RecordError, self.faults  # pickled by faults, so that another process gets them


class FeatureError(ScoringError):
    """A feature table does not have the required columns or values."""


class ModelError(ScoringError):
    """A model cannot be trained, found, loaded or used."""


class TrackingError(ScoringError):
    """The MLflow store cannot be reached, read or written."""


class SettingsError(ScoringError):
    """A setting or a configuration file has a value that cannot be used."""


class FieldMapError(SettingsError):
    """A field map cannot be used.

    Parameters
    ----------
    *faults : Fault
        All faults of the map, in file order; at least one.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type[FieldMapError], tuple[Fault, ...]]:
        return FieldMapError, self.faults


class HomeError(ScoringError):
    """The home, or a file in it, has a newer format or is damaged."""


class ServiceError(ScoringError):
    """The HTTP service has ended or could not start; the log has the reason."""
