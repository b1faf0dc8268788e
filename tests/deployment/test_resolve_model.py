"""Model resolution: which model, whether it is followed, and the number of registry lookups."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.deployment.champion_cache import RegistryEntry, RegistryLookup
from scoring.deployment.champion_copy import find_copy
from scoring.deployment.loaded_model import ModelSource
from scoring.deployment.resolve_model import follow, look_up, resolve
from scoring.errors import ModelError, ScoringError, TrackingError
from scoring.settings import Settings, default_model_folder, load_settings
from scoring.tracking import Store, champion, register_run
from scoring.tracking.store import opened
from scoring.workflows.train import TrainOutcome
from tests.conftest import Registry
from tests.deployment.conftest import Site, save_variant
from tests.workflows.test_train import Listener

SHIPPED = load_model(default_model_folder()).name


def test_a_home_that_knows_no_champion_gets_the_shipped_model_with_one_line(settings: Settings) -> None:
    listener = Listener()
    resolved = resolve(None, settings, reporter=listener).resolved
    assert (resolved.source, resolved.name) == (ModelSource.SHIPPED, SHIPPED)
    (line,) = listener.warnings
    assert line.startswith(f"no store at {settings.tracking_uri}: using the shipped model {SHIPPED}")
    assert '"scoring retrain PATH"' in line
    assert not settings.home.exists(), "looking for a champion makes no store"


@pytest.mark.parametrize("is_setting", [False, True])
def test_the_shipped_model_can_be_asked_for(settings: Settings, is_setting: bool) -> None:
    listener = Listener()
    given = msgspec.structs.replace(settings, model="shipped") if is_setting else settings
    resolved = resolve(None if is_setting else "shipped", given, reporter=listener).resolved
    assert (resolved.source, resolved.name, listener.warnings) == (ModelSource.SHIPPED, SHIPPED, [])


def test_a_folder_named_shipped_is_not_passed_over_in_silence(
    settings: Settings, training: TrainOutcome
) -> None:
    shutil.copytree(training.model, "shipped")
    listener = Listener()
    assert resolve("shipped", settings, reporter=listener).saved.name == SHIPPED
    assert listener.warnings == [
        f"using the shipped model {SHIPPED}: write ./shipped to use the folder of that name"
    ]
    assert resolve("./shipped", settings).saved.name != SHIPPED


@pytest.mark.parametrize(
    ("name", "value", "origin"),
    [
        ("SCORING_TRACKING_URI", "sqlite:///elsewhere.db", "environment SCORING_TRACKING_URI"),
        ("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db", "environment MLFLOW_TRACKING_URI"),
        ("yaml", "tracking_uri: sqlite:///elsewhere.db", "scoring.yaml"),
        ("option", "sqlite:///elsewhere.db", "option --tracking-uri"),
    ],
)
def test_a_store_that_was_named_and_is_not_there_is_an_error(
    name: str, value: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "yaml":
        Path("scoring.yaml").write_text(value)
    elif name != "option":
        monkeypatch.setenv(name, value)
    settings = load_settings(tracking_uri=value if name == "option" else None)
    assert settings.is_store_named
    with pytest.raises(TrackingError) as caught:
        resolve(None, settings)
    assert str(caught.value) == (
        f"no store at sqlite:///elsewhere.db ({origin}): check the setting tracking_uri, "
        'or use the shipped model with "--model shipped"'
    )
    assert not Path("elsewhere.db").exists()


def test_a_store_of_the_homes_own_is_named_only_where_somebody_names_it(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert not settings.is_store_named
    assert load_settings(home=tmp_path, tracking_uri=settings.tracking_uri).is_store_named
    assert msgspec.structs.replace(settings, tracking_uri="sqlite:///x.db").is_store_named


def test_a_home_that_knows_another_champion_does_not_get_the_shipped_model(site: Site) -> None:
    site.add_copy()
    sports = msgspec.structs.replace(site.settings, registered_model="sports")
    elsewhere = msgspec.structs.replace(site.settings, tracking_uri=f"sqlite:///{site.home}/other.db")
    for settings, lacks in ((sports, "no champion of sports in "), (elsewhere, "no store at ")):
        with pytest.raises(TrackingError, match=f"^{lacks}.*this home has a champion of scoring in sqlite"):
            resolve(None, settings)


def test_the_last_known_champion_is_named_with_version_and_cause(site: Site) -> None:
    first = resolve(None, site.settings).resolved
    assert (first.source, first.address, first.warning) == (ModelSource.CHAMPION, "models:/scoring/1", None)
    site.database.unlink()
    listener = Listener()
    resolved = resolve(None, site.settings, reporter=listener).resolved
    assert (resolved.source, resolved.sha256, resolved.address, resolved.trained_at) == (
        ModelSource.LAST_KNOWN_CHAMPION,
        first.sha256,
        first.address,
        first.trained_at,
    )
    (line,) = listener.warnings
    assert line.startswith(
        f"no store at {site.settings.tracking_uri}: check the setting tracking_uri; using "
    )
    assert f"the last known champion of scoring: {first.name} (models:/scoring/1, last seen 2" in line


def test_a_home_of_before_that_has_no_copy_yet_is_no_home_without_a_champion(site: Site) -> None:
    resolve(None, site.settings)
    shutil.rmtree(site.home / "champions")  # the cache still names the champion
    site.set_store(has_alias=False, has_version=True)
    for _ in range(2):
        with pytest.raises(TrackingError, match="no champion of scoring"):
            resolve(None, site.settings)


def test_a_champion_that_is_named_by_its_alias_is_kept_too(site: Site) -> None:
    assert resolve("models:/scoring/1", site.settings).resolved.source is ModelSource.EXPLICIT
    assert find_copy(site.settings, "scoring") is None
    resolve("models:/scoring@champion", site.settings)
    assert find_copy(site.settings, "scoring") is not None
    site.database.unlink()
    with pytest.raises(TrackingError, match="no such file, while "):
        resolve("models:/scoring@champion", site.settings)  # what is named is never replaced


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_copy_that_cannot_be_kept_is_reported(site: Site) -> None:
    site.home.chmod(0o500)
    try:
        line = resolve(None, site.settings).resolved.warning
    finally:
        site.home.chmod(0o700)
    assert line is not None
    assert "cannot keep a copy of the champion of scoring: Permission denied" in line


def test_a_copy_for_which_there_is_no_room_is_reported(site: Site) -> None:
    (site.home / "champions").write_text("in the way")
    line = resolve(None, site.settings).resolved.warning
    (site.home / "champions").unlink()
    assert line is not None
    assert "cannot keep a copy of the champion of scoring: " in line


def by_answers(*answers: str | None) -> tuple[RegistryLookup, Callable[[], int]]:
    """A registry with these champion folders, in turn, and the number of its lookups."""
    waiting = list(answers)

    def lookup(_: str | None, __: Settings) -> RegistryEntry | None:
        folder = waiting.pop(0)
        return RegistryEntry(folder, "models:/scoring/1") if folder else None

    return lookup, lambda: len(answers) - len(waiting)


def test_the_registry_is_asked_again_only_when_the_store_has_changed(
    settings: Settings, saved: SavedModel, training: TrainOutcome
) -> None:
    """MLflow takes seconds to import, and most scores come from an unchanged champion."""
    model = training.model
    lookup, count = by_answers(model, model, model, model)
    settings.home.mkdir(parents=True)
    database = settings.home / "mlflow.db"
    database.write_bytes(b"one")
    pointer = settings.home / "cache" / "champion.json"
    damages: list[Callable[[], object]] = [
        lambda: None,
        lambda: database.write_bytes(b"another"),
        lambda: pointer.write_bytes(pointer.read_bytes().replace(model.encode(), b"/nowhere")),
        lambda: pointer.write_bytes(b"{"),
    ]
    for number, damage in enumerate(damages, start=1):
        damage()
        for _ in range(2):
            assert resolve(None, settings, lookup=lookup).saved.name == saved.name
        assert count() == number


def test_that_there_is_no_champion_is_remembered_of_a_store_that_stayed_where_it_was(
    settings: Settings,
) -> None:
    settings.home.mkdir(parents=True)
    database = settings.home / "mlflow.db"
    database.write_bytes(b"one")
    lookups: list[bool] = []

    def lookup(_: str | None, __: Settings) -> RegistryEntry | None:
        lookups.append(True)
        if len(lookups) == 1:  # moved away and back while it is asked: it says that there is nothing
            database.rename(database.with_name("away")).rename(database)
        return None

    for n_asked in (1, 2, 2):
        assert resolve(None, settings, lookup=lookup).resolved.source is ModelSource.SHIPPED
        assert len(lookups) == n_asked


def test_a_store_that_was_replaced_is_read_anew(registry: Registry) -> None:
    """A connection kept by MLflow would continue to read the deleted file."""
    settings = registry.settings
    store = Store(settings.tracking_uri, settings.home)
    assert champion(store, "scoring") == "models:/scoring/1"
    database = settings.home / "mlflow.db"
    shutil.copy(database, settings.home / "before.db")
    with opened(store, "change", writes=True) as client:
        client.delete_registered_model_alias("scoring", "champion")
    assert champion(store, "scoring") is None
    (settings.home / "before.db").replace(database)
    assert champion(store, "scoring") == "models:/scoring/1"


def test_a_process_follows_the_registered_model_and_nothing_else(registry: Registry) -> None:
    settings = registry.settings
    store = Store(settings.tracking_uri, settings.home)
    database = settings.home / "mlflow.db"
    before = resolve(None, settings)
    assert follow(before, None, settings) is before

    def expect_no_other(words: str) -> None:
        with pytest.raises(ScoringError, match=words):
            follow(before, None, settings)

    database.rename(database.with_name("away.db"))
    expect_no_other("no store at ")
    assert not database.exists()
    database.with_name("away.db").rename(database)
    assert follow(before, None, settings) is before
    with opened(store, "change", writes=True) as client:
        client.delete_registered_model_alias("scoring", "champion")
    expect_no_other("no champion of scoring in ")
    address = register_run(store, "scoring", registry.small, description="", tags={})
    with opened(store, "change", writes=True) as client:
        client.set_registered_model_alias("scoring", "champion", address.rpartition("/")[2])
    after = follow(before, None, settings)
    assert after.saved.name.startswith("small@")
    assert after.resolved.address == address
    assert after.resolved.source is ModelSource.CHAMPION
    champion_copy = find_copy(settings, "scoring")
    assert champion_copy is not None
    assert champion_copy.facts.address == address


def test_a_process_on_the_last_known_champion_takes_the_store_up_again(site: Site) -> None:
    site.add_copy()
    site.set_store(has_alias=False, has_version=True)
    before = resolve(None, site.settings)
    with pytest.raises(TrackingError) as caught:
        follow(before, None, site.settings)
    assert str(caught.value) == before.resolved.store_error, "what was said once is known again"
    site.set_store(has_alias=True, has_version=True)
    after = follow(before, None, site.settings)
    assert (after.resolved.source, after.saved.sha256) == (ModelSource.CHAMPION, before.saved.sha256)


def test_a_process_on_the_shipped_model_takes_the_first_champion(site: Site) -> None:
    site.set_store(has_alias=False, has_version=True)
    before = resolve(None, site.settings)
    assert before.resolved.source is ModelSource.SHIPPED
    assert follow(before, None, site.settings) is before
    site.set_store(has_alias=True, has_version=True)
    assert follow(before, None, site.settings).resolved.source is ModelSource.CHAMPION
    asked_for = resolve("shipped", site.settings)
    assert follow(asked_for, "shipped", site.settings) is asked_for


def test_a_folder_is_followed_where_it_is_written_anew(
    settings: Settings, saved: SavedModel, tmp_path: Path
) -> None:
    folder = str(tmp_path / "model")
    save_variant(Path(folder), saved, name="one", points=1)
    before = resolve(folder, settings)
    assert follow(before, folder, settings) is before
    newer = save_variant(Path(folder), saved, name="other", points=2)
    assert follow(before, folder, settings).saved.name == newer.name
    (Path(folder) / "manifest.json").write_text("{}")
    with pytest.raises(ModelError):
        follow(before, folder, settings)


def test_the_entry_of_a_champion_has_its_moment(registry: Registry) -> None:
    entry = look_up(None, registry.settings)
    assert entry is not None
    assert (entry.address, str(entry.trained_at)) == ("models:/scoring/1", "2019-01-01 00:00:00+00:00")
