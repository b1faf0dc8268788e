"""Sync: upload the runs that were kept while their store could not be used."""

from __future__ import annotations

from scoring.settings import Settings
from scoring.tracking import Store, SyncedRun, sync_runs


def sync(settings: Settings, *, is_store_named: bool = False) -> list[SyncedRun]:
    """Upload the pending runs of the home, the oldest first.

    Parameters
    ----------
    settings : Settings
        Home and store.
    is_store_named : bool
        Whether somebody named the store for this very command: then it gets also the runs that were to
        go to another one.

    Returns
    -------
    list of SyncedRun
        What became of each, in order; empty where none is pending.

    Raises
    ------
    TrackingError
        If there are some and the store cannot be reached or written.
    """
    return sync_runs(Store(settings.tracking_uri, settings.home), is_any=is_store_named)
