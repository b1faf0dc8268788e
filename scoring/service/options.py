"""Start options of a service, and limits that protect it from single requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scoring.errors import SettingsError
from scoring.records.limits import RecordLimits
from scoring.settings import Settings

MAX_LIMIT = 10_000_000_000
"""Exclusive maximum of every limit."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of a request, and of all requests in progress.

    Parameters
    ----------
    body_bytes : int
        Maximum size of a body; bytes.
    record_bytes : int
        Maximum size of one record; bytes.
    records : int
        Maximum number of records of a request.
    explained : int
        Maximum number of records of a request with reasons, which cost far more than scores.
    coverage : int
        Maximum number of related records of a record.
    topics : int
        Maximum number of topics of a record; each is searched for in the title.
    body_seconds : float
        Maximum time for a body to arrive; seconds.
    head_bytes : int
        Maximum size of a request's head, and of the trailers of a chunked body; bytes.
    head_lines : int
        Maximum number of lines of a head, including the request line, and of trailers.
    head_seconds : float
        Maximum time for a head, or trailers, to arrive; seconds.
    requests : int
        Maximum number of scoring requests in progress; further ones are answered 503.
    waiting_bytes : int
        Maximum total size of their bodies; bytes.
    stop_seconds : float
        Maximum time to complete accepted requests at a stop; seconds.
    """

    body_bytes: int = 64_000_000
    record_bytes: int = 1_000_000
    records: int = 1000
    explained: int = 50
    coverage: int = 500
    topics: int = 100
    body_seconds: float = 20.0
    head_bytes: int = 65_536
    head_lines: int = 100
    head_seconds: float = 10.0
    requests: int = 128
    waiting_bytes: int = 256_000_000
    stop_seconds: float = 30.0

    @property
    def of_record(self) -> RecordLimits:
        """Limits of a single record, from any source."""
        return RecordLimits(self.record_bytes, self.coverage, self.topics)


def read_limits(given: Iterable[str]) -> RequestLimits:
    """Parse limits; those not given have their defaults.

    Parameters
    ----------
    given : iterable of str
        ``NAME=NUMBER`` each, with names of :class:`RequestLimits`; of repeated names the last counts.

    Raises
    ------
    SettingsError
        If a name is unknown, or a number is invalid or out of range.

    Examples
    --------
    >>> read_limits(["records=5000", "body_seconds=7.5"]).records
    5000
    """
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(RequestLimits()).items()}
    values: dict[str, Any] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise SettingsError(f"--limit: got {text!r}, expected NAME=NUMBER with one of {', '.join(kinds)}")
        try:
            values[name] = kinds[name](number)
        except ValueError:
            values[name] = None
        if not (values[name] and 0 < values[name] < MAX_LIMIT):
            kind = "an integer" if kinds[name] is int else "a number"
            raise SettingsError(
                f"--limit: {name}: got {number!r}, expected {kind} above 0 and below {MAX_LIMIT:,}"
            )
    return RequestLimits(**values)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Start options of a service.

    Parameters
    ----------
    settings : Settings
        Home, store and journal.
    model : str or None
        Model address, followed if it is an alias: see :func:`scoring.deployment.resolve_model.resolve`.
    inbox : Path or None
        Folder of records that the desk shows.
    archive : tuple of str
        Labelled records that a training from the desk uses: paths as ``scoring train`` takes them.
    token_file : Path or None
        File with one token per line; without it no token is needed.
    is_token_file_shared : bool
        Whether other users of the machine may be able to read it.
    hosts : tuple of str
        Allowed host names; empty for any. Without a token, this keeps pages of other sites from reaching
        the service by DNS rebinding.
    origins : tuple of str
        Origins whose pages may send requests from a browser (CORS).
    has_images : bool
        Whether the desk's preview loads the images of records from their addresses.
    follow_seconds : float
        Interval between checks for a new model; seconds.
    limits : RequestLimits
        Limits of a request.
    """

    settings: Settings
    model: str | None = None
    inbox: Path | None = None
    archive: tuple[str, ...] = ()
    token_file: Path | None = None
    is_token_file_shared: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    has_images: bool = False
    follow_seconds: float = 2.0
    limits: RequestLimits = field(default_factory=RequestLimits)
