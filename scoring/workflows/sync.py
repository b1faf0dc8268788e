"""Sync: upload the runs that were kept locally while their store was unavailable."""

from __future__ import annotations

from scoring.settings import Settings
from scoring.tracking import Store, SyncedRun, sync_runs


def sync(settings: Settings, *, is_store_named: bool = False) -> list[SyncedRun]:
    """Upload the pending runs of the home, oldest first.

    Parameters
    ----------
    settings : Settings
        Home and store.
    is_store_named : bool
        Whether the store was named for this command: then runs for other stores are uploaded to it, too.

    Returns
    -------
    list of SyncedRun
        Result for each run, in order; empty if none is pending.

    Raises
    ------
    TrackingError
        If runs are pending and the store cannot be reached or written.
    """
    return sync_runs(Store(settings.tracking_uri, settings.home), is_any=is_store_named)
