"""Drift: compare new records with the profile of a model's training records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.open_model import open_model
from scoring.drift.detect import Drift, measure_drift
from scoring.drift.label_changes import changes_from, present_counts, unknown_sections
from scoring.drift.reference_profile import AS_OF, MIN_HELD, MIN_TRAINING
from scoring.drift.reference_windows import MIN_WINDOW
from scoring.errors import ModelError, ScoringError, shown
from scoring.explanation.policy_changes import change_sentence, moment_of
from scoring.extras import naming_extras
from scoring.features.table import build_table
from scoring.labels.own_scores import OwnScores, open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import data_sha256, read_documents
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.records.record import Document
from scoring.settings import Settings
from scoring.storage.remote_output import check_output, output_folder
from scoring.storage.urls import name_of
from scoring.tracking import DriftRun, Store, log_drift, logs_one_run, write_drift
from scoring.training.dataset import LabelledDataset
from scoring.training.structural_breaks import MIN_SEGMENT
from scoring.training.training_set import as_floats
from scoring.workflows.coverage import deriver_of
from scoring.workflows.displayed import Displayed
from scoring.workflows.results import require_outputs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot


@dataclass(frozen=True, slots=True, repr=False)
class DriftOutcome(Displayed):
    """Measured drift.

    Parameters
    ----------
    run_id : str or None
        MLflow run; None if nothing was logged.
    drift : Drift
        The measures, and in ``reasons`` why the records are refused; empty if they are accepted.
    """

    run_id: str | None
    drift: Drift

    def _summary(self) -> str:
        reasons = "; ".join(self.drift.reasons)
        verdict = f"refused: {reasons}" if reasons else "accepted"
        return f"of {self.drift.n_records:,} records from the training data of {self.drift.model}: {verdict}"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the measures and their limits, one per row.

        Returns
        -------
        DataFrame of shape (n_checks, 5)
            ``kind`` (``distance``, ``unseen`` or ``shift``), ``name``, ``value``, ``limit`` (99 % prediction
            limit), and whether it ``is_beyond`` that.
        """
        import pandas as pd

        drift = self.drift
        rows = [
            *(("distance", row.family, row.distance, row.limit, row.is_beyond) for row in drift.families),
            *(("unseen", row.what, row.ratio, row.limit_ratio, row.is_beyond) for row in drift.unseen),
            *(("shift", row.name, row.new - row.before, row.limit, row.is_beyond) for row in drift.shifts),
        ]
        return pd.DataFrame(rows, columns=["kind", "name", "value", "limit", "is_beyond"])

    def plot(self) -> dict[str, Plot]:
        """Draw the distances and shifts beside their limits.

        Returns
        -------
        dict of str to matplotlib Figure
            One plot, ``drift``.
        """
        from scoring.plots import drift_figure

        return {"drift": drift_figure(self.drift)}

    def save(self, folder: str | Path) -> None:
        """Write ``drift.json`` and the plot.

        Parameters
        ----------
        folder : str or Path
            Output folder or its URL; created if missing; files with the same names are replaced.
        """
        with output_folder(Path(folder)) as local:
            write_drift(self.drift, self.plot(), local)


