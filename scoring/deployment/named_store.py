"""Check that a named or previously used store exists: read-only commands never create one."""

from __future__ import annotations

from scoring.credentials import mask_credentials
from scoring.errors import TrackingError
from scoring.settings import Settings, sqlite_file
from scoring.tracking import Store


def check_named_store(settings: Settings) -> None:
    """Check that the store exists, if it was named explicitly.

    Raises
    ------
    TrackingError
        If the store is a database file that does not exist.
    """
    if settings.is_store_named and (missing := missing_store(settings)):
        raise TrackingError(f"{missing}: check the setting tracking_uri")


def check_store(settings: Settings) -> None:
    """Check that the store exists, if it was named explicitly or the home has files of its runs.

    Raises
    ------
    TrackingError
        If the store is a database file that does not exist.
    """
    check_named_store(settings)
    if lost := Store(settings.tracking_uri, settings.home).lost:
        raise TrackingError(lost)


def missing_store(settings: Settings) -> str | None:
    """Message that the store's file does not exist; None if it exists or the store is not a file."""
    database = sqlite_file(settings.tracking_uri)
    if database is None or database.exists():
        return None
    origin = f" ({settings.store_origin})" if settings.is_store_named else ""
    return f"no store at {mask_credentials(settings.tracking_uri)}{origin}"
