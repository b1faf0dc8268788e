"""View of an experiment in MLflow's UI: for model training, with the headline metrics as columns.

Two tags that MLflow's UI itself writes and reads set it: the kind of the experiment, and a shared view of its
table of runs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scoring.tracking.metric_names import HEADLINES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_VIEW = "scoring"
_COLUMNS = ["attributes.`Models`", *(f"metrics.`{name}`" for name in HEADLINES)]
_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    f"mlflow.sharedViewState.{_VIEW}": json.dumps({"selectedColumns": _COLUMNS}),
}


def describe_view(client: MlflowClient, experiment: Experiment) -> None:
    """Tag an experiment for MLflow's UI; its own tags stay, such as a kind that a person chose."""
    for name, value in _TAGS.items():
        if name not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, name, value)


def runs_page(experiment_id: str) -> str:
    """Path of the page with the runs of an experiment."""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW}"
