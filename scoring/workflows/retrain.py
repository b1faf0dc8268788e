"""Retrain: train on a grown archive, compare with the champion on new records, promote if the gate passes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.activate import activate
from scoring.deployment.gate import GateConfig, judge_first, refuse, too_few
from scoring.deployment.judge import Judged, is_later, section_ends
from scoring.deployment.open_model import open_model
from scoring.deployment.paired_bootstrap import compare_paired
from scoring.deployment.standing_champion import StandingChampion, find_standing_champion
from scoring.errors import ModelError, TrackingError
from scoring.evaluation.evaluate import prediction_columns
from scoring.extras import require
from scoring.progress import SILENT, Reporter
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.home import prepare_home
from scoring.storage.lock import only_one
from scoring.tracking import Store, champion, logs_one_run, read_run, run_of_version, tag_run
from scoring.training.config import SplitConfig, TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.training.splits import as_datetime, test_mask
from scoring.workflows.challenger_page import write_page
from scoring.workflows.promote import PromoteOutcome
from scoring.workflows.recorded_verdict import keep_verdict
from scoring.workflows.run_ledger import ledger_of
from scoring.workflows.train import log_fitted
from scoring.workflows.training_pipeline import TrainingResult, as_of_training, fit_and_save, read_training

_NEVER = np.datetime64("9999-01-01", "us")


@dataclass(frozen=True, slots=True)
class _Job:
    """Arguments of one retraining."""

    paths: Sequence[str]
    name: str
    gate: GateConfig
    is_judged_only: bool
    page: Path | None
    settings: Settings
    now: datetime
    reporter: Reporter


@logs_one_run
def retrain(
    paths: Sequence[str],
    *,
    config: TrainConfig | None = None,
    corrections: Path | None = None,
    name: str | None = None,
    gate: GateConfig | None = None,
    is_judged_only: bool = False,
    against: str | None = None,
    page: Path | None = None,
    wait_minutes: float = 0.0,
    has_own_scores: bool = False,
    settings: Settings,
    now: datetime,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> PromoteOutcome:
    """Train on all records, evaluate the same configuration on the newest ones, promote it if it passes.

    The test records are later than the champion's training records, and held out from the evaluated fit.
    If the process is interrupted, either the old or the complete new model is the champion.

    Parameters
    ----------
    paths : sequence of str
        The archive: see :func:`scoring.records.corpus.read_documents`.
    config : TrainConfig, optional
        Split and fit options. Default: the champion's, else the package's defaults.
    corrections : Path, optional
        Ledger of corrections (:mod:`scoring.records.ledger`), which replace labels. Default: the champion's
        ledger, if it had one.
    name : str, optional
        Registered model; the setting's if not given.
    gate : GateConfig, optional
        Rule of the gate.
    is_judged_only : bool
        Whether to leave the champion in place even if the gate passes; :func:`promote` then takes the verdict
        over, as long as the champion is the same.
    against : str, optional
        Model to compare with instead of the champion: see :func:`scoring.deployment.resolve_model.resolve`.
        Only with ``is_judged_only``.
    page : Path, optional
        HTML file for the comparison with the champion; not written if there is none, or no model was trained.
    wait_minutes : float
        Maximum time to wait for another retraining in this home; minutes, >= 0.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    settings : Settings
        Home, store, journal, experiment, seed and number of threads.
    now : datetime
        Current time, aware UTC.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    PromoteOutcome
        Without a model if there were too few new records to evaluate on: then none was trained.

    Raises
    ------
    ScoringError
        If another retraining is running.
    RecordError
        If a path has no records, or the ledger cannot be used.
    ModelError
        If there are too few records to train on, or a model cannot be used.
    TrackingError
        If the store cannot be read or written, or the champion has changed in the meantime.
    """
    require("train")
    if against is not None and not is_judged_only:
        raise ModelError(
            f"against: got {against!r} for a retraining that promotes, expected one that does not"
        )
    name = name or settings.registered_model
    prepare_home(settings.home)

    def on_wait(holder: str) -> None:
        reporter.note(f"waiting up to {wait_minutes:g} minutes for the retraining of {holder}")

    with only_one(settings.home, "retrain", now=now, wait_minutes=wait_minutes, on_wait=on_wait):
        store = Store(settings.tracking_uri, settings.home)
        if against is not None:
            current: SavedModel | None = open_model(against, settings, reporter)
            standing: StandingChampion | None = StandingChampion(name, against, None)
        else:
            standing = find_standing_champion(store, name, settings, reporter)
            current = standing.load(settings, reporter).saved if standing else None
        if config is None:
            config = _without_fixed_as_of(current.manifest.training.config) if current else TrainConfig()
        if corrections is None and standing and against is None:
            corrections = _corrections_of(standing, store, reporter)
        corpus = read_training(
            paths,
            config,
            settings=settings,
            corrections=corrections,
            has_own_scores=has_own_scores,
            stdin=stdin,
            on_fault=on_fault,
            reporter=reporter,
        )
        job = _Job(paths, name, gate or GateConfig(), is_judged_only, page, settings, now, reporter)
        if standing is None or current is None:
            return _train_first(job, corpus, config)
        return _train_next(job, corpus, config, standing, current)


def _without_fixed_as_of(config: TrainConfig) -> TrainConfig:
    """The configuration without a fixed ``as_of`` time, which would exclude the new records."""
    is_moment = isinstance(as_of_training(config), datetime)
    return msgspec.structs.replace(config, as_of="") if is_moment else config


def _corrections_of(standing: StandingChampion, store: Store, reporter: Reporter) -> Path | None:
    """Ledger of the champion's training; None if it had none."""
    try:
        return ledger_of(read_run(store, run_of_version(store, standing.address)), store, reporter)
    except TrackingError as error:
        if standing.registered is not None:
            raise
        reporter.warn(f"{error}; if the last known champion had a ledger, name it with --corrections")
        return None


