"""The MLflow store: runs, models and the registry; the only package that imports mlflow.

MLflow is imported when a store is first used (it costs two seconds and reads its settings from the
environment at that moment), so importing this package costs nothing and changes nothing.
"""

from scoring.tracking.backtests import BacktestRun, log_backtest, write_backtest
from scoring.tracking.registry import champion, resolve_model
from scoring.tracking.runs import (
    EvaluationRun,
    Importance,
    LoggedRun,
    TrainingRun,
    log_evaluation,
    log_training,
    write_evaluation,
)
from scoring.tracking.store import Store
from scoring.tracking.studies import StudyRun, log_study
from scoring.tracking.ui import serve_ui

__all__ = [
    "BacktestRun",
    "EvaluationRun",
    "Importance",
    "LoggedRun",
    "Store",
    "StudyRun",
    "TrainingRun",
    "champion",
    "log_backtest",
    "log_evaluation",
    "log_study",
    "log_training",
    "resolve_model",
    "serve_ui",
    "write_backtest",
    "write_evaluation",
]
