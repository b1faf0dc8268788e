"""Model manager: follows a folder or the champion, and keeps the model before one that does not score."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.deployment.champion_cache import RegistryEntry
from scoring.deployment.open_model import check_scoring
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError, TrackingError
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.registry_process import RegistryProcess
from scoring.settings import Settings
from scoring.tracking import Store
from scoring.tracking.store import opened
from tests.conftest import Registry
from tests.service.conftest import Serve

JSON = {"content-type": "application/json"}
GOOD = b'{"title": "A quiet day at the harbour", "topics": ["Sea"]}'


def write(folder: Path, saved: SavedModel, *, off: float = 0.0, name: str = "other") -> SavedModel:
    """The small model, so many points off, as a folder."""
    quality = saved.models.quality
    rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + off)
    models = replace(saved.models, quality=replace(quality, rubric=rubric))
    return save_model(folder, models, msgspec.structs.replace(saved.manifest.training, name=name))


def wait_until(check: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def registry_process() -> Iterator[RegistryProcess]:
    """A process that queries stores; it has imported MLflow after its first query."""
    process = RegistryProcess(is_kept=True)
    yield process
    process.close()


@pytest.fixture
def shared_process(registry_process: RegistryProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services query through the shared process, rather than through one more for each query."""

    class Shared(RegistryProcess):
        def ask(self, spec: str | None, settings: Settings) -> RegistryEntry | None:
            return registry_process.ask(spec, settings)

    monkeypatch.setattr("scoring.service.model_manager.RegistryProcess", Shared)


def score(client: TestClient) -> dict[str, Any]:
    response: dict[str, Any] = client.post("/v1/score", content=GOOD, headers=JSON).json()
    return response


def loads(client: TestClient, outcome: str) -> float:
    name = f'scoring_model_loads_total{{outcome="{outcome}"}}'
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(lines[0].split()[-1]) if lines else 0.0


def test_a_folder_that_changes_is_followed(serve: Serve, saved: SavedModel, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    first = write(folder, saved)
    client = serve(model=str(folder), follow_seconds=0.02)
    assert score(client)["model"] == first.name
    second = write(folder, saved, off=30)
    wait_until(lambda: score(client)["model"] == second.name)
    assert client.get("/v1/model").json()["name"] == second.name
    assert loads(client, "swapped") == 1
    at_work = [line for line in client.get("/metrics").text.splitlines() if line.startswith("scoring_model{")]
    assert [line.split()[-1] for line in at_work] == ["0.0", "1.0"]


def test_a_model_at_a_url_is_followed(
    serve: Serve, saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.service.model_manager.SERVER_SECONDS", 0.02)
    url = "memory://followed/model"
    first = write(Path(url), saved)
    client = serve(model=url, follow_seconds=0.02)
    assert score(client)["model"] == first.name
    second = write(Path(url), saved, off=30)
    wait_until(lambda: score(client)["model"] == second.name)


def test_a_model_that_cannot_be_used_leaves_the_one_before(
    serve: Serve, saved: SavedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    first = write(folder, saved)
    client = serve(model=str(folder), follow_seconds=0.02)
    spoils: list[Callable[[], object]] = [
        lambda: write(folder, saved, off=float("nan")),
        lambda: (folder / "manifest.json").write_text("{}"),
        lambda: shutil.rmtree(folder),
    ]
    for spoil in spoils:
        n_failed = loads(client, "failed")
        spoil()
        client.app.state.manager.ask()  # type: ignore[attr-defined]
        wait_until(lambda n_failed=n_failed: loads(client, "failed") > n_failed)  # type: ignore[misc]
        assert score(client)["model"] == first.name
    assert client.get("/readyz").status_code == 200
    second = write(folder, saved, off=30)
    wait_until(lambda: score(client)["model"] == second.name)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda scorer: scorer.predict_off("quality", np.nan), "not a finite number"),
        (lambda scorer: scorer.predict_off("quality_low", np.inf), "not a finite number"),
        (lambda scorer: scorer.predict_off("quality_low", 1000.0), "outside of its prediction interval"),
        (lambda scorer: scorer.predict_together(), "depend on the other records of a batch"),
    ],
)
def test_self_check(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], None], words: str
) -> None:
    from scoring.model.scorer import Scorer

    predict = Scorer.predict

    class Spoiled:
        def predict_off(self, name: str, value: float) -> None:
            monkeypatch.setattr(
                Scorer,
                "predict",
                lambda *given: replace(predict(*given), **{name: np.full(len(given[1]), value)}),
            )

        def predict_together(self) -> None:
            def total(*given: Any) -> Any:
                predictions = predict(*given)
                return replace(predictions, heat_expected=predictions.heat_expected + len(given[1]))

            monkeypatch.setattr(Scorer, "predict", total)

    check_scoring(saved, "here")
    spoil(Spoiled())
    with pytest.raises(ModelError, match=f"here: got .*{words}"):
        check_scoring(saved, "here")


