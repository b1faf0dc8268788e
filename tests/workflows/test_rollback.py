"""Rollback to the previous champion, if it scores, and back again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scoring.deployment import activate
from scoring.deployment.open_model import open_model
from scoring.errors import ModelError
from scoring.settings import Settings
from scoring.tracking import Store, champion, read_run
from scoring.tracking.store import opened
from scoring.workflows.promote import promote
from scoring.workflows.rollback import rollback
from tests.conftest import Registry
from tests.workflows.test_promote import FIRST, GATE, SECOND, champions, descriptions, stop

NOW = datetime(2019, 7, 1, 12, tzinfo=UTC)


def run(settings: Settings, reason: str | None = None) -> tuple[str, str]:
    done = rollback(reason=reason, settings=settings, now=NOW)
    return done.champion, done.previous


def test_the_two_change_places_and_say_why(registry: Registry) -> None:
    settings = registry.settings
    weak = open_model(FIRST, settings).name
    promote(registry.small, gate=GATE, settings=settings, now=NOW, on_fault=stop)
    assert run(settings, "the editors missed stories") == (FIRST, SECOND)
    assert champions(settings) == (FIRST, SECOND)
    assert open_model(None, settings).name == weak
    store = Store(settings.tracking_uri, settings.home)
    (given_up,), (restored,) = (
        read_run(store, run_id).summary.versions for run_id in (registry.small, registry.weak)
    )
    moment = "2019-07-01T12:00:00+00:00"
    assert given_up.tags["rolled_back_at"] == restored.tags["restored_at"] == moment
    assert given_up.tags["rolled_back_to"] == FIRST
    assert restored.tags["restored_instead_of"] == SECOND
    assert given_up.tags["rolled_back_reason"] == "the editors missed stories"
    ended = "Champion until 2019-07-01T12:00:00+00:00"
    first, second = descriptions(settings)
    assert first == f"Champion since {moment}, again, instead of {SECOND}: the editors missed stories"
    assert second.startswith(f"{ended} (since {moment}: quality_mae: champion ")
    assert run(settings) == (SECOND, FIRST)
    assert champions(settings) == (SECOND, FIRST)
    assert descriptions(settings)[0].startswith(f"{ended} (since {moment}, again, instead of ")


def test_there_has_to_be_one_to_go_back_to(registry: Registry) -> None:
    with pytest.raises(ModelError, match="scoring: no previous champion to go back to"):
        run(registry.settings)
    with pytest.raises(ModelError, match="fresh: no champion to roll back"):
        rollback(name="fresh", settings=registry.settings, now=NOW)
    with opened(
        Store(registry.settings.tracking_uri, registry.settings.home), "break", writes=True
    ) as client:
        client.set_registered_model_alias("scoring", "previous", "1")
    with pytest.raises(ModelError, match="aliases champion and previous are both models:/scoring/1"):
        run(registry.settings)


def test_one_that_does_not_score_stays_out(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(registry.small, gate=GATE, settings=registry.settings, now=NOW, on_fault=stop)

    def fail(*_: object) -> None:
        raise ModelError("models:/scoring/1: damaged")

    monkeypatch.setattr(activate, "resolve", fail)
    with pytest.raises(ModelError, match="damaged"):
        run(registry.settings)
    assert champion(Store(registry.settings.tracking_uri, registry.settings.home), "scoring") == SECOND
