"""Reproduce a training run: train again, and compare the models byte by byte."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from scoring.artifact.model_folder import ModelFiles, read_files
from scoring.artifact.reproducibility import Reproduction, diff_metrics, diff_parts
from scoring.deployment.candidates import split_arguments
from scoring.errors import ModelError, TrackingError, shown
from scoring.evaluation.comparison import ValueDiff, diff
from scoring.labels.own_scores import PATH_TAG, USE_TAG, USED, is_journal_named
from scoring.progress import SILENT, Reporter
from scoring.records.files import STDIN, OnFault
from scoring.settings import Settings
from scoring.tracking import (
    RunRecord,
    Store,
    code_tags,
    evaluation_metrics,
    git_tags,
    machine_tags,
    read_config,
    resolve_model,
    version_tags,
)
from scoring.training.config import TrainConfig
from scoring.training.dataset import COVERAGE_TAG, SECTION_TAG, LabelledDataset
from scoring.workflows.run_ledger import ledger_of
from scoring.workflows.training_pipeline import fit_and_save, read_training

ENGINE = "one process"
"""Value of the tag ``engine`` for a training without a cluster."""


def reproduce(
    run: str,
    paths: Sequence[str] = (),
    *,
    corrections: Path | None = None,
    settings: Settings,
    is_mismatch_ignored: bool = False,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Reproduction:
    """Train again from a run's configuration and records, with the current code; log nothing.

    Parameters
    ----------
    run : str
        Training run: its id or the first 6 or more digits, ``runs:/ID``, ``models:/NAME/VERSION`` or
        ``models:/NAME@ALIAS``.
    paths : sequence of str
        The run's records: see :func:`scoring.records.corpus.read_documents`. Default: the run's own paths.
    corrections : Path, optional
        The run's ledger of corrections. Default: the run's own path, if it had a ledger.
    settings : Settings
        Store, number of threads, and journal. The run's journal is used if it exists and none is named.
    is_mismatch_ignored : bool
        Whether to train although the records differ from the run's.
    has_own_scores : bool
        Whether to use labels written by scoring. They are always used if the run used them.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    Reproduction

    Raises
    ------
    RecordError
        If a path has no records, or the ledger cannot be used.
    ModelError
        If the run's model or configuration has another version, or there are too few records.
    TrackingError
        If the store cannot be read, or has no such training run.
    """
    store = Store(settings.tracking_uri, settings.home)
    record = _training(run, store)
    config = _config(record, store)
    logged = read_files(resolve_model(store, f"runs:/{record.summary.run_id}"))
    if corrections is None:
        corrections = ledger_of(record, store, reporter)
    corpus = read_training(
        paths or _logged_paths(record),
        config,
        settings=_with_coverage(_with_section(_with_journal(settings, record, reporter), record), record),
        corrections=corrections,
        has_own_scores=has_own_scores or record.tags.get(USE_TAG) == USED,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
    )
    outcome = _before_training(record, corpus)
    if outcome.data and not is_mismatch_ignored:
        return outcome
    if outcome.code:
        reporter.note("training with the current code, which may differ from the run's")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fitted = fit_and_save(corpus, folder, config, settings, reporter)
        reproduced = read_files(folder)
    return _compare_models(outcome, record, logged, reproduced, evaluation_metrics(fitted.evaluation))


def _with_journal(settings: Settings, record: RunRecord, reporter: Reporter) -> Settings:
    """Settings with the run's journal, unless another one is named or the file is missing."""
    path = record.tags.get(PATH_TAG)
    if path is None or is_journal_named(settings):
        return settings
    if Path(path).is_file():
        return msgspec.structs.replace(settings, journal=Path(path))
    if not settings.journal.is_file():
        reporter.note(f"{path}: the run's journal is missing: name it with --journal FILE")
    return settings


def _with_section(settings: Settings, record: RunRecord) -> Settings:
    """Settings by which the run found the sections of its records."""
    return msgspec.structs.replace(settings, section=record.tags.get(SECTION_TAG, "topic"))


def _with_coverage(settings: Settings, record: RunRecord) -> Settings:
    """Settings by which the run found the coverage of its records; links are those of the settings."""
    return msgspec.structs.replace(settings, coverage="derive" if COVERAGE_TAG in record.tags else "listed")


def _training(spec: str, store: Store) -> RunRecord:
    references, _ = split_arguments([spec], store)
    record = references[0].run if references else None
    if record is None:
        expected = "a run's id, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        raise TrackingError(f"{store}: run: got {spec!r}, expected {expected}")
    if record.summary.kind != "train":
        got = f"a run of kind {record.summary.kind!r}"
        raise TrackingError(f"{store}: run {record.summary.run_id}: got {got}, expected a training run")
    return record


def _config(record: RunRecord, store: Store) -> TrainConfig:
    try:
        return msgspec.convert(read_config(store, record), TrainConfig)
    except msgspec.ValidationError as error:
        raise ModelError(
            f"{store}: run {record.summary.run_id}: configuration: {shown(str(error))}"
        ) from error


def _logged_paths(record: RunRecord) -> list[str]:
    """Paths of the run's records."""
    try:
        paths = shlex.split(record.data_path)
    except ValueError:
        paths = []
    if not paths or STDIN in paths:
        raise ModelError(
            f"run {record.summary.run_id}: its records, {record.data_path!r}, cannot be read again: name PATH"
        )
    return paths


def _before_training(record: RunRecord, corpus: LabelledDataset) -> Reproduction:
    """Compare records, code, library versions and machine, before any training."""
    summary = record.summary
    versions = version_tags()
    own = {"version.scoring": versions.pop("version.scoring")} | code_tags()
    return Reproduction(
        run_id=summary.run_id,
        run_name=summary.name,
        model=summary.model,
        n_records=len(corpus.documents),
        is_trained=False,
        is_same=False,
        data=diff({"sha256": summary.data_sha256}, {"sha256": corpus.data_sha256}),
        code=(
            *_diff_commits(record.tags, git_tags(Path.cwd())),
            *_diff_tags(record.tags, own),
        ),
        versions=_diff_tags(record.tags, versions),
        machine=(
            *diff({"engine": record.tags.get("engine", ENGINE)}, {"engine": ENGINE}),
            *_diff_tags(record.tags, machine_tags()),
        ),
        parts=(),
        figures=(),
    )


def _diff_tags(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    def select(tags: Mapping[str, str]) -> dict[str, str]:
        return {name.removeprefix("version."): tags[name] for name in now if name in tags}

    return diff(select(then), select(now))


def _diff_commits(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    """Commits that differ, or that do not identify the code because of uncommitted changes."""
    first, second = (
        tags.get("git_commit", "-") + ("+" if tags.get("git_dirty") == "true" else "") for tags in (then, now)
    )
    return (ValueDiff("commit", first, second),) if first != second or first.endswith("+") else ()


def _compare_models(
    outcome: Reproduction,
    record: RunRecord,
    logged: ModelFiles,
    reproduced: ModelFiles,
    metrics: Mapping[str, float],
) -> Reproduction:
    logged_metrics = {
        name: value
        for name, value in record.summary.metrics.items()
        if name in metrics
        or not name.startswith("n_")  # not the counts of records: these are compared by digest
    }
    metric_diffs = diff_metrics(logged_metrics, metrics)
    return msgspec.structs.replace(
        outcome,
        is_trained=True,
        is_same=logged.contents == reproduced.contents and not metric_diffs,
        parts=diff_parts(logged, reproduced),
        figures=metric_diffs,
    )
