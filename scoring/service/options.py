"""What a service is started with, and the limits that keep any one request from hurting the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scoring.errors import SettingsError
from scoring.records.limits import RecordLimits
from scoring.settings import Settings

MAX_LIMIT = 10_000_000_000
"""What no bound reaches."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a request may ask for, and how much is taken on at once.

    Parameters
    ----------
    body_bytes : int
        Size of a body; bytes.
    record_bytes : int
        Size of one record in it; bytes.
    records : int
        Records of a request.
    explained : int
        Records of a request that asks for reasons, which cost far more than scores.
    coverage : int
        Related records of a record.
    topics : int
        Topics of a record: each is looked for in the title.
    body_seconds : float
        Time in which a body has to arrive; seconds.
    head_bytes : int
        Size of a request's head, and of the trailers of a chunked body; bytes.
    head_lines : int
        Lines of a request's head, the first one included, and of trailers.
    head_seconds : float
        Time in which a request's head has to arrive, and trailers; seconds.
    requests : int
        Requests to score that are in hand at once; one more is answered 503.
    waiting_bytes : int
        Size of all their bodies together; bytes.
    stop_seconds : float
        Time that a stop gives to what was accepted; seconds.
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
        """Those of a single record, whichever way it comes in."""
        return RecordLimits(self.record_bytes, self.coverage, self.topics)


def read_limits(given: Iterable[str]) -> RequestLimits:
    """Bounds of which some are given as text.

    Parameters
    ----------
    given : iterable of str
        ``NAME=NUMBER`` each, by the names of :class:`RequestLimits`; of several for one name the last counts.

    Raises
    ------
    SettingsError
        If there is no such bound, or its number is none or not above 0.

    Examples
    --------
    >>> read_limits(["records=5000", "body_seconds=7.5"]).records
    5000
    """
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(RequestLimits()).items()}
    found: dict[str, Any] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in kinds:
            raise SettingsError(f"--limit: got {text!r}, expected NAME=NUMBER with one of {', '.join(kinds)}")
        try:
            found[name] = kinds[name](number)
        except ValueError:
            found[name] = None
        if not (found[name] and 0 < found[name] < MAX_LIMIT):
            kind = "an integer" if kinds[name] is int else "a number"
            raise SettingsError(
                f"--limit: {name}: got {number!r}, expected {kind} above 0 and below {MAX_LIMIT:,}"
            )
    return RequestLimits(**found)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a service is started with.

    Parameters
    ----------
    settings : Settings
        Where the store is.
    model : str or None
        See :func:`scoring.deployment.resolve_model.resolve`; followed where it moves.
    inbox : Path or None
        Folder whose records the page shows.
    token_file : Path or None
        File with a token a line; without it everybody may ask.
    is_token_file_shared : bool
        Whether other users of the machine may read it.
    hosts : tuple of str
        Names under which the service may be addressed; empty for any. Where there is no token, this keeps
        a page of another site from reaching it under a name of its own.
    origins : tuple of str
        Origins whose pages may ask from a browser (CORS); no other page may.
    follow_seconds : float
        How often to look whether the model has moved; seconds.
    limits : RequestLimits
        What a request may ask for.
    """

    settings: Settings
    model: str | None = None
    inbox: Path | None = None
    token_file: Path | None = None
    is_token_file_shared: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    follow_seconds: float = 2.0
    limits: RequestLimits = field(default_factory=RequestLimits)
