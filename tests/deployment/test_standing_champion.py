"""The reference of a new model if the registry has lost its champion."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scoring.artifact.model_folder import FILES as MODEL_FILES
from scoring.deployment.champion_copy import find_copy
from scoring.deployment.standing_champion import find_standing_champion
from scoring.errors import ModelError, TrackingError
from scoring.tracking import Store, champion
from scoring.workflows.promote import promote
from scoring.workflows.retrain import retrain
from scoring.workflows.rollback import rollback
from tests.conftest import Registry
from tests.deployment.conftest import NOW, Site, stop
from tests.workflows.test_train import Listener


def champion_of(site: Site) -> str | None:
    return champion(Store(site.settings.tracking_uri, site.home), "scoring")


def test_a_promotion_and_a_rollback_renew_the_copy(registry: Registry) -> None:
    settings = registry.settings
    outcome = promote(registry.small, reason="a test", settings=settings, now=NOW, on_fault=stop)
    copy = find_copy(settings, "scoring")
    assert copy is not None
    assert (copy.facts.address, copy.facts.model) == (outcome.version, outcome.model)
    back = rollback(settings=settings, now=NOW)
    copy = find_copy(settings, "scoring")
    assert copy is not None
    assert (copy.facts.address, copy.facts.model) == (back.champion, back.model)


def test_a_challenger_is_judged_against_the_last_known_champion(site: Site) -> None:
    site.add_copy()
    site.set_store(has_alias=False, has_version=True)
    listener = Listener()
    outcome = promote(str(site.folder), settings=site.settings, now=NOW, on_fault=stop, reporter=listener)
    assert (outcome.champion, outcome.is_promoted) == ("models:/scoring/1", False)
    (line,) = listener.warnings
    assert "a new model has to beat the last known one" in line
    assert champion_of(site) is None
    other = str(site.folder)
    forced = promote(other, reason="it is wanted", settings=site.settings, now=NOW, on_fault=stop)
    assert (forced.champion, forced.version) == ("models:/scoring/1", champion_of(site))
    assert forced.version != forced.champion


def test_the_last_known_champion_itself_can_be_put_back(site: Site) -> None:
    site.add_copy()
    site.set_store(has_alias=False, has_version=True)
    listener = Listener()
    outcome = promote("models:/scoring/1", settings=site.settings, now=NOW, on_fault=stop, reporter=listener)
    assert (outcome.is_promoted, champion_of(site)) == (True, "models:/scoring/1")
    assert listener.notes == ["models:/scoring/1 is the last known champion: its alias is restored"]


def test_a_retraining_is_judged_against_the_last_known_champion(site: Site, archive: Path) -> None:
    site.add_copy()
    site.set_store(has_alias=False, has_version=False)
    listener = Listener()
    outcome = retrain([str(archive)], settings=site.settings, now=NOW, on_fault=stop, reporter=listener)
    assert (outcome.champion, outcome.is_promoted) == ("models:/scoring/1", False)
    assert outcome.verdict.reasons[0].startswith("no new data to evaluate on since ")
    first, second = listener.warnings
    assert "no champion of scoring in " in first
    assert second.endswith("if the last known champion had a ledger, name it with --corrections")


def test_no_other_store_is_begun_in_the_place_of_one_that_is_away(site: Site, archive: Path) -> None:
    site.add_copy()
    site.database.unlink()
    words = r"no store at .*, which had models:/scoring/1 as its champion"
    with pytest.raises(TrackingError, match=words):
        retrain([str(archive)], settings=site.settings, now=NOW, on_fault=stop)
    with pytest.raises(TrackingError, match=words):
        promote(str(site.folder), settings=site.settings, now=NOW, on_fault=stop)
    assert not site.database.exists()


def test_a_champion_whose_files_are_damaged_is_loaded_from_its_copy(site: Site) -> None:
    store = Store(site.settings.tracking_uri, site.home)
    champion = find_standing_champion(store, "scoring", site.settings, Listener())
    assert champion is not None
    whole = champion.load(site.settings, Listener())
    for name in MODEL_FILES:
        (site.model / name).write_bytes(b"damaged")
    listener = Listener()
    assert champion.load(site.settings, listener).saved.sha256 == whole.saved.sha256
    assert "using the last known champion of scoring" in listener.warnings[0]
    shutil.rmtree(site.home / "champions")
    with pytest.raises((ModelError, TrackingError)):
        champion.load(site.settings, Listener())


def test_without_any_champion_there_is_nothing_to_beat(site: Site) -> None:
    site.set_store(has_alias=False, has_version=True)
    store = Store(site.settings.tracking_uri, site.home)
    assert find_standing_champion(store, "scoring", site.settings, Listener()) is None
