"""Promote: a model past the gate into the place of the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.activate import activate
from scoring.deployment.candidates import Reference, split_arguments
from scoring.deployment.gate import GateConfig, Verdict, refuse
from scoring.deployment.judge import Judged, judge_alone, judge_logged, judge_on
from scoring.deployment.loaded_model import SHIPPED
from scoring.deployment.open_model import open_model
from scoring.deployment.standing_champion import StandingChampion, find_standing_champion
from scoring.errors import ModelError, ScoringError
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.settings import Settings, default_model_folder
from scoring.tracking import Store, champion, find_model_run, log_model_folder, read_run
from scoring.training.dataset import LabelledDataset, read_dataset


@dataclass(frozen=True, slots=True)
class PromoteOutcome:
    """What the gate said, and what came of it.

    Parameters
    ----------
    name : str
        The registered model.
    model : str
        Name and version of the challenger, as it stands in its scores; empty where none was trained.
    run_id : str or None
        Its run; None where it has none yet.
    version : str or None
        Its address, ``models:/NAME/3``; None where it is not registered.
    champion : str or None
        Address of the champion that it was judged against; None where there was none.
    is_promoted : bool
        Whether it is in charge now, or would be, were it not a dry run.
    is_dry_run : bool
        Whether nothing was changed.
    by : str
        ``gate`` or, where it was promoted against the gate, ``force``.
    verdict : Verdict
        What the gate said.
    data_sha256 : str
        Hex digest of the records that it is of.
    """

    name: str
    model: str
    run_id: str | None
    version: str | None
    champion: str | None
    is_promoted: bool
    is_dry_run: bool
    by: str
    verdict: Verdict
    data_sha256: str


def promote(
    spec: str,
    *,
    on: Sequence[str] = (),
    name: str | None = None,
    gate: GateConfig | None = None,
    reason: str | None = None,
    is_dry_run: bool = False,
    has_own_scores: bool = False,
    settings: Settings,
    now: datetime,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> PromoteOutcome:
    """Judge a model against the champion and, if it passes, put it in charge.

    Parameters
    ----------
    spec : str
        The challenger: ``models:/NAME/VERSION``, ``runs:/ID``, a run's id, a model's folder, or ``shipped``.
    on : sequence of str
        Labelled records to judge on, as :func:`scoring.records.corpus.read_documents` takes them; without
        any, what the runs of both held back before their last fit.
    name : str, optional
        Registered model; the setting's if not given.
    gate : GateConfig, optional
        What is asked for.
    reason : str, optional
        Promote whatever the gate says, for this reason.
    is_dry_run : bool
        Change nothing.
    has_own_scores : bool
        Whether labels that scoring has written are judged on like any other.
    settings : Settings
        Store, home, experiment, seed and threads.
    now : datetime
        The moment of promotion, aware UTC.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    PromoteOutcome

    Raises
    ------
    ModelError
        If the model cannot be used, or is the champion itself.
    TrackingError
        If the store has no such model, or another champion has come meanwhile.
    """
    store = Store(settings.tracking_uri, settings.home)
    name, gate = name or settings.registered_model, gate or GateConfig()
    spec = str(default_model_folder()) if spec == SHIPPED else spec
    challenger, saved = _open(spec, store, settings)
    standing = find_standing_champion(store, name, settings, reporter)
    version = _version_of(challenger, name)
    if standing is not None and version is not None and version == standing.registered:
        raise ModelError(f"{spec}: got the champion itself ({version}), expected another model")
    if standing is not None and standing.sha256 == saved.sha256:
        reporter.note(f"{spec} is the last known champion itself: its alias is restored")
        standing = None
    try:
        corpus = None
        if on:
            own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
            corpus = read_dataset(
                on, stdin=stdin, on_fault=on_fault, reporter=reporter, own_scores=own_scores
            )
        judged = _judge(challenger, saved, standing, corpus, gate, settings, reporter)
    except ScoringError as error:
        if reason is None:
            raise
        judged = Judged(refuse(f"it could not be judged: {error}", gate))
    is_promoted = judged.verdict.is_passed or reason is not None
    run_id = challenger.run.summary.run_id if challenger.run else None
    if is_promoted and not is_dry_run:
        run_id = run_id or _log_folder(Path(spec), saved, store, settings, now)
        version = activate(
            saved,
            run_id,
            name,
            judged,
            champion=standing.address if standing else None,
            instead_of=standing.registered if standing else None,
            version=version,
            why=reason,
            settings=settings,
            now=now,
            reporter=reporter,
        )
    return PromoteOutcome(
        name=name,
        model=saved.name,
        run_id=run_id,
        version=version,
        champion=standing.address if standing else None,
        is_promoted=is_promoted,
        is_dry_run=is_dry_run,
        by="gate" if judged.verdict.is_passed or reason is None else "force",
        verdict=judged.verdict,
        data_sha256=judged.data_sha256,
    )


def _open(spec: str, store: Store, settings: Settings) -> tuple[Reference, SavedModel]:
    """The challenger with its run and its model; a folder's run is the one that has logged the very model."""
    if spec.startswith("models:/") and "@" in spec:
        name, _, alias = spec.removeprefix("models:/").partition("@")
        spec = champion(store, name, alias) or spec
    named, _ = split_arguments([spec], store)
    if not named:
        raise ModelError(f"model: got {spec!r}, expected a folder, a run, or models:/NAME/VERSION")
    (one,) = named
    saved = open_model(one.spec, settings)
    if one.run is None and (run_id := find_model_run(store, saved.name)) is not None:
        return Reference(spec, read_run(store, run_id)), saved
    return one, saved


def _version_of(challenger: Reference, name: str) -> str | None:
    """Address of the challenger as a version of a registered model; None where it is none yet."""
    versions = challenger.run.summary.versions if challenger.run else ()
    numbers = [one.number for one in versions if one.name == name]
    addresses = [f"models:/{name}/{number}" for number in sorted(numbers, reverse=True)]
    return challenger.spec if challenger.spec in addresses else next(iter(addresses), None)


def _judge(
    challenger: Reference,
    saved: SavedModel,
    standing: StandingChampion | None,
    corpus: LabelledDataset | None,
    gate: GateConfig,
    settings: Settings,
    reporter: Reporter,
) -> Judged:
    if corpus is not None:
        other = standing.load(settings, reporter).saved if standing else None
        return judge_on(corpus, other, saved, gate, settings=settings, reporter=reporter)
    if standing is None:
        return judge_alone(saved, gate)
    store = Store(settings.tracking_uri, settings.home)
    (one,), _ = split_arguments([standing.address], store)
    return judge_logged(one, challenger, gate, store=store, seed=settings.seed, reporter=reporter)


def _log_folder(folder: Path, saved: SavedModel, store: Store, settings: Settings, now: datetime) -> str:
    """Bring a model that no run has logged into the store; the run is told from a training by its kind."""
    training = saved.manifest.training
    return log_model_folder(
        store,
        folder,
        experiment=settings.experiment,
        model=saved.name,
        config=msgspec.to_builtins(training.config),
        figures=training.metrics,
        baselines=training.baselines,
        data_sha256=training.data_sha256,
        n_records=training.n_records,
        started_at=now,
    )