def _train_first(job: _Job, corpus: LabelledDataset, config: TrainConfig) -> PromoteOutcome:
    """Train without a champion: the model is compared with its baselines."""
    fitted, run_id = _train(job, corpus, config)
    evaluation = fitted.evaluation
    metrics = {name: metric.value for name, metric in evaluation.figures.items()}
    gate = job.gate.of_models(fitted.saved.manifest.targets)
    verdict = judge_first(metrics, evaluation.baselines, gate, n_records=evaluation.n_records)
    judged = Judged(verdict, corpus.data_sha256)
    return _conclude(job, judged, fitted.saved, run_id, None, corpus.n_corrections)


def _train_next(
    job: _Job, corpus: LabelledDataset, config: TrainConfig, standing: StandingChampion, current: SavedModel
) -> PromoteOutcome:
    """Train, and compare with the champion on a block that it has not seen, if that is large enough."""
    ends_at = section_ends(corpus, current)
    split = split_after(corpus, config.split, ends_at)
    block = corpus.take(test_mask(corpus.moments, corpus.sections, split))
    new_records = corpus.take(is_later(corpus, current))
    since = f"{max(current.manifest.training.section_ends_at.values()):%Y-%m-%d}"
    if lacking := too_few(len(new_records.documents), new_records.n_days, job.gate):
        return _unchanged(job, f"no new data to evaluate on since {since}: {lacking}", standing)
    if lacking := too_few(len(block.documents), block.n_days, job.gate):
        reason = f"too few new records since {since} are in the test block: {lacking}"
        return _unchanged(job, reason, standing)
    fitted, run_id = _train(job, corpus, msgspec.structs.replace(config, split=split))
    job.reporter.step("judging", 0, 1)
    all_records = np.ones(len(block.documents), dtype=bool)
    seen = block.under(current.scorer.sections).as_seen(all_records, as_of_training(config))
    champion_predictions = prediction_columns(
        current.scorer,
        replace(seen, sections=block.sections),
        [document.name for document in block.documents],
        num_threads=job.settings.threads,
    )
    verdict = compare_paired(
        champion_predictions, fitted.evaluation.predictions, job.gate, seed=job.settings.seed
    )
    job.reporter.step("judging", 1, 1)
    if job.page is not None:
        write_page(
            job.page,
            (current, champion_predictions),
            (fitted.saved, fitted.evaluation.predictions),
            verdict,
            run_id=run_id,
            seed=job.settings.seed,
            reporter=job.reporter,
        )
    judged = Judged(verdict, block.data_sha256)
    return _conclude(job, judged, fitted.saved, run_id, standing, corpus.n_corrections, current.sha256)


