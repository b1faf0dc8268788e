"""Tables of the ``backtest`` and ``tune`` commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, shown_interval, shown_number
from scoring.evaluation.backtest import HEADLINES, FoldResult
from scoring.evaluation.learning_curve import METRICS, CurvePoint
from scoring.evaluation.results import Evaluation
from scoring.tuning.search_space import Trial

MAX_TRIALS = 10
_SHORT_NAMES = {
    "quality_mae": "MAE",
    "quality_within_1": "within 1",
    "quality_r2": "R2",
    "lead_accuracy": "lead",
    "heat_within_5": "heat in 5",
    "published_f1": "F1",
    "quality_interval_coverage": "covered",
    "quality_interval_width": "width",
    "heat_ndcg_10": "NDCG",
}


def backtest(by: str, folds: Sequence[FoldResult], pooled: Evaluation) -> RenderableType:
    """Headline metrics of each fold, then metrics of all folds pooled, with intervals."""
    figures = [f"{_SHORT_NAMES[name]}>" for name in HEADLINES]
    table = empty_table(by, "trained on>", "records>", *figures, drops=("trained on", "NDCG", "width"))
    for fold in folds:
        values = [fold.figures.get(name) for name in HEADLINES]
        cells = [shown_number(None if value is None else value.value) for value in values]
        table.add_row(Text(fold.name), str(fold.n_training), str(fold.n_records), *cells)
    pooled_table = empty_table("all together", "", "value>", "95 % interval>")
    for name, figure in pooled.figures.items():
        pooled_table.add_row(
            name, _SHORT_NAMES.get(name, ""), shown_number(figure.value), shown_interval(figure)
        )
    return Group(table, Text(), Text(f"{pooled.n_records} records in {len(folds)} folds"), pooled_table)


def learning_curve(points: Iterable[CurvePoint]) -> Table:
    """Metrics of each section by number of labels; what cannot be trained has the reason."""
    points = list(points)
    names = ("quality_mae", "quality_mae_worst", *METRICS[1:])
    columns = (
        "section",
        "labels>",
        "draws>",
        "MAE median>",
        "MAE worst>",
        "within 1>",
        "coverage>",
        "width>",
    )
    has_errors = any(point.error for point in points)
    table = empty_table(*columns, *(["not trained"] if has_errors else []))
    for point in points:
        n_labels = f"all {point.n_labels}" if point.n_labels == point.n_pool else str(point.n_labels)
        figures = [shown_number(point.figures.get(name)) for name in names]
        reason = [Text(point.error, overflow="fold")] if has_errors else []
        table.add_row(Text(point.section), n_labels, str(len(point.draws)), *figures, *reason)
    return table


def trials(trials: Iterable[Trial]) -> Table:
    """The best trials, lowest error first; pruned trials last."""
    table = empty_table("trial>", "MAE>", "rubric alone>", "trees>", "")
    ranked = sorted(
        trials, key=lambda trial: (trial.quality_mae is None, trial.quality_mae, trial.rubric_mae)
    )
    for trial in ranked[:MAX_TRIALS]:
        errors = (shown_number(trial.quality_mae), shown_number(trial.rubric_mae))
        trees = "" if trial.n_trees is None else str(trial.n_trees)
        state = "given up" if trial.quality_mae is None else ""
        table.add_row(str(trial.number), *errors, trees, state)
    return table


def best_values(given: Trial, best: Trial, importances: Mapping[str, float]) -> Table:
    """Given and best value of each parameter, most important first."""
    table = empty_table("parameter", "given>", "best>", "importance>")
    for name in sorted(given.values, key=lambda name: -importances.get(name, 0.0)):
        share = f"{importances[name]:.0%}" if name in importances else ""
        table.add_row(name, _value(given.values[name]), _value(best.values[name]), share)
    return table


def _value(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
