"""Learning curve: backtest of a section's quality by the number of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from scoring.errors import ModelError, shown
from scoring.evaluation.learning_curve import COUNTS, N_DRAWS, CurvePoint, section_curves
from scoring.extras import naming_extras
from scoring.model.targets import listed
from scoring.progress import SILENT, Reporter
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.remote_output import check_output, output_folder
from scoring.tracking import LearningCurveRun, Store, log_learning_curve, logs_one_run, write_learning_curve
from scoring.training.config import TrainConfig
from scoring.workflows.displayed import Displayed
from scoring.workflows.results import require_outputs
from scoring.workflows.training_pipeline import read_training

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot


@dataclass(frozen=True, slots=True, repr=False)
class LearningCurveOutcome(Displayed):
    """Result of a backtest by number of labels.

    Parameters
    ----------
    run_id : str or None
        MLflow run; None if nothing was logged.
    by : str
        ``labels``.
    data_sha256 : str
        Hex digest of the labelled records.
    n_records, n_faults : int
        Labelled and unusable records.
    points : tuple of CurvePoint
        One for each section and number of labels, in order.
    """

    run_id: str | None
    by: str
    data_sha256: str
    n_records: int
    n_faults: int
    points: tuple[CurvePoint, ...]

    def _summary(self) -> str:
        n_sections = len({point.section for point in self.points})
        return f"by labels of {n_sections} section(s), on {self.n_records:,} labelled records"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the points, one per row.

        Returns
        -------
        DataFrame of shape (n_points, 5 + n_metrics)
            ``section``, ``n_labels``, ``n_draws``, ``n_records``, ``error``, and the metrics over the draws.
        """
        import pandas as pd

        rows = [
            {"section": point.section, "n_labels": point.n_labels, "n_draws": len(point.draws)}
            | {"n_records": point.n_records, "error": point.error or None}
            | point.figures
            for point in self.points
        ]
        return pd.DataFrame(rows)

    def plot(self) -> dict[str, Plot]:
        """Draw the curves.

        Returns
        -------
        dict of str to matplotlib Figure
            Plots by name.
        """
        from scoring.plots import learning_curve_figure

        return {"learning_curve": learning_curve_figure(self.points)}

    def save(self, folder: str | Path) -> None:
        """Write the points and the plot.

        Parameters
        ----------
        folder : str or Path
            Output folder or its URL, created if missing; files with the same names are replaced.
        """
        with output_folder(Path(folder)) as local:
            write_learning_curve(self.points, self.plot(), local)


@logs_one_run
def learning_curve(
    paths: list[str],
    *,
    counts: Sequence[int] = COUNTS,
    n_draws: int = N_DRAWS,
    section: str | None = None,
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None = None,
    is_tracked: bool = True,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> LearningCurveOutcome:
    """Fit on some labels of a section before its test block, and evaluate its quality on that block.

    The other sections' records before their test blocks are in every training.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    counts : sequence of int
        Numbers of labels, >= 1; numbers above that of the section's labels stand for all of them, once.
    n_draws : int
        Draws for each number of labels, >= 1; at most three if each of them needs a full fit.
    section : str, optional
        Evaluate only this section. Default: every section.
    config : TrainConfig
        Split, fit options, and seed of the draws.
    settings : Settings
        Home, store, experiment and threads.
    now : datetime
        Start of the run, aware UTC; it affects no result.
    output : Path, optional
        Folder for the table and the plot.
    is_tracked : bool
        Whether to log a run.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    LearningCurveOutcome

    Raises
    ------
    ModelError
        If there are no records, no such section, or a number below 1. What cannot be trained on some labels
        is the error of their point.
    TrackingError
        If the run cannot be logged.
    """
    check_output(output)
    if not counts or min(*counts, n_draws) < 1:
        raise ModelError(f"backtest: got {list(counts)} labels and {n_draws} draws, expected 1 or more")
    require_outputs(output, is_tracked=is_tracked)
    corpus = read_training(
        paths,
        config,
        settings=settings,
        has_own_scores=has_own_scores,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
    )
    if "quality" not in corpus.targets:
        raise ModelError(
            f"backtest by labels: got labels of {listed(corpus.targets)} alone, expected quality; without "
            "it, use --by month"
        )
    curves = section_curves(corpus, config, section=section, num_threads=settings.threads)
    steps = [(curve, n_labels) for curve in curves for n_labels in curve.sizes(counts)]
    points = []
    for index, (curve, n_labels) in enumerate(steps):
        reporter.step("backtest by labels", index, len(steps))
        point = curve.point(n_labels, n_draws)
        points.append(point)
        reporter.note(_describe(point))
    reporter.step("backtest by labels", len(steps), len(steps))
    outcome = LearningCurveOutcome(
        None, "labels", corpus.data_sha256, len(corpus.documents), corpus.n_faults, tuple(points)
    )
    options = {"by": "labels", "counts": list(counts), "draws": n_draws, "of_section": section or ""}
    return _write_and_log(outcome, paths, options, config, settings, now, output, is_tracked, corpus.tags)


def _write_and_log(
    outcome: LearningCurveOutcome,
    paths: list[str],
    options: dict[str, object],
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None,
    is_tracked: bool,
    tags: dict[str, str],
) -> LearningCurveOutcome:
    """Write the result to ``output`` and log it, if requested."""
    if output is None and not is_tracked:
        return outcome
    plots = outcome.plot()
    if output is not None:
        with output_folder(output) as folder:
            write_learning_curve(outcome.points, plots, folder)
    if not is_tracked:
        return outcome
    run_id = log_learning_curve(
        Store(settings.tracking_uri, settings.home),
        LearningCurveRun(
            experiment=settings.experiment,
            run_name=settings.run_name or f"backtest {config.name} by labels",
            model=config.name,
            config={**options, **msgspec.to_builtins(config)},
            data_path=shown(" ".join(paths)),
            data_sha256=outcome.data_sha256,
            n_records=outcome.n_records,
            points=outcome.points,
            plots=plots,
            started_at=now,
            tags=tags,
        ),
    )
    return replace(outcome, run_id=run_id)


def _describe(point: CurvePoint) -> str:
    n_draws = len(point.draws)
    result = point.error or (
        f"{n_draws} draw{'' if n_draws == 1 else 's'}, "
        f"quality MAE {point.figures['quality_mae']:.3f} on {point.n_records} records"
    )
    return f"{point.section}: {point.n_labels} labels: {result}"