def split_after(corpus: LabelledDataset, split: SplitConfig, ends_at: Mapping[str, datetime]) -> SplitConfig:
    """Move a split so that its test block has only records later than a training's.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    split : SplitConfig
        The original split. A cutoff date within the training data is dropped; the ratio then applies.
    ends_at : mapping of str to datetime
        By section, the end of the training data.

    Returns
    -------
    SplitConfig
        By section, the later of the original cutoff and the end of the training data.
    """
    known = {name: end for name, end in ends_at.items() if name in set(corpus.sections)}
    own = {
        name: begins_at
        for name, begins_at in split.test_from.items()
        if name not in known or begins_at > known[name]
    }
    mask = test_mask(corpus.moments, corpus.sections, msgspec.structs.replace(split, test_from=own))
    sections = np.asarray(corpus.sections, dtype=object)
    test_from = dict(own)
    for name, end in known.items():
        begins = as_datetime(corpus.moments[mask & (sections == name)].min(initial=_NEVER))
        if begins is not None and begins <= end:
            test_from[name] = end + timedelta(microseconds=1)
    return msgspec.structs.replace(split, test_from=dict(sorted(test_from.items())))


def _train(job: _Job, corpus: LabelledDataset, config: TrainConfig) -> tuple[TrainingResult, str]:
    """Fit and log; the local model folder is removed, since the store has a copy."""
    scratch = job.settings.home / "retrain"
    shutil.rmtree(scratch, ignore_errors=True)  # left over from a killed process
    try:
        folder = scratch / config.name
        fitted = fit_and_save(corpus, folder, config, job.settings, job.reporter)
        job.reporter.step("logging", 0, 1)
        logged = log_fitted(fitted, folder, job.paths, settings=job.settings, now=job.now)
        job.reporter.step("logging", 1, 1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return fitted, logged.run_id


def _conclude(
    job: _Job,
    judged: Judged,
    saved: SavedModel,
    run_id: str,
    standing: StandingChampion | None,
    n_corrections: int,
    champion_sha256: str = "",
) -> PromoteOutcome:
    """Promote or refuse, and record the verdict as a tag of the run."""
    verdict = judged.verdict
    address = standing.address if standing else None
    if verdict.is_passed and (why := _rollback_message(job, saved.name, address)):
        verdict = msgspec.structs.replace(verdict, is_passed=False, reasons=(why,))
    outcome = f"{'passed' if verdict.is_passed else 'refused'}: {'; '.join(verdict.reasons)}"
    store = Store(job.settings.tracking_uri, job.settings.home)
    tag_run(store, run_id, {"gate": outcome})
    version = None
    if job.is_judged_only and address is not None:
        keep_verdict(store, run_id, address, champion_sha256, job.gate, replace(judged, verdict=verdict))
    if verdict.is_passed and not job.is_judged_only:
        version = activate(
            saved,
            run_id,
            job.name,
            judged,
            champion=address,
            instead_of=standing.registered if standing else None,
            settings=job.settings,
            now=job.now,
            reporter=job.reporter,
        )
    return PromoteOutcome(
        name=job.name,
        model=saved.name,
        run_id=run_id,
        version=version,
        champion=address,
        is_promoted=verdict.is_passed,
        outcome="promoted" if verdict.is_passed else "refused",
        is_dry_run=job.is_judged_only,
        by="gate",
        verdict=verdict,
        data_sha256=judged.data_sha256,
        n_corrections=n_corrections,
    )


def _rollback_message(job: _Job, model: str, champion_address: str | None) -> str | None:
    """Message if the same model was rolled back before, and so is not promoted; None otherwise."""
    store = Store(job.settings.tracking_uri, job.settings.home)
    previous = champion(store, job.name, "previous")
    if previous is None:
        return None
    summary = read_run(store, run_of_version(store, previous)).summary
    for version in summary.versions:
        is_previous = f"models:/{version.name}/{version.number}" == previous
        if is_previous and summary.model == model and version.tags.get("rolled_back_to") == champion_address:
            why = version.tags["rolled_back_reason"]
            return (
                f"{previous} is the same model, and was rolled back ({why}): "
                '"scoring rollback" makes it the champion again'
            )
    return None


def _unchanged(job: _Job, reason: str, standing: StandingChampion) -> PromoteOutcome:
    """The outcome without a training."""
    return PromoteOutcome(
        name=job.name,
        model="",
        run_id=None,
        version=None,
        champion=standing.address,
        is_promoted=False,
        outcome="unchanged",
        is_dry_run=job.is_judged_only,
        by="gate",
        verdict=refuse(reason, job.gate),
        data_sha256="",
    )
