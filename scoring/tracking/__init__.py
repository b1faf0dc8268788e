"""The MLflow store: runs, models and the registry; the only package that imports mlflow.

MLflow is imported when a store is first used, since it takes two seconds and reads its settings from the
environment. Importing this package is fast and has no side effect.
"""

from scoring.tracking.addresses import former_home
from scoring.tracking.aliases import register_run, restore_previous, set_champion, tag_run
from scoring.tracking.backtests import BacktestRun, log_backtest, write_backtest
from scoring.tracking.destination import logs_one_run, with_experiment
from scoring.tracking.drifts import DriftRun, log_drift, write_drift
from scoring.tracking.learning_curves import LearningCurveRun, log_learning_curve, write_learning_curve
from scoring.tracking.metric_names import own_name
from scoring.tracking.model_runs import find_model_run, log_model_folder
from scoring.tracking.outbox import SyncedRun, check_pending, sync_runs
from scoring.tracking.provenance import code_tags, git_tags, machine_tags, version_tags
from scoring.tracking.pyfunc.log import EXAMPLE
from scoring.tracking.queries import (
    RunRecord,
    RunSummary,
    Version,
    read_run,
    run_of_version,
)
from scoring.tracking.registry import champion, exact_address, resolve_model
from scoring.tracking.run_artifacts import add_page, read_columns, read_config, read_evaluation, read_report
from scoring.tracking.run_search import best_runs, find_run, list_runs
from scoring.tracking.runs import (
    EvaluationRun,
    Importance,
    TrainingRun,
    evaluation_metrics,
    flat,
    log_evaluation,
    log_training,
    write_evaluation,
)
from scoring.tracking.store import Store
from scoring.tracking.stored_artifacts import StoredArtifacts, damages, repair_addresses, stored_artifacts
from scoring.tracking.studies import StudyRun, log_study
from scoring.tracking.ui import serve_ui
from scoring.tracking.upload import LoggedRun

__all__ = [
    "EXAMPLE",
    "BacktestRun",
    "DriftRun",
    "EvaluationRun",
    "Importance",
    "LearningCurveRun",
    "LoggedRun",
    "RunRecord",
    "RunSummary",
    "Store",
    "StoredArtifacts",
    "StudyRun",
    "SyncedRun",
    "TrainingRun",
    "Version",
    "add_page",
    "best_runs",
    "champion",
    "check_pending",
    "code_tags",
    "damages",
    "evaluation_metrics",
    "exact_address",
    "find_model_run",
    "find_run",
    "flat",
    "former_home",
    "git_tags",
    "list_runs",
    "log_backtest",
    "log_drift",
    "log_evaluation",
    "log_learning_curve",
    "log_model_folder",
    "log_study",
    "log_training",
    "logs_one_run",
    "machine_tags",
    "own_name",
    "read_columns",
    "read_config",
    "read_evaluation",
    "read_report",
    "read_run",
    "register_run",
    "repair_addresses",
    "resolve_model",
    "restore_previous",
    "run_of_version",
    "serve_ui",
    "set_champion",
    "stored_artifacts",
    "sync_runs",
    "tag_run",
    "version_tags",
    "with_experiment",
    "write_backtest",
    "write_drift",
    "write_evaluation",
    "write_learning_curve",
]