@logs_one_run
def drift(
    paths: list[str],
    *,
    model: str | SavedModel | None = None,
    limit: float | None = None,
    settings: Settings,
    now: datetime,
    output: Path | None = None,
    is_tracked: bool = True,
    has_own_scores: bool = False,
    has_labels: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> DriftOutcome:
    """Compare new records with a model's training records, each as it was at its publication.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-`` (see :func:`scoring.records.corpus.read_documents`), labelled or not.
    model : str or SavedModel, optional
        A loaded model, or a name: see :func:`scoring.deployment.resolve_model.resolve`.
    limit : float, optional
        Maximum expected error, as a multiple of the error on the test records; see
        :func:`scoring.drift.detect.measure_drift`.
    settings : Settings
        Home, store, experiment and number of threads.
    now : datetime
        Start of the run, aware UTC.
    output : Path, optional
        Folder for ``drift.json`` and the plot.
    is_tracked : bool
        Whether to log a run.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    has_labels : bool
        Whether to look for a point in time from which the labels depart from the model's rules. If there is
        one, the records are refused.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    DriftOutcome

    Raises
    ------
    RecordError
        If a path has no records.
    ModelError
        If the model cannot be used or has no profile, or there are too few records.
    """
    check_output(output)
    require_outputs(output, is_tracked=is_tracked)
    saved = model if isinstance(model, SavedModel) else open_model(model, settings, reporter)
    profile = saved.manifest.profile
    if profile is None:
        n_records = saved.manifest.training.n_records
        raise ModelError(
            f"{saved.name}: the model has no profile of its {n_records:,} training records: train it again "
            f"with {MIN_TRAINING} or more before the test block and {MIN_HELD} or more in it (test_ratio)"
        )
    own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
    documents = _read(
        paths, saved, own_scores, settings=settings, stdin=stdin, on_fault=on_fault, reporter=reporter
    )
    records = [saved.scorer.sections.placed(document.record, document.path) for document in documents]
    measured = measure_drift(
        profile,
        saved.scorer,
        build_table(records, AS_OF),
        as_floats([document.labels.quality for document in documents]),
        limit=limit,
        num_threads=settings.threads,
    )
    if has_labels:
        measured = _with_label_changes(measured, saved, documents, settings.threads, reporter)
    outcome = DriftOutcome(None, measured)
    if output is not None:
        try:
            outcome.save(output)
        except OSError as error:
            raise ScoringError(
                f"{name_of(output)}: cannot write the drift: {error.strerror or error}"
            ) from error
    if not is_tracked:
        return outcome
    run = DriftRun(
        experiment=settings.experiment,
        run_name=settings.run_name or f"drift from {saved.name}",
        drift=measured,
        config=msgspec.to_builtins(saved.manifest.training.config),
        data_path=shown(" ".join(paths)),
        data_sha256=data_sha256(document.sha256 for document in documents),
        plots=outcome.plot(),
        started_at=now,
        tags=own_scores.tags(sum(map(len, own_scores.names))),
    )
    return replace(outcome, run_id=log_drift(Store(settings.tracking_uri, settings.home), run))


def _read(
    paths: list[str],
    saved: SavedModel,
    own_scores: OwnScores,
    *,
    settings: Settings,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
) -> list[Document]:
    """Read the new records, without scoring's own labels, with derived coverage if it is asked for."""

    def report_progress(done: int, total: int) -> None:
        reporter.step("reading", done, total)

    field_maps = field_maps_of(paths, settings).with_model_map(saved.scorer.field_map)
    documents_read = read_documents(
        paths, stdin=stdin, field_maps=field_maps, on_fault=on_fault, on_progress=report_progress
    )
    documents = own_scores.put_to(documents_read)
    if (deriver := deriver_of(settings, reporter)) is not None:
        documents = deriver.put_to(documents, paths)
    own_scores.note(len(documents), sum(map(len, own_scores.names)), reporter)
    if len(documents) < MIN_WINDOW:
        raise ModelError(f"new records: got {len(documents)} usable records, expected {MIN_WINDOW} or more")
    return documents


def _with_label_changes(
    measured: Drift, saved: SavedModel, documents: Sequence[Document], num_threads: int, reporter: Reporter
) -> Drift:
    """Add the changes of policy found in the labels; each is a reason to refuse the records."""
    if "quality" not in saved.scorer.targets:
        reporter.note("labels are not checked: the model has no quality, and so no rules for them")
        return measured
    labelled = [
        document
        for document in documents
        if document.labels.quality is not None and document.record.published_at is not None
    ]
    n_without, sections = len(documents) - len(labelled), saved.scorer.sections
    dataset = LabelledDataset(labelled, 0, n_without, "", section_rule=sections)
    for change in saved.models.changes:
        section, since = f"section {change.section}: " if change.section else "", moment_of(change)
        reporter.note(
            f"{section}{change.target} labels before {since} are not checked: the rules changed then"
        )
    if not labelled:
        reporter.note("no record has a quality and a date: labels cannot be checked")
        return measured
    if not saved.models.rules:
        reporter.note("heat and published labels are not checked: the model holds no rules; train it again")
    records = dataset.training_set(np.ones(len(labelled), dtype=bool))
    unknown, counts = unknown_sections(saved.models, records), present_counts(saved.models, records)
    for section, count in sorted(counts.items()):
        name = f"section {section}" if section else "records of no section"
        if section in unknown:
            reporter.note(f"{name}: unknown to the model: its labels are not checked")
        elif count < MIN_SEGMENT:
            few = "1 label is" if count == 1 else f"{count} labels are"
            reporter.note(f"{name}: {few} too few to check, expected {MIN_SEGMENT} or more")
    if not any(count >= MIN_SEGMENT for section, count in counts.items() if section not in unknown):
        return measured
    config = saved.manifest.training.config.model
    changes = changes_from(saved.scorer.models, records, config, num_threads)
    reasons = (*measured.reasons, *map(change_sentence, changes))
    return msgspec.structs.replace(measured, label_changes=changes, reasons=reasons)
