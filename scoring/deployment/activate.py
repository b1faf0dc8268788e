"""Activate a model: register it, smoke-test it, then move the `champion` alias."""

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
    """Register a run's model if needed, smoke-test it, and make it the champion.

    Parameters
    ----------
    saved : SavedModel
        The model that passed through the gate.
    run_id, name : str
        Run of the model, and name of the registered model.
    judged : Judged
        Verdict of the gate.
    champion : str or None
        Address of the champion that it was compared with.
    instead_of : str or None
        Version that the alias points to now. It differs from ``champion`` if the registry has lost its alias.
    version : str, optional
        Address of the version, if the model is registered already.
    why : str, optional
        Reason for overriding the gate.
    settings, now
        Home and store; time of the promotion, aware UTC.
    reporter : Reporter
        Receives a warning if the local copy cannot be kept.

    Returns
    -------
    str
        Address of the version.

    Raises
    ------
    ModelError
        If the registered model cannot be loaded or does not score.
    TrackingError
        If the store cannot be written, or the champion has changed in the meantime.
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
    tags = _tags(judged, champion, why, now)
    set_champion(store, version, instead_of=instead_of, tags=tags, why=_sentence(judged, tags))
    if warning := keep_champion(settings, name, loaded):
        reporter.warn(warning)
    return version


def check_scores(version: str, settings: Settings, *, sha256: str | None = None) -> LoadedModel:
    """Load a version the way the champion is loaded, and score a record with it.

    Parameters
    ----------
    version : str
        ``models:/NAME/3``.
    settings : Settings
        Home and store.
    sha256 : str, optional
        Expected hex digest of the manifest.

    Returns
    -------
    LoadedModel

    Raises
    ------
    ModelError
        If the model cannot be loaded or scored with, or has another digest.
    TrackingError
        If the store has no such version, or cannot be reached.
    """
    loaded = resolve(version, settings)
    saved = loaded.saved
    if sha256 is not None and saved.sha256 != sha256:
        raise ModelError(f"{version}: got model {saved.sha256[:8]}, expected {sha256[:8]}, the evaluated one")
    check_scoring(saved, version)
    return loaded


def _tags(judged: Judged, champion: str | None, why: str | None, now: datetime) -> dict[str, str]:
    """Tags of the promoted version. All are set every time, so that none is stale."""
    verdict = judged.verdict
    reasons = "; ".join(verdict.reasons)
    is_forced = why is not None and not verdict.is_passed
    first_check = verdict.checks[0] if verdict.checks else None
    return {
        "promoted_at": now.isoformat(timespec="seconds"),
        "promoted_by": "force" if is_forced else "gate",
        "promoted_reason": why if is_forced and why else reasons,
        "promoted_against_gate": reasons if is_forced else "",
        "promoted_figure": first_check.figure if first_check else "",
        "promoted_gain": first_check.shown_gain if first_check and champion else "",
        "promoted_against": champion or "",
        "promoted_on_records": str(verdict.n_records or ""),
        "promoted_on_data_sha256": judged.data_sha256,
    }


def _sentence(judged: Judged, tags: dict[str, str]) -> str:
    """Why the promoted version is the champion."""
    reason, refusal = tags["promoted_reason"], tags["promoted_against_gate"]
    if refusal:
        return f"{reason} (promoted against the gate: {refusal})"
    rival = tags["promoted_against"]
    if not rival:
        return reason
    return f"{reason}; compared with {rival} on {judged.verdict.n_records:,} records"
