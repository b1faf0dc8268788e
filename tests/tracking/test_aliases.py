"""Moving aliases: after any interruption the champion is the old or the new version."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from filelock import FileLock

from scoring.errors import TrackingError
from scoring.tracking import Store, TrainingRun, champion, log_training
from scoring.tracking.aliases import register_run, restore_previous, set_champion, tag_run
from scoring.tracking.store import load_mlflow, opened

Make = Callable[..., TrainingRun]
FIRST, SECOND, THIRD = (f"models:/scoring/{number}" for number in (1, 2, 3))


class BreakError(Exception):
    """Simulates the end of the process."""


@pytest.fixture
def versions(store: Store) -> Store:
    """A store with three versions and no champion."""
    with opened(store, "prepare", writes=True) as client:
        client.create_registered_model("scoring")
        for _ in range(3):
            client.create_model_version("scoring", str(store.home))
    return store


def champions(store: Store) -> tuple[str | None, str | None]:
    return champion(store, "scoring"), champion(store, "scoring", "previous")


def tags_of(store: Store, number: int) -> dict[str, str]:
    with opened(store, "look", writes=False) as client:
        return dict(client.get_model_version("scoring", str(number)).tags)


@pytest.fixture
def break_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Interrupt before the n-th call that sets an alias."""
    original = load_mlflow().MlflowClient.set_registered_model_alias

    def break_at(number: int) -> None:
        calls = iter(range(100))

        def set_or_break(client: Any, *arguments: Any) -> None:
            if next(calls) == number:
                raise BreakError
            original(client, *arguments)

        monkeypatch.setattr(load_mlflow().MlflowClient, "set_registered_model_alias", set_or_break)

    return break_at


def test_the_champion_before_is_kept(versions: Store) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={"promoted_by": "gate"})
    assert champions(versions) == (FIRST, None)
    set_champion(versions, SECOND, instead_of=FIRST, tags={"promoted_by": "force", "promoted_reason": "why"})
    assert champions(versions) == (SECOND, FIRST)
    set_champion(versions, THIRD, instead_of=SECOND, tags={})
    assert champions(versions) == (THIRD, SECOND)
    assert tags_of(versions, 1)["promoted_by"] == "gate"
    assert tags_of(versions, 2) == {"promoted_by": "force", "promoted_reason": "why"}


def test_who_was_judged_against_another_champion_is_not_made_champion(versions: Store) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={})
    message = f"champion of scoring: got {FIRST}, which was set meanwhile, expected none: compare again"
    with pytest.raises(TrackingError, match=message):
        set_champion(versions, SECOND, instead_of=None, tags={"promoted_by": "gate"})
    with pytest.raises(TrackingError, match=f"got {FIRST}, which was set meanwhile, expected {THIRD}"):
        set_champion(versions, SECOND, instead_of=THIRD, tags={"promoted_by": "gate"})
    assert champions(versions) == (FIRST, None)
    assert tags_of(versions, 2) == {}


def test_champion_and_previous_change_places(versions: Store) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={})
    set_champion(versions, SECOND, instead_of=FIRST, tags={})
    with pytest.raises(TrackingError, match=f"got {SECOND} and {FIRST}, expected {THIRD} and {FIRST}"):
        restore_previous(versions, champion=THIRD, previous=FIRST, tags={"a": "b"}, previous_tags={})
    restore_previous(
        versions, champion=SECOND, previous=FIRST, tags={"out": "x"}, previous_tags={"back": "y"}
    )
    assert champions(versions) == (FIRST, SECOND)
    assert (tags_of(versions, 2), tags_of(versions, 1)["back"]) == ({"out": "x"}, "y")


@pytest.mark.parametrize(("number", "left"), [(0, (SECOND, FIRST)), (1, (SECOND, SECOND))])
def test_a_promotion_that_breaks_off_leaves_the_old_champion(
    versions: Store, break_at: Callable[[int], None], number: int, left: tuple[str, str]
) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={})
    set_champion(versions, SECOND, instead_of=FIRST, tags={})
    break_at(number)
    with pytest.raises(BreakError):
        set_champion(versions, THIRD, instead_of=SECOND, tags={})
    assert champions(versions) == left
    break_at(-1)
    set_champion(versions, THIRD, instead_of=SECOND, tags={})
    assert champions(versions) == (THIRD, SECOND)


@pytest.mark.parametrize(("number", "left"), [(0, (SECOND, FIRST)), (1, (FIRST, FIRST))])
def test_a_rollback_that_breaks_off_leaves_one_of_the_two(
    versions: Store, break_at: Callable[[int], None], number: int, left: tuple[str, str]
) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={})
    set_champion(versions, SECOND, instead_of=FIRST, tags={})
    break_at(number)
    with pytest.raises(BreakError):
        restore_previous(versions, champion=SECOND, previous=FIRST, tags={}, previous_tags={})
    assert champions(versions) == left


def test_only_one_changes_the_registry_at_a_time(versions: Store) -> None:
    impatient = Store(versions.tracking_uri, versions.home, timeout_seconds=0.1)
    with FileLock(f"{versions.database}.registry.lock"):
        message = f"cannot promote {FIRST}: another process is changing the registry"
        with pytest.raises(TrackingError, match=message):
            set_champion(impatient, FIRST, instead_of=None, tags={})
    set_champion(impatient, FIRST, instead_of=None, tags={})
    assert champions(versions) == (FIRST, None)


def _promote(store: Store, address: str) -> str:
    try:
        set_champion(store, address, instead_of=FIRST, tags={"promoted_by": "gate"})
    except TrackingError as error:
        return str(error)
    return ""


def test_of_two_that_promote_at_once_one_comes_too_late(versions: Store) -> None:
    set_champion(versions, FIRST, instead_of=None, tags={})
    patient = replace(versions, timeout_seconds=120)  # for the other, however busy the machine is
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        messages = pool.starmap(_promote, [(patient, SECOND), (patient, THIRD)])
    late = [text for text in messages if text]
    assert len(late) == 1
    assert "which was set meanwhile" in late[0]
    winner = (SECOND, THIRD)[messages.index("")]
    assert champions(versions) == (winner, FIRST)


def test_a_run_is_registered_once(store: Store, make_run: Make) -> None:
    run = log_training(store, make_run())
    assert run.version is None
    tags = {"model": "default 1"}
    for _ in range(2):
        assert register_run(store, "scoring", run.run_id, description="The first.", tags=tags) == FIRST
    with opened(store, "look", writes=False) as client:
        (version,) = client.search_model_versions("name = 'scoring'")
    assert (version.description, version.tags, version.run_id) == ("The first.", tags, run.run_id)
    assert champion(store, "scoring") is None


def test_a_run_without_a_model_is_not_registered(store: Store) -> None:
    with opened(store, "log", writes=True) as client:
        run_id = client.create_run("0").info.run_id
    message = f"run {run_id} has no model"
    with pytest.raises(TrackingError, match=message):
        register_run(store, "scoring", run_id, description="", tags={})


def test_a_run_gets_the_verdict_of_the_gate(store: Store) -> None:
    with opened(store, "log", writes=True) as client:
        run_id = client.create_run("0").info.run_id
    tag_run(store, run_id, {"gate": "refused"})
    with opened(store, "look", writes=False) as client:
        assert client.get_run(run_id).data.tags["gate"] == "refused"
    with pytest.raises(TrackingError, match=re.escape("cannot tag run absent")):
        tag_run(store, "absent", {"gate": "refused"})