def test_requests_go_on_while_the_model_is_swapped(serve: Serve, saved: SavedModel, tmp_path: Path) -> None:
    """A request is scored by one model from its first record to its last."""
    folder = tmp_path / "model"
    names = {write(folder, saved).name}
    client = serve(model=str(folder), follow_seconds=0.005)
    body = b"[" + b",".join([GOOD] * 600) + b"]"
    for off in (10, 20, 30, 40):
        names.add(write(folder, saved, off=off).name)
        client.app.state.manager.ask()  # type: ignore[attr-defined]
        for _ in range(3):
            scores = client.post("/v1/score", content=body, headers=JSON).json()
            models = {record["model"] for record in scores}
            assert len(models) == 1
            assert models <= names
    last = load_model(folder).name
    wait_until(lambda: score(client)["model"] == last)


@pytest.mark.usefixtures("shared_process")
def test_the_champion_is_followed_and_named(serve: Serve, registry: Registry) -> None:
    client = serve(settings=registry.settings, model=None, follow_seconds=0.2)
    first = client.get("/v1/model").json()
    assert (first["address"], first["alias"]) == ("models:/scoring/1", "champion")
    assert first["trained_at"] == "2019-01-01T00:00:00Z"
    assert first["name"].startswith("weak@")
    assert first["figures"]["quality_mae"]["value"] > 0
    from scoring.tracking import register_run

    store = Store(registry.settings.tracking_uri, registry.settings.home)
    address = register_run(store, "scoring", registry.small, description="", tags={})
    with opened(store, "promote", writes=True) as mlflow:
        mlflow.set_registered_model_alias("scoring", "champion", address.rpartition("/")[2])
    wait_until(lambda: score(client)["model"].startswith("small@"))
    assert client.get("/v1/model").json()["address"] == address


