"""Roll back: swap the champion and the previous champion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scoring.deployment.activate import check_scores
from scoring.deployment.loaded_model import keep_champion
from scoring.deployment.named_store import check_store
from scoring.errors import ModelError
from scoring.progress import SILENT, Reporter
from scoring.settings import Settings
from scoring.tracking import Store, champion, restore_previous


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """Addresses of the new and the previous champion; name and version of the new champion's model."""

    name: str
    champion: str
    previous: str
    model: str


def rollback(
    *,
    name: str | None = None,
    reason: str | None = None,
    settings: Settings,
    now: datetime,
    reporter: Reporter = SILENT,
) -> RollbackOutcome:
    """Make the previous champion the champion again, after a smoke test.

    Parameters
    ----------
    name : str, optional
        Registered model; the setting's if not given.
    reason : str, optional
        Reason, recorded in the tags of both versions.
    settings : Settings
        Home and store.
    now : datetime
        Current time, aware UTC.
    reporter : Reporter
        Receives a warning if the local copy cannot be kept.

    Returns
    -------
    RollbackOutcome

    Raises
    ------
    ModelError
        If there is no previous champion, or it cannot be used.
    TrackingError
        If the store does not exist or cannot be written.
    """
    check_store(settings)
    store = Store(settings.tracking_uri, settings.home)
    name = name or settings.registered_model
    current, previous = (champion(store, name, alias) for alias in ("champion", "previous"))
    if current is None:
        raise ModelError(f'{name}: no champion to roll back: run "scoring promote RUN"')
    if previous is None:
        raise ModelError(f"{name}: no previous champion to go back to")
    if current == previous:
        raise ModelError(
            f"{name}: the aliases champion and previous are both {previous}: an earlier change was "
            "interrupted; promote the intended version"
        )
    loaded = check_scores(previous, settings)
    time, reason = now.isoformat(timespec="seconds"), reason or "no reason given"
    restore_previous(
        store,
        champion=current,
        previous=previous,
        tags={"rolled_back_at": time, "rolled_back_reason": reason, "rolled_back_to": previous},
        previous_tags={"restored_at": time, "restored_reason": reason, "restored_instead_of": current},
    )
    if warning := keep_champion(settings, name, loaded):
        reporter.warn(warning)
    return RollbackOutcome(name, previous, current, loaded.saved.name)
