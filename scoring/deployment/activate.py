"""Putting a model in charge: registered, seen to score, and only then the champion."""

from __future__ import annotations

from datetime import datetime

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.judge import Judged
from scoring.deployment.loaded_model import LoadedModel, keep_champion
from scoring.deployment.open_model import check_scoring
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError
from scoring.progress import SILENT, Reporter
from scoring.settings import Settings
from scoring.tracking import Store, register_run, set_champion


def activate(
    saved: SavedModel,
    run_id: str,
    name: str,
    judged: Judged,
    *,
    champion: str | None,
    instead_of: str | None,
    version: str | None = None,
    why: str | None = None,
    settings: Settings,
    now: datetime,
    reporter: Reporter = SILENT,
) -> str:
    """Register a run's model if need be, see that it scores, and make it the champion.

    Parameters
    ----------
    saved : SavedModel
        The model that was judged.
    run_id, name : str
        Its run, and the registered model.
    judged : Judged
        What was said of it.
    champion : str or None
        The champion that it was judged against.
    instead_of : str or None
        The version that the registry has as its champion; another one than ``champion`` where it had lost it.
    version : str, optional
        Its address, where it is registered already.
    why : str, optional
        Why it is promoted against the gate.
    settings, now
        The store, and the moment, aware UTC.
    reporter : Reporter
        Who hears of a copy that could not be kept.

    Returns
    -------
    str
        Address of the version.

    Raises
    ------
    ModelError
        If the store's copy of the model cannot be used.
    TrackingError
        If the store cannot be written, or another champion has come meanwhile.
    """
    store = Store(settings.tracking_uri, settings.home)
    training = saved.manifest.training
    version = version or register_run(
        store,
        name,
        run_id,
        description=training.config.description,
        tags={"model": saved.name, "data_sha256": training.data_sha256},
    )
    loaded = check_scores(version, settings, sha256=saved.sha256)
    set_champion(store, version, instead_of=instead_of, tags=_tags(judged, champion, why, now))
    if warning := keep_champion(settings, name, loaded):
        reporter.warn(warning)
    return version


def check_scores(version: str, settings: Settings, *, sha256: str | None = None) -> LoadedModel:
    """Load a version as the champion is loaded, and score a record with it.

    Parameters
    ----------
    version : str
        ``models:/NAME/3``.
    settings : Settings
        Where the store is.
    sha256 : str, optional
        Digest that its manifest has to have.

    Returns
    -------
    LoadedModel

    Raises
    ------
    ModelError
        If it cannot be used, or is another model.
    TrackingError
        If the store has no such version, or cannot be reached.
    """
    loaded = resolve(version, settings)
    saved = loaded.saved
    if sha256 is not None and saved.sha256 != sha256:
        raise ModelError(f"{version}: got model {saved.sha256[:8]}, expected {sha256[:8]}, which was judged")
    check_scoring(saved, version)
    return loaded


def _tags(judged: Judged, champion: str | None, why: str | None, now: datetime) -> dict[str, str]:
    """What the version's page says of the promotion; the same names each time, so that none goes stale."""
    verdict = judged.verdict
    said = "; ".join(verdict.reasons)
    is_forced = why is not None and not verdict.is_passed
    first = verdict.checks[0] if verdict.checks else None
    return {
        "promoted_at": now.isoformat(timespec="seconds"),
        "promoted_by": "force" if is_forced else "gate",
        "promoted_reason": why if is_forced and why else said,
        "promoted_against_gate": said if is_forced else "",
        "promoted_figure": first.figure if first else "",
        "promoted_gain": first.shown_gain if first and champion else "",
        "promoted_against": champion or "",
        "promoted_on_records": str(verdict.n_records or ""),
        "promoted_on_data_sha256": judged.data_sha256,
    }
