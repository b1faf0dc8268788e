"""Tags of an experiment for MLflow's pages."""

from __future__ import annotations

import json
from collections.abc import Callable

from scoring.tracking import Store, TrainingRun, log_training
from scoring.tracking.metric_names import HEADLINES
from scoring.tracking.store import opened

KIND, VIEW = "mlflow.experimentKind", "mlflow.sharedViewState.scoring"


def test_an_experiment_is_one_of_model_training(store: Store, make_run: Callable[..., TrainingRun]) -> None:
    log_training(store, make_run())
    with opened(store, "read", writes=True) as client:
        (experiment,) = client.search_experiments(filter_string="name = 'news'")
        assert experiment.tags[KIND] == "custom_model_development"
        columns = json.loads(experiment.tags[VIEW])["selectedColumns"]
        assert [f"metrics.`{name}`" for name in HEADLINES] == columns[1:]
        client.set_experiment_tag(experiment.experiment_id, KIND, "finetuning")
        client.delete_experiment_tag(experiment.experiment_id, VIEW)
    log_training(store, make_run())
    with opened(store, "read", writes=False) as client:
        tags = client.get_experiment(experiment.experiment_id).tags
    assert tags[KIND] == "finetuning"  # a person chose it
    assert json.loads(tags[VIEW])["selectedColumns"] == columns
