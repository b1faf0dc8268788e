"""The one tree of errors: each message names what was found, where, and what was expected."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# What a terminal obeys or a line ends at, what turns the direction of writing, and the halves of characters
# that stand for bytes which are no text.
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """Text as one line that any terminal, file and store takes; what it cannot bear is spelled out.

    Parameters
    ----------
    text : str
        A file's name as the system gives it, or anything else that others have written.

    Examples
    --------
    >>> print(shown("rain\\n.md"), shown("caf\\udce9.md"), shown("café.md"))
    rain\\n.md caf\\xe9.md café.md
    """
    return _NOT_SHOWN.sub(_spell_out, text)


def _spell_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python keeps it in a name
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one record.

    Parameters
    ----------
    path : str
        File that the record came from, as :func:`shown` spells it; ``-`` is standard input.
    line : int
        Line of the field in that file, from 1; 0 where the fault is of the whole file.
    field : str
        Field as its path in the record (``related[3].quality``); empty for the whole record.
    got : str
        What was found, shortened; never the text of an opaque field.
    expected : str
        What would have been right.

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

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        what = f"{place}: {self.field}" if self.field else place
        return f"{what}: got {self.got}, expected {self.expected}"


@contextmanager
def naming(file: str | os.PathLike[str]) -> Iterator[None]:
    """Let an error of the system name a file where it names none: a full disk does not tell what was written.

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
        # Not the library's own words: some repeat the number and the text of the system's error in theirs.
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(file)) from error


class ScoringError(Exception):
    """Base of every error that this package raises on purpose."""


class RecordError(ScoringError):
    """A record, or what should be one, cannot be used.

    Parameters
    ----------
    *faults : Fault
        Everything that is wrong with it, in the order of the file; at least one.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type[RecordError], tuple[Fault, ...]]:
        return RecordError, self.faults  # not the message, so that another process gets the faults


class FeatureError(ScoringError):
    """A feature table does not have the columns or values that its reader needs."""


class ModelError(ScoringError):
    """A model cannot be trained, found, loaded or used."""


class TrackingError(ScoringError):
    """The MLflow store cannot be reached, read or written."""


class SettingsError(ScoringError):
    """A setting or a configuration file has a value that cannot be used."""


class HomeError(ScoringError):
    """The home, or a file in it, is of a newer format or damaged."""


class ServiceError(ScoringError):
    """The HTTP service has ended, or could not start, for a reason that the log tells."""
