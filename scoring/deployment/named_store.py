"""A store that was named, or lost, has to be there: no command that only reads makes one."""

from __future__ import annotations

from scoring.errors import TrackingError
from scoring.settings import Settings, mask_credentials, sqlite_file
from scoring.tracking import Store


def check_named_store(settings: Settings) -> None:
    """See that the store is there, if somebody named it.

    Raises
    ------
    TrackingError
        If it is the file of a database that does not exist.
    """
    if settings.is_store_named and (missing := missing_store(settings)):
        raise TrackingError(f"{missing}: check the setting tracking_uri")


def check_store(settings: Settings) -> None:
    """See that the store is there, if somebody named it or the home has files of its runs.

    Raises
    ------
    TrackingError
        If it is the file of a database that does not exist.
    """
    check_named_store(settings)
    if lost := Store(settings.tracking_uri, settings.home).lost:
        raise TrackingError(lost)


def missing_store(settings: Settings) -> str | None:
    """That the store's file does not exist, and who named it; None where it does, or the store is no file."""
    database = sqlite_file(settings.tracking_uri)
    if database is None or database.exists():
        return None
    origin = f" ({settings.store_origin})" if settings.is_store_named else ""
    return f"no store at {mask_credentials(settings.tracking_uri)}{origin}"
