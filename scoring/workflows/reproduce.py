"""Reproduce: make a run's training again, and tell whether it gives the same bytes."""

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
from scoring.records.corpus import STDIN, OnFault
from scoring.settings import Settings
from scoring.tracking import (
    RunRecord,
    Store,
    evaluation_metrics,
    git_tags,
    machine_tags,
    read_config,
    resolve_model,
    version_tags,
)
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.workflows.run_ledger import ledger_of
from scoring.workflows.training_pipeline import fit_and_save, read_training

ENGINE = "one process"
"""What trains a booster, where no cluster does."""


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
    """Train again from a run's configuration and records, with the code as it is now; log nothing.

    Parameters
    ----------
    run : str
        Training: a run's id or 6 or more digits that it begins with, ``runs:/ID``, ``models:/NAME/VERSION``
        or ``models:/NAME@ALIAS``.
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them; where the run had them if none is given.
    corrections : Path, optional
        The run's ledger of corrections, where it is now; where the run had it, if it had one, if not given.
    settings : Settings
        Store, threads and journal. Where only the home's is given, the run's is taken, if it is still there.
    is_mismatch_ignored : bool
        Whether to train where the records are not the run's.
    has_own_scores : bool
        Whether labels that scoring has written count like any other; they do where they did in the run.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    Reproduction

    Raises
    ------
    RecordError
        If a path names no record, or the ledger cannot be used.
    ModelError
        If the run's model or configuration is of another version, or the records do not suffice.
    TrackingError
        If the store cannot be read, or has no such training.
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
        settings=_with_journal(settings, record, reporter),
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
        reporter.note("training with the code as it is now, which may not be the run's")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fitted = fit_and_save(corpus, folder, config, settings, reporter)
        again = read_files(folder)
    return _compared(outcome, record, logged, again, evaluation_metrics(fitted.evaluation))


def _with_journal(settings: Settings, record: RunRecord, reporter: Reporter) -> Settings:
    """Settings with the run's journal, unless another one is named or it has gone."""
    path = record.tags.get(PATH_TAG)
    if path is None or is_journal_named(settings):
        return settings
    if Path(path).is_file():
        return msgspec.structs.replace(settings, journal=Path(path))
    if not settings.journal.is_file():
        reporter.note(f"{path}: the run's journal is gone: --journal FILE names another place")
    return settings


def _training(spec: str, store: Store) -> RunRecord:
    named, _ = split_arguments([spec], store)
    record = named[0].run if named else None
    if record is None:
        expected = "a run's id, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        raise TrackingError(f"{store}: run: got {spec!r}, expected {expected}")
    if record.summary.kind != "train":
        got = f"a run of kind {record.summary.kind!r}"
        raise TrackingError(f"{store}: run {record.summary.run_id}: got {got}, expected a training")
    return record


def _config(record: RunRecord, store: Store) -> TrainConfig:
    try:
        return msgspec.convert(read_config(store, record), TrainConfig)
    except msgspec.ValidationError as error:
        raise ModelError(
            f"{store}: run {record.summary.run_id}: configuration: {shown(str(error))}"
        ) from error


def _logged_paths(record: RunRecord) -> list[str]:
    """Where the run had its records."""
    try:
        paths = shlex.split(record.data_path)
    except ValueError:
        paths = []
    if not paths or STDIN in paths:
        place = f"run {record.summary.run_id}: records"
        raise ModelError(
            f"{place}: got {record.data_path!r}, which cannot be read again, expected PATH as well"
        )
    return paths


def _before_training(record: RunRecord, corpus: LabelledDataset) -> Reproduction:
    """What can be told of the records, the code and the computer alone."""
    summary = record.summary
    versions = version_tags()
    own = {"version.scoring": versions.pop("version.scoring")}
    return Reproduction(
        run_id=summary.run_id,
        run_name=summary.name,
        model=summary.model,
        n_records=len(corpus.documents),
        is_trained=False,
        is_same=False,
        data=diff({"sha256": summary.data_sha256}, {"sha256": corpus.data_sha256}),
        code=(
            *_unlike_commits(record.tags, git_tags(Path.cwd())),
            *_unlike_tags(record.tags, own),
        ),
        versions=_unlike_tags(record.tags, versions),
        machine=(
            *diff({"engine": record.tags.get("engine", ENGINE)}, {"engine": ENGINE}),
            *_unlike_tags(record.tags, machine_tags()),
        ),
        parts=(),
        figures=(),
    )


def _unlike_tags(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    def named(tags: Mapping[str, str]) -> dict[str, str]:
        return {name.removeprefix("version."): tags[name] for name in now if name in tags}

    return diff(named(then), named(now))


def _unlike_commits(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    """Commits that differ, or that do not tell what the files were."""
    first, second = (
        tags.get("git_commit", "-") + ("+" if tags.get("git_dirty") == "true" else "") for tags in (then, now)
    )
    return (ValueDiff("commit", first, second),) if first != second or first.endswith("+") else ()


def _compared(
    outcome: Reproduction,
    record: RunRecord,
    logged: ModelFiles,
    again: ModelFiles,
    metrics: Mapping[str, float],
) -> Reproduction:
    known = {
        name: value
        for name, value in record.summary.metrics.items()
        if name in metrics or not name.startswith("n_")  # counts of records, which are compared by their hash
    }
    figures = diff_metrics(known, metrics)
    return msgspec.structs.replace(
        outcome,
        is_trained=True,
        is_same=logged.contents == again.contents and not figures,
        parts=diff_parts(logged, again),
        figures=figures,
    )
