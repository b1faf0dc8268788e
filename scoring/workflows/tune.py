"""Tune: search for a better configuration on the validation block; the test block is never used."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import yaml

from scoring.errors import ModelError, ScoringError, shown
from scoring.extras import require
from scoring.features.sections import rule_named
from scoring.labels.own_scores import open_own_scores
from scoring.model.targets import listed
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.home import prepare_folder, writing
from scoring.storage.regular_files import read_regular
from scoring.storage.remote_output import check_output
from scoring.storage.remote_writes import write_remote
from scoring.storage.urls import local_or_remote, name_of, url_of
from scoring.tracking import Store, StudyRun, log_study, with_experiment
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before
from scoring.training.fit import MIN_RECORDS, MIN_VALIDATION
from scoring.training.read_dataset import read_dataset
from scoring.training.splits import latest_mask, test_mask
from scoring.tuning.search_space import Trial
from scoring.tuning.study import (
    Blocks,
    Search,
    importances_of,
    opened_study,
    run_trial,
    trials_of,
)
from scoring.workflows.coverage import deriver_of

if TYPE_CHECKING:
    import optuna

_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class TuneOutcome:
    """Result of a search.

    Parameters
    ----------
    study : str
        Name of the study.
    run_id : str or None
        MLflow run of the study; None if nothing was logged.
    best_config : str
        File with the best configuration.
    data_sha256 : str
        Hex digest of the records before the test block.
    n_training, n_validation, n_faults : int
        Training, validation and unusable records.
    given, best : Trial
        Trial of the given configuration, and the best trial; the same if nothing was better.
    trials : tuple of Trial
        All trials in order, including those of earlier runs of the study.
    importances : dict of str to float
        Share of each parameter in the variance between trials (fANOVA: Hutter et al., 2014), largest first;
        empty if there are too few trials.
    """

    study: str
    run_id: str | None
    best_config: str
    data_sha256: str
    n_training: int
    n_validation: int
    n_faults: int
    given: Trial
    best: Trial
    trials: tuple[Trial, ...]
    importances: dict[str, float]


def tune(
    paths: list[str],
    *,
    n_trials: int,
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    study: str | None = None,
    timeout_minutes: float | None = None,
    output: Path | None = None,
    is_overwrite: bool = False,
    is_tracked: bool = True,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> TuneOutcome:
    """Search for the configuration with the lowest quality MAE on the validation block.

    The first trial is the given configuration. Trials run one after another, and each depends on the seed and
    its number only, so a resumed study gives the same trials as an uninterrupted one.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    n_trials : int
        Total number of trials, including those of earlier runs of the study; >= 1.
    config : TrainConfig
        Initial configuration; its split defines the test and the validation block.
    settings : Settings
        Home, store, experiment and number of threads.
    now : datetime
        Start of the study, aware UTC; it affects no trial.
    study : str, optional
        Name of the study, kept in ``studies`` in the home. Default: the configuration's name.
    timeout_minutes : float, optional
        No trial starts after this time; minutes.
    output : Path, optional
        File for the best configuration. Default: ``experiments/STUDY-best.yaml`` in the home.
    is_overwrite : bool
        Whether an existing file that this study did not write may be replaced.
    is_tracked : bool
        Whether to log runs.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    TuneOutcome

    Raises
    ------
    ScoringError
        If Optuna is not installed.
    ModelError
        If there are too few records, the study belongs to other records or is in use, or the file was not
        written by the study.
    TrackingError
        If the runs cannot be logged; the trials are kept.
    """
    check_output(output)
    require("tune", *(["track"] if is_tracked else []))
    if is_tracked:
        settings = with_experiment(settings, has_own_runs=True)
    name = study or config.name
    if not _NAME.fullmatch(name):
        raise ModelError(f"study: got {name!r}, expected letters, digits, '.', '_' and '-'")
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
        sections=rule_named(settings.section),
        field_maps=field_maps_of(paths, settings),
        deriver=deriver_of(settings, reporter),
        wanted=config.labels,
    )
    blocks = split_blocks(corpus, config)
    search = Search(name, blocks, config, settings.threads)
    deadline = None if timeout_minutes is None else time.monotonic() + 60 * timeout_minutes
    file = local_or_remote(output) if output else settings.home / "experiments" / f"{name}-best.yaml"
    run_id = None
    with opened_study(search, prepare_folder(settings.home, "studies"), now) as opened:
        if not is_overwrite:
            _check_file(file, search, trials_of(opened))
        while True:
            trials = trials_of(opened)
            reporter.step("trials", min(len(trials), n_trials), n_trials)
            if trials:
                best = min(trials, key=_order)
                _write(file, _config_text(search, trials), settings.home)
                if is_tracked:
                    run_id = _log(search, opened, trials, best, paths, settings, corpus.tags)
            if len(trials) >= n_trials or (trials and deadline and time.monotonic() > deadline):
                break
            run_trial(opened, search, len(trials))
            reporter.note(_describe(trials_of(opened)[-1]))
        importances = importances_of(opened, config.seed)
    given = next(trial for trial in trials if trial.values == search.given)
    return TuneOutcome(
        name, run_id, name_of(file), blocks.data_sha256, len(blocks.earlier.table),
        len(blocks.validation.table), corpus.n_faults, given, best, tuple(trials), importances,
    )  # fmt: skip


def split_blocks(corpus: LabelledDataset, config: TrainConfig) -> Blocks:
    """Remove the test block, and split the remaining records into training and validation blocks.

    Both are as a training sees them: the training records as they were right before the validation block,
    the validation records as they were right before the test block.

    Raises
    ------
    ModelError
        If a block has too few records.
    """
    if not corpus.documents:
        raise ModelError("no records with a quality and a date to tune on")
    if "quality" not in corpus.targets:
        raise ModelError(
            f"tuning records: got labels of {listed(corpus.targets)} alone, expected quality, which is tuned"
        )
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    # Removed first: a trial must not know even which records have near-duplicates in the test block.
    remaining = corpus.take(~is_test)
    is_validation = latest_mask(remaining.moments, remaining.sections, config.split.validation_ratio)
    for block, mask, min_records in (
        ("before the validation block", ~is_validation, MIN_RECORDS),
        ("in the validation block", is_validation, MIN_VALIDATION),
    ):
        if mask.sum() < min_records:
            raise ModelError(f"tuning records: got {mask.sum()} {block}, expected {min_records} or more")
    # The search optimizes quality only, so forecasts of heat by age are not needed.
    model = msgspec.structs.replace(config.model, forecast_ages_hours=())
    quality_config = msgspec.structs.replace(config, model=model)
    cutoffs = cutoffs_before(remaining, is_validation, config.split.gap_hours)
    return Blocks(
        remaining.training_split(is_validation, cutoffs, quality_config),
        remaining.training_set(is_validation, cutoffs_before(corpus, is_test)),
        remaining.data_sha256,
    )


def _order(trial: Trial) -> tuple[float, int]:
    return (float("inf") if trial.quality_mae is None else trial.quality_mae), trial.number


def _describe(trial: Trial) -> str:
    if trial.quality_mae is None:
        return f"trial {trial.number}: given up, quality MAE {trial.rubric_mae:.3f} with the rubric alone"
    return (
        f"trial {trial.number}: quality MAE {trial.quality_mae:.3f} ({trial.rubric_mae:.3f} with the rubric)"
    )


def _check_file(file: Path, search: Search, trials: Sequence[Trial]) -> None:
    """Refuse a file with anything but what this study has written there after one of its trials."""
    try:
        content = read_regular(file).decode()
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        content = "something else"
    except OSError as error:
        got = error.strerror or error
        raise ScoringError(f"{name_of(file)}: cannot write the configuration: {got}") from error
    counts = range(len(trials), 0, -1)
    if content and not any(content == _config_text(search, trials[:count]) for count in counts):
        raise ModelError(
            f"{shown(name_of(file))}: got a file that study {search.name!r} has not written, expected none: "
            "--overwrite replaces it"
        )


def _config_text(search: Search, trials: Sequence[Trial]) -> str:
    """The best configuration of some trials as a training configuration, named after its file."""
    best = min(trials, key=_order)
    description = (
        f"Best of {len(trials)} trials: quality MAE {best.quality_mae:.3f} on the validation block, "
        f"trial {best.number}."
    )
    plain = msgspec.to_builtins(msgspec.structs.replace(search.config_of(best), description=description))
    del plain["name"]
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text


def _write(file: Path, text: str, home: Path) -> None:
    if (url := url_of(file)) is not None:
        write_remote(url, text.encode())
        return
    try:
        with writing(home, file):
            file.parent.mkdir(parents=True, exist_ok=True)
            # In one step: half a file would not be known again as this study's.
            scratch = file.with_name(f".{file.name}.new")
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(file)
    except OSError as error:
        raise ScoringError(f"{file}: cannot write the configuration: {error.strerror or error}") from error


def _log(
    search: Search,
    study: optuna.Study,
    trials: Sequence[Trial],
    best: Trial,
    paths: list[str],
    settings: Settings,
    tags: dict[str, str],
) -> str:
    return log_study(
        Store(settings.tracking_uri, settings.home),
        StudyRun(
            experiment=settings.experiment,
            study=search.name,
            began_at=study.user_attrs["began_at"],
            config=msgspec.to_builtins(search.config),
            data_path=shown(" ".join(paths)),
            data_sha256=search.blocks.data_sha256,
            counts={
                "training": len(search.blocks.earlier.table),
                "validation": len(search.blocks.validation.table),
            },
            trials=trials,
            best=msgspec.to_builtins(search.config_of(best)),
            tags=tags,
        ),
    )