def test_the_store_is_asked_outside_of_the_service(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's import would hold up the requests for seconds."""

    def fail() -> None:
        raise AssertionError

    monkeypatch.setattr("scoring.tracking.registry.load_mlflow", fail)
    monkeypatch.setattr("scoring.tracking.store.load_mlflow", fail)
    manager = ModelManager(ServiceOptions(registry.settings))
    assert manager.load()
    assert manager.current.resolved.address == "models:/scoring/1"
    assert not manager.load()
    manager.close()


def test_a_model_that_is_not_there_at_the_start(settings: Settings) -> None:
    manager = ModelManager(ServiceOptions(settings, "/nowhere"))
    with pytest.raises(ModelError):
        manager.load()
    assert not manager.is_ready
    manager.close()


def test_a_model_that_failed_is_tried_again_by_and_by(
    settings: Settings, saved: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write(folder, saved)
    manager = ModelManager(ServiceOptions(settings, str(folder), follow_seconds=0.01))
    manager.load()
    tried: list[bool] = []
    outcomes = iter([False, False, True])

    def attempt() -> bool:
        tried.append(next(outcomes))
        return tried[-1]

    monkeypatch.setattr(manager, "_try", attempt)
    monkeypatch.setattr("scoring.service.model_manager.RETRY_SECONDS", 0.05)

    async def play() -> None:
        following = asyncio.create_task(manager.follow())
        manager.ask()
        await asyncio.sleep(0.6)
        following.cancel()

    asyncio.run(play())
    assert tried == [False, False, True]


def test_a_stop_does_not_wait_for_the_store(settings: Settings) -> None:
    """A server that does not answer is waited for half a minute; a stop is not to be."""
    store = RegistryProcess(is_kept=True)
    with socket.socket() as silent, ThreadPoolExecutor(1) as pool:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = pool.submit(store.ask, None, msgspec.structs.replace(settings, tracking_uri=uri))
        silent.accept()[0].close()
        store.close()
        with pytest.raises(TrackingError):
            asked.result(timeout=5)


def not_followed(client: TestClient) -> tuple[str, bool, str | None, float]:
    """Return what the probe, the model's page and the metrics report, once they agree."""
    answer, page = client.get("/readyz"), client.get("/v1/model").json()
    assert answer.status_code == 200
    lines = client.get("/metrics").text.splitlines()
    (gauge,) = (line for line in lines if line.startswith("scoring_model_is_followed "))
    return answer.text, page["is_followed"], page["not_followed_because"], float(gauge.split()[-1])


@pytest.mark.usefixtures("shared_process")
def test_a_store_that_is_away_changes_only_what_is_reported(
    serve: Serve, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    database = registry.settings.home / "mlflow.db"
    client = serve(settings=registry.settings, model=None, follow_seconds=0.1)
    name = score(client)["model"]
    assert client.get("/v1/model").json()["source"] == "champion"
    for _ in range(2):
        assert not_followed(client) == ("ready\n", True, None, 1)
        database.rename(database.with_name("away.db"))
        wait_until(lambda: not client.get("/v1/model").json()["is_followed"])
        text, is_followed, cause, gauge = not_followed(client)
        assert text.startswith("ready\nmodel not followed since 20")
        assert str(database) not in text, "whoever asks needs no token"
        assert (is_followed, gauge) == (False, 0)
        assert cause is not None
        assert cause.startswith(f"no store at sqlite:///{database}")
        assert score(client)["model"] == name
        database.with_name("away.db").rename(database)
        wait_until(lambda: client.get("/v1/model").json()["is_followed"])
        assert score(client)["model"] == name
    events = [record.message for record in caplog.records if record.name.startswith("scoring.service")]
    assert [event for event in events if event.startswith("model")] == [
        "model not swapped",
        "model followed again",
    ] * 2


@pytest.mark.usefixtures("shared_process")
def test_a_champion_that_is_taken_away_is_kept_and_the_next_is_followed(
    serve: Serve, registry: Registry
) -> None:
    store = Store(registry.settings.tracking_uri, registry.settings.home)
    client = serve(settings=registry.settings, model=None, follow_seconds=0.2)
    name = score(client)["model"]
    with opened(store, "take away", writes=True) as mlflow:
        mlflow.delete_registered_model_alias("scoring", "champion")
    wait_until(lambda: not client.get("/v1/model").json()["is_followed"])
    assert score(client)["model"] == name
    from scoring.tracking import register_run

    address = register_run(store, "scoring", registry.small, description="", tags={})
    with opened(store, "promote", writes=True) as mlflow:
        mlflow.set_registered_model_alias("scoring", "champion", address.rpartition("/")[2])
    wait_until(lambda: score(client)["model"].startswith("small@"))
    wait_until(lambda: client.get("/v1/model").json()["is_followed"])


@pytest.mark.usefixtures("shared_process")
def test_a_start_without_the_store_is_on_the_last_known_champion(
    serve: Serve, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    settings, database = registry.settings, registry.settings.home / "mlflow.db"
    name = resolve(None, settings).saved.name
    database.rename(database.with_name("away.db"))
    client = serve(settings=settings, model=None, follow_seconds=0.02)
    page = client.get("/v1/model").json()
    assert (page["name"], page["source"], page["address"]) == (
        name,
        "last_known_champion",
        "models:/scoring/1",
    )
    assert (page["is_followed"], page["trained_at"]) == (False, "2019-01-01T00:00:00Z")
    (warning,) = (record for record in caplog.records if record.message == "model warning")
    assert warning.levelname == "ERROR", "also with --quiet"
    database.with_name("away.db").rename(database)
    wait_until(lambda: client.get("/v1/model").json()["source"] == "champion")
    assert client.get("/v1/model").json()["is_followed"]
    assert score(client)["model"] == name


@pytest.mark.usefixtures("shared_process")
def test_a_store_that_goes_away_before_the_first_look_is_noticed(registry: Registry) -> None:
    manager = ModelManager(ServiceOptions(registry.settings, follow_seconds=0.01))
    manager.load()
    (registry.settings.home / "mlflow.db").unlink()

    async def play() -> None:
        following = asyncio.create_task(manager.follow())
        for _ in range(500):
            if manager.failure is not None:
                break
            await asyncio.sleep(0.02)
        following.cancel()

    asyncio.run(play())
    manager.close()
    assert manager.failure is not None
    assert manager.failure.cause.startswith("no store at ")


def test_the_process_that_asks(registry: Registry, registry_process: RegistryProcess) -> None:
    store = registry_process
    for _ in range(2):
        entry = store.ask("models:/scoring@champion", registry.settings)
        assert entry is not None
        assert entry.address == "models:/scoring/1"
    with pytest.raises(TrackingError, match="nobody"):
        store.ask("models:/scoring@nobody", registry.settings)
    store.close()
    store.close()  # it may be closed again, and starts anew with the next query
