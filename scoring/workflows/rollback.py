"""Roll back: the champion and the one before it change places."""

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
    """Who is in charge now, and who was: addresses, and name and version of the model that scores."""

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
    """Put the champion before back in charge, after it was seen to score.

    Parameters
    ----------
    name : str, optional
        Registered model; the setting's if not given.
    reason : str, optional
        The reason, for the versions' pages.
    settings : Settings
        Where the store is.
    now : datetime
        The moment, aware UTC.
    reporter : Reporter
        Who hears of a copy that could not be kept.

    Returns
    -------
    RollbackOutcome

    Raises
    ------
    ModelError
        If there is none to go back to, or it cannot be used.
    TrackingError
        If the store is not there or cannot be written.
    """
    check_store(settings)
    store = Store(settings.tracking_uri, settings.home)
    name = name or settings.registered_model
    current, before = (champion(store, name, alias) for alias in ("champion", "previous"))
    if current is None:
        raise ModelError(f"{name}: champion: got none, expected one to roll back")
    if before is None:
        raise ModelError(f"{name}: previous: got none, expected a version to go back to")
    if current == before:
        raise ModelError(
            f"{name}: previous: got {before}, which is the champion itself, expected another version: "
            "an earlier change was interrupted; promote the intended version"
        )
    loaded = check_scores(before, settings)
    moment, reason = now.isoformat(timespec="seconds"), reason or "no reason given"
    restore_previous(
        store,
        champion=current,
        previous=before,
        tags={"rolled_back_at": moment, "rolled_back_reason": reason, "rolled_back_to": before},
        previous_tags={"restored_at": moment, "restored_reason": reason, "restored_instead_of": current},
    )
    if warning := keep_champion(settings, name, loaded):
        reporter.warn(warning)
    return RollbackOutcome(name, before, current, loaded.saved.name)
