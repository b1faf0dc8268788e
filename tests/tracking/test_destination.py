"""Runs that go where MLflow's environment variables say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scoring.errors import ScoringError, SettingsError, TrackingError
from scoring.settings import Settings, load_settings, settings_origins
from scoring.tracking import Store, TrainingRun, log_training, logs_one_run, sync_runs
from scoring.tracking.destination import with_experiment
from scoring.tracking.runs import flat
from scoring.tracking.store import opened

Make = Callable[..., TrainingRun]


@pytest.fixture
def client(store: Store) -> Iterator[Any]:
    with opened(store, "prepare", writes=True) as client:
        yield client


@pytest.fixture
def news(client: Any) -> str:
    """Id of the experiment "news"."""
    return str(client.create_experiment("news"))


def settings_of(store: Store, **given: Any) -> Settings:
    return load_settings(home=store.home, tracking_uri=store.tracking_uri, **given)


@logs_one_run
def log(make_run: Make, store: Store, *, settings: Settings, experiment: str | None = None) -> str:
    """A workflow that logs a training."""
    name = experiment or settings.experiment
    return log_training(store, make_run(experiment=name, run_name=settings.run_name or "first")).run_id


def test_an_experiment_by_its_id(
    store: Store, make_run: Make, client: Any, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", news)
    monkeypatch.setenv("MLFLOW_RUN_NAME", "the name")
    shown = {origin.name: tuple(origin[1:]) for origin in settings_origins()}
    assert shown["experiment_id"] == (news, "environment MLFLOW_EXPERIMENT_ID")
    assert shown["run_name"] == ("the name", "environment MLFLOW_RUN_NAME")
    run = client.get_run(log(make_run, store, settings=settings_of(store)))
    assert (run.info.experiment_id, run.info.run_name) == (news, "the name")
    other = client.get_run(log(make_run, store, settings=settings_of(store), experiment="other"))
    assert other.info.experiment_id != news  # an option wins over the environment


def test_name_and_id_of_an_experiment_have_to_agree(
    store: Store, client: Any, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", news)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "news")
    assert with_experiment(settings_of(store)).experiment == "news"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    with pytest.raises(
        SettingsError, match=rf"got '{news}', which is 'news' .* experiment is 'other': set one"
    ):
        with_experiment(settings_of(store))
    assert with_experiment(settings_of(store, experiment_id=news)).experiment == "news"
    assert with_experiment(settings_of(store, experiment="mine")).experiment == "mine"


@pytest.mark.parametrize("wrong", ["77", "news"])
def test_an_absent_experiment_is_refused(store: Store, client: Any, wrong: str) -> None:
    with pytest.raises(TrackingError, match=f"there is no experiment with the id '{wrong}'"):
        with_experiment(settings_of(store, experiment_id=wrong))


def test_an_existing_run_receives_the_training(
    store: Store, make_run: Make, client: Any, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"mlflow.source.name": "pipeline.py", "team": "desk"}
    started = client.create_run(news, run_name="nightly", tags=tags)
    client.log_param(started.info.run_id, "day", "monday")
    monkeypatch.setenv("MLFLOW_RUN_ID", started.info.run_id)
    assert log(make_run, store, settings=settings_of(store)) == started.info.run_id
    run = client.get_run(started.info.run_id)
    assert (run.info.run_name, run.info.status) == ("nightly", "FINISHED")
    assert tags.items() <= run.data.tags.items()
    assert (run.data.tags["type"], run.data.params["day"]) == ("train", "monday")
    assert (run.data.metrics["quality_mae"], run.data.params["quality.num_leaves"]) == (1.5, "31")
    assert len(client.search_runs([news])) == 1
    (model,) = client.search_logged_models([news])
    assert model.source_run_id == started.info.run_id
    with pytest.raises(TrackingError, match=r"run_id: run \w+ has ended \(FINISHED\): start another run"):
        log(make_run, store, settings=settings_of(store))
    settings = settings_of(store)
    assert with_experiment(settings, has_own_runs=True) == settings  # a promotion logs no results into it


def test_a_run_that_cannot_receive_anything_is_refused(
    store: Store, make_run: Make, client: Any, news: str
) -> None:
    def refused(run_id: str, reason: str, **given: Any) -> None:
        with pytest.raises(ScoringError, match=f"run_id: {reason}"):
            log(make_run, store, settings=settings_of(store, run_id=run_id, **given))

    run_id = client.create_run(news).info.run_id
    refused("0" * 32, "there is no run '0+'")
    refused("no id", "there is no run 'no id'")
    refused(run_id, "run .* is in experiment 'news', not in 'other'", experiment="other")
    client.set_tag(run_id, "upload_id", "of another")
    refused(run_id, "run .* already has the results of another command")
    client.delete_run(run_id)
    refused(run_id, "there is no run '.*'")
    assert client.search_runs([news]) == []


def test_a_run_that_could_not_be_logged_waits_for_its_run(
    store: Store, make_run: Make, client: Any, news: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.create_run(news).info.run_id

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("scoring.tracking.upload.log_model", fail)
        with pytest.raises(TrackingError, match="the disk is full"):
            log(make_run, store, settings=settings_of(store, run_id=run_id))
    assert client.get_run(run_id).info.status == "FAILED"
    (synced,) = sync_runs(store)
    assert (synced.run_id, synced.error) == (run_id, None)
    assert client.get_run(run_id).info.status == "FINISHED"


def test_the_load_of_the_machine_is_logged_over_time(
    store: Store, make_run: Make, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    run_id = log(make_run, store, settings=settings_of(store))
    (memory,) = client.get_metric_history(run_id, "system/system_memory_usage_percentage")
    assert 0 < memory.value <= 100
    assert memory.step == 0
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    again = client.get_run(log(make_run, store, settings=settings_of(store)))
    assert not [name for name in again.data.metrics if name.startswith("system/")]


def test_the_load_needs_psutil(store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.tracking.system_metrics.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="system_metrics: psutil is not installed"):
        log(make_run, store, settings=settings_of(store, system_metrics=True))


@pytest.mark.parametrize("interval", ["often", "0", "-1", "nan"])
def test_the_interval_of_the_load_is_a_time(
    store: Store, make_run: Make, interval: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", interval)
    with pytest.raises(SettingsError, match=f"got '{interval}', expected a number of seconds above 0"):
        log(make_run, store, settings=settings_of(store, system_metrics=True))


def test_the_store_is_not_queried_without_ids(store: Store) -> None:
    settings = load_settings(home=store.home, tracking_uri="http://127.0.0.1:9", run_name="any")
    assert with_experiment(settings) is settings


@logs_one_run
def train(make_run: Make, store: Store, *, settings: Settings, config: dict[str, Any]) -> str:
    """A workflow with a configuration, whose work must not begin."""
    raise AssertionError(config)


def test_a_run_with_other_parameters_is_refused_before_the_work(
    store: Store, make_run: Make, client: Any, news: str
) -> None:
    run_id = client.create_run(news).info.run_id
    client.log_param(run_id, "model.seed", "3")
    settings = settings_of(store, run_id=run_id)
    with pytest.raises(
        TrackingError, match=r"has the parameter model\.seed with the value '3', not '7': start"
    ):
        train(make_run, store, settings=settings, config={"model": {"seed": 7}})
    with pytest.raises(AssertionError):
        train(make_run, store, settings=settings, config={"model": {"seed": 3}})


def test_results_that_a_run_cannot_receive_get_a_run_of_their_own(
    store: Store, make_run: Make, client: Any, news: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The parameters are other ones by the time of the upload."""
    run_id = client.create_run(news).info.run_id
    run = make_run(experiment="news", run_name="first")
    name, value = next(iter(flat(run.config).items()))
    client.log_param(run_id, name, "of another")
    own_id = log(make_run, store, settings=settings_of(store, run_id=run_id))
    assert own_id != run_id
    own = client.get_run(own_id)
    assert (own.info.status, own.data.params[name]) == ("FINISHED", str(value))
    assert own.data.tags["not_received_by"].startswith(
        f"{run_id}: it has the parameter {name} with the value"
    )
    assert f"run {run_id} cannot receive the results" in caplog.text
    assert client.get_run(run_id).data.params == {name: "of another"}
